package main

import (
	"crypto/tls"
	"crypto/x509"
)

// readCA reads the certificates that a flag names a file of: as they stand there, and
// as a pool that trusts them and no others.
//
// Errors: usage, of a file that cannot be read, is no regular one, is too large or has
// no certificate in it.
func readCA(flag, path string) (pem []byte, pool *x509.CertPool, err error) {
	pem, err = readSmall(path, configLimit)
	if err != nil {
		return nil, nil, usage("", "--%s: %v", flag, err)
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, usage("a certificate in PEM begins with -----BEGIN CERTIFICATE-----", "--%s: no certificate in %s", flag, path)
	}
	return pem, pool, nil
}

// pairLimit is how large a file of a certificate or a key may be, in bytes.
const pairLimit = 1 << 20

// readPair reads the certificate that one shows and its private key, of the files that
// --cert and --key name.
//
// Errors: usage, of a file that cannot be read, is no regular one or is too large, and of
// two that do not go together.
func readPair(cert, key string) (tls.Certificate, error) {
	certPEM, err := readSmall(cert, pairLimit)
	if err != nil {
		return tls.Certificate{}, usage("", "--cert: %v", err)
	}
	keyPEM, err := readSmall(key, pairLimit)
	if err != nil {
		return tls.Certificate{}, usage("", "--key: %v", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return pair, usage("", "--cert and --key: %v", err)
	}
	return pair, nil
}
