package fakeregistry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A handler is a registry of one function, without a storage.
type handler func(w http.ResponseWriter, r *http.Request)

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h(w, r) }
func (handler) Storage() *fakeregistry.Storage                     { return nil }
func (handler) Close() error                                       { return nil }

// echo reads what it is sent and answers 202 with its length.
func echo(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h := w.Header()
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	h.Set("Location", "http://"+r.Host+"/v2/lib/app/blobs/uploads/abc?_state=xyz")
	if n > 0 {
		h.Set("Range", "0-"+strconv.FormatInt(n-1, 10))
	}
	w.WriteHeader(http.StatusAccepted)
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, strings.Repeat("x", 4096))
	}
}

// start starts a server and closes it when the test ends.
func start(t testing.TB, c fakeregistry.Config) *fakeregistry.Server {
	t.Helper()
	if c.Registry == nil {
		c.Registry = handler(echo)
	}
	s, err := fakeregistry.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client opens a connection per request, so that net/http repeats nothing.
func client(t testing.TB, s *fakeregistry.Server) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: s.Dial}
	if ca := s.CA(); ca != nil {
		pool := x509.NewCertPool()
		pool.AddCert(ca)
		tr.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An outcome is what a client saw of one request.
type outcome struct {
	Status int
	Body   string
	Header http.Header
	Err    error
}

// do makes one request, which must end.
func do(t testing.TB, c *http.Client, method, url string, body io.Reader) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return outcome{Err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return outcome{Status: resp.StatusCode, Body: string(b), Header: resp.Header, Err: err}
}

// fault makes a fault of the catalogue.
func fault(t testing.TB, name, where string, settings ...string) fakeregistry.Fault {
	t.Helper()
	f, err := fakeregistry.NewFault(name, where, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestServerServesItsRegistryAndRecordsWhatItSaw(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := start(t, fakeregistry.Config{TLS: secure, Names: []string{"registry.test"}})
		got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil)
		if got.Err != nil || got.Status != http.StatusAccepted {
			t.Fatalf("TLS %v: GET /v2/ gave %d, %v", secure, got.Status, got.Err)
		}
		scheme := strings.SplitN(s.URL(), ":", 2)[0]
		if got := do(t, client(t, s), http.MethodGet, scheme+"://registry.test/v2/", nil); got.Err != nil {
			t.Errorf("TLS %v: by name: %v", secure, got.Err)
		}
		_, port, _ := net.SplitHostPort(s.Host())
		if got := do(t, client(t, s), http.MethodGet, scheme+"://localhost:"+port+"/v2/", nil); got.Err != nil {
			t.Errorf("TLS %v: as localhost: %v", secure, got.Err)
		}
		if n := len(s.Trace()); n != 3 {
			t.Errorf("TLS %v: the trace has %d exchanges, want 3", secure, n)
		}
		if (s.CA() != nil) != secure || (len(s.CAPEM()) > 0) != secure {
			t.Errorf("TLS %v: CA is %v", secure, s.CA() != nil)
		}
	}
}

func TestStartRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	bad := fault(t, "reset", "upload.patch")
	bad.Source = "a.yaml:9:5"
	bad.When.Per = "layer"
	for name, row := range map[string]struct {
		config fakeregistry.Config
		want   string
	}{
		"no registry":      {fakeregistry.Config{}, "Registry is nil"},
		"other machines":   {fakeregistry.Config{Registry: handler(echo), Listen: ":0"}, "other machines could reach"},
		"no address":       {fakeregistry.Config{Registry: handler(echo), Listen: "here"}, "is not an address"},
		"trigger":          {fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{bad}}, `a.yaml:9:5: fault reset: per: "layer" is not one of`},
		"no effect":        {fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{{Name: "x"}}}, "fault x: it has no effect"},
		"event":            {fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{fault(t, "respond", "event")}}, "it strikes requests, not events"},
		"not a connection": {fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{fault(t, "refuse", "ping")}}, "want connect as its place"},
	} {
		s, err := fakeregistry.Start(row.config)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: started", name)
			continue
		}
		if !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error is %q, want it to contain %q", name, err, row.want)
		}
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s, err := fakeregistry.Start(fakeregistry.Config{
		Registry: handler(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		}),
		Faults: []fakeregistry.Fault{fault(t, "stall", "manifest.get", "side=response"), fault(t, "accept-stall", "connect", "nth=3")},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 3)
	get := func(path string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}
	go get("/v2/")
	<-entered
	idle, err := net.Dial("tcp", s.Host()) // a client that says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	go get("/v2/lib/app/manifests/v1")
	for len(s.Fired()) < 1 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a request that hung was answered")
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestDialToAServerThatRestartsIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{})
	s.Restart(time.Hour)
	_, err := s.Dial(t.Context(), "tcp", s.Host())
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: %v, want connection refused", err)
	}
	if want := "dial tcp " + s.Host() + ": connect: connection refused"; err != nil && err.Error() != want {
		t.Errorf("Dial says %q, want %q", err, want)
	}
	if _, err := net.Dial("tcp", s.Host()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("from outside: %v, want connection refused", err)
	}
}

func TestAServerComesBackFromARestart(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{})
	s.Restart(time.Millisecond)
	for deadline := time.Now().Add(5 * time.Second); ; {
		got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil)
		if got.Err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(got.Err)
		}
	}
}

func TestObserveSeesEachExchange(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 4)
	s := start(t, fakeregistry.Config{Observe: func(e fakeregistry.Exchange) {
		seen <- string(e.Route.Op) + " " + e.Answer() + " " + e.Fault
	}, Faults: []fakeregistry.Fault{fault(t, "respond", "ping", "status=503", "times=1")}})
	for range 2 {
		do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil)
	}
	got := []string{<-seen, <-seen}
	if diff := cmp.Diff([]string{"ping 503 respond", "ping 202 "}, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// waitFor waits for what happens by itself very soon.
func waitFor(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
