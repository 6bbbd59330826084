package fakeregistry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
)

// Certificates that faults show. They are made anew for each connection.

// certified signs a certificate with the server's CA.
func (a *authority) certified(c *x509.Certificate) (tls.Certificate, error) {
	if err := a.ready(); err != nil {
		return tls.Certificate{}, err
	}
	return a.issuer().certify(c)
}

// expired ran out before any scenario plays.
func (a *authority) expired() (tls.Certificate, error) {
	c := a.leafOf(4)
	c.NotAfter = validFrom.AddDate(1, 0, 0)
	return a.certified(c)
}

// named is for other names only.
func (a *authority) named(names []string) (tls.Certificate, error) {
	return a.certified(leafFor(5, names))
}

// untrusted is signed by itself, or by a root that nobody was given.
func (a *authority) untrusted(selfSigned bool) (tls.Certificate, error) {
	var by issuer
	if !selfSigned {
		root, key, err := newRoot("some other CA")
		if err != nil {
			return tls.Certificate{}, err
		}
		by = issuer{root, key}
	}
	return by.certify(a.leafOf(6))
}

// incomplete is signed by an intermediate CA, which is not sent.
func (a *authority) incomplete() (tls.Certificate, error) {
	if err := a.ready(); err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	between, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "pushcheck intermediate CA"},
		NotBefore: validFrom, NotAfter: validUntil,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.root, key.Public(), a.signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	return issuer{between, key}.certify(a.leafOf(8))
}

// pool is the server's CA as the only one.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}
