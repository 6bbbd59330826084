package fakeregistry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"
)

// An authority is a CA made for one server, and the server's certificate. Both
// are made when first needed.
type authority struct {
	names  []string // hosts and addresses besides the loopback ones
	config *tls.Config
	make   sync.Once
	root   *x509.Certificate
	leaf   tls.Certificate
	err    error
}

// Certificates are valid on any day that a scenario may play on.
var (
	validFrom  = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)
)

func (a *authority) ready() error {
	a.make.Do(func() { a.err = a.issue() })
	return a.err
}

func (a *authority) issue() error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pushcheck test CA"},
		NotBefore: validFrom, NotAfter: validUntil,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if a.root, err = sign(root, root, rootKey.Public(), rootKey); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pushcheck registry"},
		NotBefore: validFrom, NotAfter: validUntil,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, name := range a.names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	cert, err := sign(leaf, a.root, key.Public(), rootKey)
	if err != nil {
		return err
	}
	a.leaf = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	return nil
}

func sign(c, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newAuthority makes the server's end of TLS. HTTP/2 is not offered: most faults
// break one connection, which there would be everybody's.
func newAuthority(names []string) *authority {
	a := &authority{names: names}
	a.config = &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if err := a.ready(); err != nil {
				return nil, err
			}
			return &a.leaf, nil
		},
	}
	return a
}

// pem is the root as a file that clients read.
func (a *authority) pem() []byte {
	if a.ready() != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}
