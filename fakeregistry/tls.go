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
	signer *ecdsa.PrivateKey // root's
	leaf   tls.Certificate
	err    error
	// second is the certificate after a change, as good as leaf: the same for every
	// connection from then on.
	second func() (tls.Certificate, error)
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
	var err error
	if a.root, a.signer, err = newRoot("pushcheck test CA"); err != nil {
		return err
	}
	a.leaf, err = a.issuer().certify(a.leafOf(2))
	return err
}

// newRoot makes a CA.
func newRoot(name string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: validFrom, NotAfter: validUntil,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	root, err := sign(c, c, key.Public(), key)
	return root, key, err
}

// leafOf is what the server's certificate says.
func (a *authority) leafOf(serial int64) *x509.Certificate {
	leaf := leafFor(serial, a.names)
	leaf.DNSNames = append([]string{"localhost"}, leaf.DNSNames...)
	leaf.IPAddresses = append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, leaf.IPAddresses...)
	return leaf
}

// leafFor is a certificate for names and addresses.
func leafFor(serial int64, names []string) *x509.Certificate {
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "pushcheck registry"},
		NotBefore: validFrom, NotAfter: validUntil,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	return leaf
}

// An issuer signs certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) issuer() issuer { return issuer{a.root, a.signer} }

// certify makes a key and its certificate; an issuer without a certificate lets it
// sign itself.
func (i issuer) certify(c *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	parent, signer := i.cert, i.key
	if parent == nil {
		parent, signer = c, key
	}
	cert, err := sign(c, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
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
	a.second = sync.OnceValues(func() (tls.Certificate, error) { return a.certified(a.leafOf(3)) })
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
