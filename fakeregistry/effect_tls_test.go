package fakeregistry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestTLSFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault  string
		want   string // words of the error; "" is an answer
		status int
		text   string
	}{
		{"tls-expired", "certificate has expired", 0, ""},
		{"tls-wrong-host", "doesn't contain any IP SANs", 0, ""},
		{"tls-wrong-host names=10.1.2.3", "certificate is valid for 10.1.2.3, not 127.0.0.1", 0, ""},
		{"tls-wrong-host names=127.0.0.1,other.test", "", 202, ""},
		{"tls-untrusted", "certificate signed by unknown authority", 0, ""},
		{"tls-untrusted kind=unknown-root", "certificate signed by unknown authority", 0, ""},
		{"tls-incomplete-chain", "certificate signed by unknown authority", 0, ""},
		{"tls-old", "protocol version", 0, ""},
		{"tls-old max=1.0", "protocol version", 0, ""},
		{"tls-stall for=5ms", "", 202, ""},
		{"tls-stall after=cert for=5ms", "", 202, ""},
		{"tls-plaintext", "server gave HTTP response to HTTPS client", 0, ""},
		{"tls-client-cert", "certificate required", 0, ""},
		{"tls-client-cert send=400", "", 400, "No required SSL certificate was sent"},
		{"tls-cut", "EOF", 0, ""},
		{"tls-cut after=100B", "unexpected EOF", 202, "xxx"},
		{"tls-alpn", "", 202, ""}, // who offers none is asked for none
	} {
		t.Run(row.fault, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(row.fault)
			s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, words[0], "", words[1:]...)}})
			got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil)
			switch {
			case got.Status != row.status || !strings.Contains(got.Body, row.text):
				t.Errorf("%d %.80q (%v), want %d %q", got.Status, got.Body, got.Err, row.status, row.text)
			case row.want != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), row.want)):
				t.Errorf("error %v, want %s", got.Err, row.want)
			case row.want == "" && got.Err != nil:
				t.Errorf("error %v", got.Err)
			}
			if len(s.Fired()) != 1 || len(s.Idle()) != 0 {
				t.Errorf("fired %+v", s.Fired())
			}
			plain := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, words[0], "", words[1:]...)}})
			if got := do(t, client(t, plain), http.MethodGet, plain.URL()+"/v2/", nil); got.Status != 202 || len(plain.Fired()) != 0 {
				t.Errorf("without TLS: %d %v, fired %+v", got.Status, got.Err, plain.Fired())
			}
		})
	}
}

func TestTruncationIsNoEndOfTLS(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, "tls-cut", "", "after=100B", "nth=2"), fault(t, "close", "", "side=response", "after=100B", "nth=1")}})
	last := map[byte]bool{}
	for range 2 {
		raw, err := s.Dial(t.Context(), "tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		below := &heard{Conn: raw}
		nc := tls.Client(below, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) //nolint:gosec // it is our own
		if _, err := io.WriteString(nc, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, nc)
		last[below.lastRecord()] = true
		_ = nc.Close()
	}
	if !last[21] || !last[23] {
		t.Errorf("the last records are of types %v; want an alert after close and data after tls-cut", last)
	}
}

func TestCertificatesRotate(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, "tls-rotates", "", "after=2")}})
	var seen []*x509.Certificate
	for range 4 {
		c := client(t, s)
		c.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = func(st tls.ConnectionState) error {
			seen = append(seen, st.PeerCertificates[0])
			return nil
		}
		if got := do(t, c, http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 {
			t.Fatalf("%d %v", got.Status, got.Err)
		}
	}
	if !seen[0].Equal(seen[1]) || !seen[2].Equal(seen[3]) || len(s.Fired()) != 2 {
		t.Errorf("fired %+v; want one certificate before the change and one after it", s.Fired())
	}
	if seen[1].SerialNumber.Cmp(seen[2].SerialNumber) == 0 || seen[1].Equal(seen[2]) {
		t.Errorf("the certificate of number %d stays; want another one from the third connection on", seen[1].SerialNumber)
	}
}

func TestALPN(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ offer, got, refused string }{
		{"h2", "h2", "http/1.1"}, {"http/1.1", "http/1.1", "h2"}, {"none", "", ""},
	} {
		s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, "tls-alpn", "", "offer="+row.offer)}})
		agreed := func(offers ...string) (string, error) {
			raw, err := s.Dial(t.Context(), "tcp", s.Host())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			nc := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: offers}) //nolint:gosec // it is our own
			err = nc.HandshakeContext(t.Context())
			return nc.ConnectionState().NegotiatedProtocol, err
		}
		if got, err := agreed("h2", "http/1.1"); err != nil || got != row.got {
			t.Errorf("%s: agreed on %q, %v", row.offer, got, err)
		}
		if row.refused != "" {
			if got, err := agreed(row.refused); err == nil || !strings.Contains(err.Error(), "no application protocol") {
				t.Errorf("%s: with %s alone agreed on %q, %v", row.offer, row.refused, got, err)
			}
		}
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, send := range []string{"alert", "400"} {
		s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, "tls-client-cert", "", "send="+send)}})
		c := client(t, s)
		c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
		}
		if got := do(t, c, http.MethodGet, s.URL()+"/v2/", nil); got.Err == nil || !strings.Contains(got.Err.Error(), "remote error: tls: ") {
			t.Errorf("%s: a certificate of nobody's got %d %v, want an alert", send, got.Status, got.Err)
		}
	}
}

func TestHandshakesThatStandStill(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"hello", "cert"} {
		v := clock.NewVirtual(time.Time{})
		done := v.Work()
		s := start(t, fakeregistry.Config{TLS: true, Clock: v, Faults: []fakeregistry.Fault{fault(t, "tls-stall", "", "after="+after)}})
		rec := wire.NewRecorder(v, nil)
		raw, err := rec.Dial(s.Dial)(t.Context(), "tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := v.WithTimeout(t.Context(), 10*time.Second)
		below := &heard{Conn: raw}
		err = tls.Client(below, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) //nolint:gosec // it is our own
		if !errors.Is(ctx.Err(), err) && err == nil || v.Now().Sub(clock.Epoch) != 10*time.Second {
			t.Errorf("after %s: %v at +%v", after, err, v.Now().Sub(clock.Epoch))
		}
		if (len(below.bytes) > 0) != (after == "cert") {
			t.Errorf("after %s: %d bytes of the handshake came", after, len(below.bytes))
		}
		_ = raw.Close()
		cancel()
		done()
	}
}
