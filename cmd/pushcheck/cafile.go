package main

import "crypto/x509"

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
