package pusher

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tlsConfig is how to speak TLS to a registry: without verification when it is
// insecure, with what its certs.d directory holds otherwise (P-057). A host of
// "" has no directory.
//
// Errors: docker's, in its words.
func (c *Client) tlsConfig(host string, insecure bool) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS10, InsecureSkipVerify: insecure} //nolint:gosec // what docker 1.8 does
	if insecure || host == "" || c.config.CertsDir == "" {
		return conf, nil
	}
	if err := readCerts(conf, filepath.Join(c.config.CertsDir, host)); err != nil {
		return nil, err
	}
	return conf, nil
}

// readCerts adds a directory's *.crt as the only roots and its *.cert with
// *.key as client certificates. A directory that is not there is empty.
func readCerts(conf *tls.Config, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, name := range names {
		switch filepath.Ext(name) {
		case ".crt":
			err = addRoot(conf, filepath.Join(dir, name))
		case ".cert", ".key":
			err = addPair(conf, dir, name, names)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addRoot makes a certificate one of the roots; the system's no longer count.
func addRoot(conf *tls.Config, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if conf.RootCAs == nil {
		conf.RootCAs = x509.NewCertPool()
	}
	conf.RootCAs.AppendCertsFromPEM(pem)
	return nil
}

// addPair adds a client certificate with its key, which must be among the names
// of the directory; a key is only looked at for whether its certificate is.
func addPair(conf *tls.Config, dir, name string, names []string) error {
	base := strings.TrimSuffix(name, filepath.Ext(name))
	cert, key := base+".cert", base+".key"
	if name == key {
		if !slices.Contains(names, cert) {
			return fmt.Errorf("Missing certificate %s for key %s", cert, key) //nolint:staticcheck,revive // docker's words
		}
		return nil
	}
	if !slices.Contains(names, key) {
		return fmt.Errorf("Missing key %s for certificate %s", key, cert) //nolint:staticcheck,revive // docker's words
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, cert), filepath.Join(dir, key))
	if err != nil {
		return err
	}
	conf.Certificates = append(conf.Certificates, pair)
	return nil
}
