package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A pair is a client and a server, each with a recorder.
type pair struct {
	client    *http.Client
	transport *http.Transport
	url       string
	sent, got *wire.Recorder // client's side, server's side
	stop      func()         // ends the server, after which got is complete
}

func startPair(t *testing.T, h http.HandlerFunc) *pair {
	t.Helper()
	return startPairAs(t, h, (*httptest.Server).Start)
}

func startPairAs(t *testing.T, h http.HandlerFunc, start func(*httptest.Server)) *pair {
	t.Helper()
	p := &pair{sent: wire.NewRecorder(clock.Real(), nil), got: wire.NewRecorder(clock.Real(), nil)}
	srv := httptest.NewUnstartedServer(p.got.Handler(h))
	srv.Config.ConnContext = p.got.ConnContext
	start(srv)
	p.transport = &http.Transport{DialContext: p.sent.Dial((&net.Dialer{}).DialContext), DisableCompression: true}
	if srv.TLS != nil {
		p.transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		p.transport.ForceAttemptHTTP2 = srv.EnableHTTP2
	}
	p.client = &http.Client{Transport: p.sent.Transport(p.transport)}
	p.url = srv.URL
	p.stop = sync.OnceFunc(func() {
		p.transport.CloseIdleConnections()
		srv.Close()
		if err := p.got.Settle(context.Background()); err != nil { // srv does not wait for who hijacked
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

func (p *pair) do(t *testing.T, method, target string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(d[:])
}

func TestBothSidesMeasureBodiesWithoutHoldingThem(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"errors":[]}`)
	})
	layer := strings.Repeat("layer ", 100_000)
	p.do(t, http.MethodPatch, "/v2/lib/app/blobs/uploads/u1", io.MultiReader(strings.NewReader(layer)), "Content-Type", "application/octet-stream")
	p.stop()
	for side, trace := range map[string]wire.Trace{"client": p.sent.Trace(), "server": p.got.Trace()} {
		if len(trace) != 1 {
			t.Fatalf("%s recorded %d exchanges, want 1", side, len(trace))
		}
		e := trace[0]
		if e.Route.Op != wire.OpUploadPatch || e.Response.Status != http.StatusAccepted || e.Conn != 1 || e.Open || e.Failure != wire.FailureNone {
			t.Errorf("%s: recorded %+v", side, e)
		}
		if b := e.Request.Body; b.Length != int64(len(layer)) || string(b.Digest) != sum(layer) || b.Head != nil || b.Cut {
			t.Errorf("%s: request body %d bytes %s, head %d bytes, cut %v", side, b.Length, b.Digest, len(b.Head), b.Cut)
		}
		if b := e.Response.Body; string(b.Head) != `{"errors":[]}` || string(b.Digest) != sum(`{"errors":[]}`) || b.Cut {
			t.Errorf("%s: response body %q %s, cut %v", side, b.Head, b.Digest, b.Cut)
		}
	}
	if c, s := p.sent.Trace()[0].Link, p.got.Trace()[0].Link; c != s || c == "" {
		t.Errorf("the client calls the link %q, the server %q", c, s)
	}
}

func TestOnlyTheHeadOfATextIsKept(t *testing.T) {
	t.Parallel()
	long := []byte("{" + strings.Repeat(" ", 3*wire.HeadLimit) + "}")
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	p.do(t, http.MethodPut, "/v2/lib/app/manifests/latest", bytes.NewReader(long))
	b := p.sent.Trace()[0].Request.Body
	if len(b.Head) != wire.HeadLimit || b.Length != int64(len(long)) {
		t.Errorf("kept %d of %d bytes, want %d of %d", len(b.Head), b.Length, wire.HeadLimit, len(long))
	}
}
