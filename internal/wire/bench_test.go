package wire_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// BenchmarkExchange is a small exchange over loopback, without a recorder and
// with one on either side or both.
func BenchmarkExchange(b *testing.B) {
	for _, c := range []struct {
		name           string
		client, server bool
	}{{"plain", false, false}, {"client", true, false}, {"server", false, true}, {"both", true, true}} {
		b.Run(c.name, func(b *testing.B) { benchmarkExchange(b, c.client, c.server) })
	}
}

func benchmarkExchange(b *testing.B, client, server bool) {
	b.Helper()
	var sent, got *wire.Recorder
	if client {
		sent = wire.NewRecorder(clock.Real(), nil)
		sent.KeepLast(100)
	}
	if server {
		got = wire.NewRecorder(clock.Real(), nil)
		got.KeepLast(100)
	}
	srv := httptest.NewUnstartedServer(got.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		w.WriteHeader(http.StatusCreated)
	})))
	srv.Config.ConnContext = got.ConnContext
	srv.Start()
	defer srv.Close()
	tr := &http.Transport{DialContext: sent.Dial((&net.Dialer{}).DialContext), DisableCompression: true}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: sent.Transport(tr)}
	manifest := `{"schemaVersion":2,"layers":[` + strings.Repeat(" ", 900) + `]}`
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPut, srv.URL+"/v2/lib/app/manifests/latest", strings.NewReader(manifest))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer token")
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// BenchmarkBody is the recorder's cost for a byte of a large body.
func BenchmarkBody(b *testing.B) {
	rec := wire.NewRecorder(clock.Real(), nil)
	rec.KeepLast(10)
	chunk := make([]byte, 64<<10)
	h := rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, len(chunk))
		for b.Loop() {
			if _, err := r.Body.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}))
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPatch, "/v2/a/blobs/uploads/u", zeros{}))
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// BenchmarkScrub is what the text form of a push costs.
func BenchmarkScrub(b *testing.B) {
	e := wire.Exchange{
		Seq: 1, Link: "127.0.0.1:40000",
		Request:  wire.Request{Method: "PATCH", Scheme: "http", Host: "127.0.0.1:5000", Target: "/v2/a/blobs/uploads/6f1c1a1e-77aa?_state=x", Header: http.Header{"Authorization": {"Bearer eyJhbGciOiJFUzI1NiJ9"}, "User-Agent": {"docker/1.8.3"}}},
		Response: wire.Response{Status: 202, Header: http.Header{"Location": {"http://127.0.0.1:5000/v2/a/blobs/uploads/6f1c1a1e-77aa?_state=x"}, "Date": {"x"}}},
	}
	trace := make(wire.Trace, 100)
	for i := range trace {
		trace[i] = e
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = wire.FormatTrace(trace, "correct-horse-battery")
	}
}
