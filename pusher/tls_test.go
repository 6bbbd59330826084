package pusher

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A pair is a self-signed certificate of 127.0.0.1 and its key, as PEM.
type pair struct{ cert, key []byte }

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
}

// certsDir is a certs.d with these files for one host.
func certsDir(t *testing.T, host string, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, host), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, host, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTLS(t *testing.T) { //nolint:tparallel // its cases share what the registry saw
	t.Parallel()
	server, client := newPair(t), newPair(t)
	own, err := tls.X509KeyPair(server.cert, server.key)
	if err != nil {
		t.Fatal(err)
	}
	var shown, version int
	g := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, version = len(r.TLS.PeerCertificates), r.ProtoMajor
		w.Header().Set(versionHeader, "registry/2.0")
	}))
	g.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert}
	g.EnableHTTP2 = true
	g.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.StartTLS()
	t.Cleanup(g.Close)
	host := g.Listener.Addr().String()
	const unknown = ": tls: failed to verify certificate: x509: certificate signed by unknown authority"

	tests := []struct {
		name     string
		insecure bool
		files    map[string][]byte
		shown    int // client certificates that the registry saw
		err      string
	}{
		{name: "insecure", insecure: true},
		{name: "insecure: the directory is not read", insecure: true, files: map[string][]byte{"c.cert": client.cert, "d.key": nil}},
		{name: "nothing trusts it", err: unknown},
		{name: "the root is there", files: map[string][]byte{"ca.crt": server.cert}},
		{name: "another root is there", files: map[string][]byte{"ca.crt": client.cert}, err: unknown},
		{name: "a client certificate", files: map[string][]byte{"ca.crt": server.cert, "c.cert": client.cert, "c.key": client.key, "readme": nil}, shown: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := Config{CertsDir: certsDir(t, host, tt.files)}
			if !tt.insecure {
				config.Secure = []string{host}
			}
			c := newTestClient(t, config)
			targets, err := c.targets(t.Context(), Name{Index: host})
			if err != nil {
				t.Fatal(err)
			}
			rt, links := c.transport(targets[0].tls, nil)
			defer links.release()
			_, err = ping(t.Context(), &Job{Era: Docker18(), Endpoint: targets[0].Endpoint, Clock: c.config.Clock, Transport: rt})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if err == nil && (shown != tt.shown || version != 1) {
				t.Errorf("%d client certificates over HTTP/%d, want %d over HTTP/1", shown, version, tt.shown)
			}
		})
	}
}

func TestCertsErrors(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tests := map[string]map[string][]byte{
		"Missing key c.key for certificate c.cert": {"c.cert": p.cert},
		"Missing certificate c.cert for key c.key": {"c.key": p.key},
	}
	for want, files := range tests {
		c := newTestClient(t, Config{CertsDir: certsDir(t, "registry.example", files)})
		var told int
		_, err := c.Push(t.Context(), "registry.example/a", "t", Options{Progress: func(Event) { told++ }})
		if err == nil || err.Error() != want || told > 0 {
			t.Errorf("%v, want %s before anything is told (%d)", err, want, told)
		}
	}
}

// TestHandshakeTimeout: a registry that accepts and says nothing ends a TLS
// handshake with net/http's own words.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	virtual := clock.NewVirtual(time.Time{})
	defer virtual.Work()()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // nothing was written
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			_ = virtual.Hold(t.Context(), conn.RemoteAddr().String(), -1)
		}
	}()
	c := newTestClient(t, Config{Clock: virtual})
	rt, links := c.transport(&tls.Config{InsecureSkipVerify: true}, nil) //nolint:gosec // nobody answers
	defer links.release()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = rt.RoundTrip(req); err == nil || err.Error() != "net/http: TLS handshake timeout" { //nolint:bodyclose // there is none
		t.Errorf("error %v", err)
	}
}
