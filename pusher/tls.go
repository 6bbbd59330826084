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
		base := strings.TrimSuffix(name, filepath.Ext(name))
		switch filepath.Ext(name) {
		case ".crt":
			pem, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			if conf.RootCAs == nil {
				conf.RootCAs = x509.NewCertPool()
			}
			conf.RootCAs.AppendCertsFromPEM(pem)
		case ".cert":
			if !slices.Contains(names, base+".key") {
				return fmt.Errorf("Missing key %s for certificate %s", base+".key", name) //nolint:staticcheck,revive // docker's words
			}
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name), filepath.Join(dir, base+".key"))
			if err != nil {
				return err
			}
			conf.Certificates = append(conf.Certificates, pair)
		case ".key":
			if !slices.Contains(names, base+".cert") {
				return fmt.Errorf("Missing certificate %s for key %s", base+".cert", name) //nolint:staticcheck,revive // docker's words
			}
		}
	}
	return nil
}
