package fakeregistry_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// foreign is a client that does not dial through the server.
func foreign(t testing.TB) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestRefuseStrikesOnceHoweverTheClientDials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(s *fakeregistry.Server) *http.Client{
		"through Dial": func(s *fakeregistry.Server) *http.Client { return client(t, s) },
		"past it":      func(*fakeregistry.Server) *http.Client { return foreign(t) },
	} {
		s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "refuse", "", "nth=2")}})
		var got []string
		for range 3 {
			o := do(t, c(s), http.MethodGet, s.URL()+"/v2/", nil)
			switch {
			case errors.Is(o.Err, syscall.ECONNREFUSED):
				got = append(got, "refused")
			case errors.Is(o.Err, syscall.ECONNRESET) || errors.Is(o.Err, io.EOF):
				got = append(got, "broken")
			default:
				got = append(got, fmt.Sprint(o.Status))
			}
		}
		want := "202 refused 202"
		if name == "past it" {
			want = "202 broken 202"
		}
		if strings.Join(got, " ") != want || len(s.Fired()) != 1 {
			t.Errorf("%s: %v, want %s; fired %+v", name, got, want, s.Fired())
		}
	}
}

func TestRefuseCountsBothKindsOfClientsTogether(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "refuse", "", "every=2", "optional=true")}})
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil) })
		wait.Go(func() { do(t, foreign(t), http.MethodGet, s.URL()+"/v2/", nil) })
	}
	wait.Wait()
	if n := len(s.Fired()); n != 20 {
		t.Errorf("%d of 40 connections were refused, want every second", n)
	}
}

func TestNamesThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Names: []string{"registry.test"}, Faults: []fakeregistry.Fault{
		fault(t, "dns-nxdomain", "", "nth=1"), fault(t, "dns-servfail", "", "host=other.test"),
	}})
	for _, row := range []struct{ addr, want string }{
		{"registry.test:5000", "dial tcp: lookup registry.test: no such host"},
		{"other.test:5000", "dial tcp: lookup other.test: server misbehaving"},
	} {
		_, err := s.Dial(t.Context(), "tcp", row.addr)
		var dns *net.DNSError
		if !errors.As(err, &dns) || err.Error() != row.want {
			t.Errorf("%s: %v, want %s", row.addr, err, row.want)
		}
	}
	nc, err := s.Dial(t.Context(), "tcp", "registry.test:5000")
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	if nc, err = s.Dial(t.Context(), "tcp", s.Host()); err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
}

func TestTLSConnectionsAreResetAndClosedBelowTLS(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{
		fault(t, "reset", "ping", "nth=1"), fault(t, "close", "ping", "nth=2"), fault(t, "reset", "ping", "nth=3", "side=response", "after=1KiB"),
		fault(t, "garbage", "ping", "nth=4"),
	}})
	c := client(t, s)
	for i, check := range []func(o outcome) bool{
		func(o outcome) bool { return errors.Is(o.Err, syscall.ECONNRESET) },
		func(o outcome) bool { return errors.Is(o.Err, io.EOF) },
		func(o outcome) bool {
			return o.Status == 202 && errors.Is(o.Err, syscall.ECONNRESET) && len(o.Body) >= 1024
		},
		func(o outcome) bool { return o.Err != nil && strings.Contains(o.Err.Error(), "malformed HTTP") },
		func(o outcome) bool { return o.Err == nil && o.Status == 202 },
	} {
		if o := do(t, c, http.MethodGet, s.URL()+"/v2/", nil); !check(o) {
			t.Errorf("request %d: %d %v", i+1, o.Status, o.Err)
		}
	}
}

func TestCloseIsNoResetHoweverMuchTheClientSends(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := start(t, fakeregistry.Config{TLS: secure, Faults: []fakeregistry.Fault{fault(t, "close", "upload.patch", "after=1KiB")}})
		nc, err := net.Dial("tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		below := &heard{Conn: nc}
		if secure {
			nc = tls.Client(below, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) //nolint:gosec // it is our own
		}
		head := "PATCH /v2/lib/app/blobs/uploads/abc HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n"
		if _, err := io.WriteString(nc, head+strings.Repeat("x", 8<<20)); err != nil {
			t.Errorf("TLS %v: writing: %v", secure, err)
		}
		if n, err := nc.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // exactly that
			t.Errorf("TLS %v: reading: %d %v, want EOF", secure, n, err)
		}
		if last := below.lastRecord(); secure && last != 21 {
			t.Errorf("the last TLS record is of type %d, want an alert: TLS was not closed", last)
		}
	}
}

// heard keeps what was read.
type heard struct {
	net.Conn
	bytes []byte
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.bytes = append(h.bytes, p[:n]...)
	return n, err
}

// lastRecord is the type of the last TLS record.
func (h *heard) lastRecord() byte {
	last := byte(0)
	for rest := h.bytes; len(rest) >= 5; {
		last = rest[0]
		size := 5 + int(rest[3])<<8 + int(rest[4])
		rest = rest[min(size, len(rest)):]
	}
	return last
}

func TestRestartEndsConnections(t *testing.T) {
	t.Parallel()
	v := virtual(t)
	s := start(t, fakeregistry.Config{Clock: v})
	before, err := net.Dial("tcp", s.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if got := do(t, timed(t, v, s), http.MethodGet, s.URL()+"/v2/", nil); got.Err != nil { // it is accepted by now
		t.Fatal(got.Err)
	}
	s.Restart(time.Minute)
	if _, err := before.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the restart")
	}
	if got := do(t, foreign(t), http.MethodGet, s.URL()+"/v2/", nil); got.Err == nil {
		t.Errorf("while it is down a client past Dial got %d", got.Status)
	}
}

func TestFaultsOfTheServersConnectionsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	other := start(t, fakeregistry.Config{})
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "refuse", "", "nth=1")}})
	nc, err := s.Dial(t.Context(), "tcp", other.Host())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	if _, err := s.Dial(t.Context(), "tcp", s.Host()); err == nil {
		t.Error("the server's own connection was not refused")
	}
}

func TestNothingIsLeftBehind(t *testing.T) { // not parallel: it counts goroutines
	before := runtime.NumGoroutine()
	for _, secure := range []bool{false, true} {
		s, err := fakeregistry.Start(fakeregistry.Config{
			Registry: handler(echo), TLS: secure, Guard: &fakeregistry.Bearer{Own: true},
			Faults: []fakeregistry.Fault{
				fault(t, "lazy-auth", ""), fault(t, "accept-stall", "", "nth=2"),
				fault(t, "stall", "ping", "nth=2", "side=response"), fault(t, "close", "ping", "nth=3"),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{DialContext: s.Dial, TLSClientConfig: client(t, s).Transport.(*http.Transport).TLSClientConfig}
		c := &http.Client{Transport: tr}
		do(t, c, http.MethodGet, s.URL()+"/v2/", nil)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				req, _ := http.NewRequest(http.MethodGet, s.URL()+"/v2/", nil)
				if resp, err := c.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
		idle, err := net.Dial("tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "something to hang", func() bool { return len(s.Fired()) >= 3 })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
		tr.CloseIdleConnections()
		_ = idle.Close()
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestHostileClients(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{})
	for name, sent := range map[string]string{
		"headers without end": "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 200<<10),
		"no HTTP":             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 64) + "\r\n\r\n",
		"two lengths":         "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"bad chunk":           "PATCH /v2/a/blobs/uploads/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		nc, err := net.Dial("tcp", s.Host())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(nc, sent) }()
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			if errors.Is(err, syscall.ECONNRESET) && name == "headers without end" {
				continue // the answer can be lost when the client does not stop sending
			}
			t.Errorf("%s: %v", name, err)
			continue
		}
		if resp.StatusCode < 400 || resp.StatusCode > 499 {
			t.Errorf("%s: %d, want the client to be at fault", name, resp.StatusCode)
		}
		_ = resp.Body.Close()
		_ = nc.Close()
	}
	if got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 {
		t.Errorf("after that: %d %v", got.Status, got.Err)
	}
}
