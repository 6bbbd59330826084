package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestFaultsAreMarkedOnTheExchangeTheyStruck(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		wire.MarkFault(r.Context(), "delay")
		wire.MarkFault(r.Context(), "commit-lost")
		wire.MarkFault(r.Context(), "delay")
		wire.MarkAnswer(r.Context(), http.StatusCreated, http.Header{"Location": {"/x"}})
		wire.MarkFailure(r.Context(), wire.FailureReset, "after the commit")
		hijack(w, "", true)
	})
	if resp, err := p.client.Get(p.url + "/v2/"); err == nil {
		_ = resp.Body.Close()
		t.Fatal("it answered")
	}
	p.stop()
	e := p.got.Trace()[0]
	if e.Fault != "delay,commit-lost" || e.Response.Status != 201 || e.Response.Header.Get("Location") != "/x" || e.Failure != wire.FailureReset || e.Err != "after the commit" {
		t.Errorf("recorded %+v", e)
	}
	if got := wire.Join(p.sent.Trace(), p.got.Trace())[0].Fault; got != "delay,commit-lost" {
		t.Errorf("the client's side has the faults %q after Join", got)
	}
	wire.MarkFault(t.Context(), "nobody's") // does nothing
}

func TestAFaultBelowHTTPIsMarkedByItsLink(t *testing.T) {
	t.Parallel()
	var got *wire.Recorder
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) { got.MarkLink(r.RemoteAddr, "during") })
	got = p.got
	p.transport.DialContext = p.sent.Dial(func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			p.got.MarkLink(nc.LocalAddr().String(), "before") // no request yet
			wire.MarkFault(ctx, "dial")
		}
		return nc, err
	})
	p.do(t, http.MethodGet, "/v2/", nil)
	p.do(t, http.MethodGet, "/v2/", nil)
	p.stop()
	trace := p.got.Trace()
	if trace[0].Fault != "before,during" || trace[1].Fault != "during" {
		t.Errorf("the server's side has the faults %q and %q", trace[0].Fault, trace[1].Fault)
	}
	if e := p.sent.Trace()[0]; e.Fault != "dial" {
		t.Errorf("the client's side has the fault %q", e.Fault)
	}
}

func TestNotifyHearsOfEachExchangeOnceOneAtATime(t *testing.T) {
	t.Parallel()
	var inside, calls atomic.Int32
	var rec *wire.Recorder
	seen := map[int]bool{} // safe only if calls do not overlap
	rec = wire.NewRecorder(clock.Real(), func(e wire.Exchange) {
		if inside.Add(1) != 1 {
			t.Error("two calls at once")
		}
		if e.Open || seen[e.Seq] {
			t.Errorf("told of #%d, open %v, before: %v", e.Seq, e.Open, seen[e.Seq])
		}
		seen[e.Seq] = true
		_ = rec.Trace()
		calls.Add(1)
		inside.Add(-1)
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "pong") }))
	defer srv.Close()
	tr := &http.Transport{DialContext: rec.Dial((&net.Dialer{}).DialContext)}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: rec.Transport(tr)}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				resp, err := client.Get(srv.URL + "/v2/")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			rec.Event("a worker is done")
		})
	}
	wg.Wait()
	if calls.Load() != 88 {
		t.Errorf("told of %d exchanges, want 88", calls.Load())
	}
	for i, e := range rec.Trace() {
		if e.Seq != i+1 {
			t.Errorf("the exchange in place %d is #%d", i+1, e.Seq)
		}
	}
}

func TestAnExchangeUnderWayIsInTheTrace(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}), make(chan struct{})
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "some")
		_ = http.NewResponseController(w).Flush() // streams: the client sees it while the handler runs
		close(arrived)
		<-leave
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, p.url+"/v2/a/blobs/uploads/u", strings.NewReader("layer"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	<-arrived
	for _, trace := range []wire.Trace{p.sent.Trace(), p.got.Trace()} {
		e := trace[0]
		if !e.Open || e.Response.Status != 202 || e.Request.Body.Length != 5 || string(e.Request.Body.Digest) != sum("layer") || string(e.Response.Body.Digest) != sum("some") {
			t.Errorf("recorded %+v", e)
		}
	}
	close(leave)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	p.stop()
	for _, trace := range []wire.Trace{p.sent.Trace(), p.got.Trace()} {
		if trace[0].Open {
			t.Error("it is still open")
		}
	}
}

func TestABodyThatIsNotReadToItsEndIsCut(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = io.ReadFull(r.Body, make([]byte, 3))
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		fmt.Fprint(w, strings.Repeat("answer", 10_000))
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.url+"/v2/a/manifests/b", strings.NewReader("{manifest}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(resp.Body, make([]byte, 6))
	_ = resp.Body.Close()
	p.stop()
	sent, got := p.sent.Trace()[0], p.got.Trace()[0]
	if sent.Request.Body.Cut || !got.Request.Body.Cut || got.Request.Body.Length != 3 {
		t.Errorf("request body: cut %v at the client, %v after %d bytes at the server", sent.Request.Body.Cut, got.Request.Body.Cut, got.Request.Body.Length)
	}
	if !sent.Response.Body.Cut || got.Response.Body.Cut || sent.Failure != wire.FailureNone {
		t.Errorf("response body: cut %v at the client, %v at the server, failure %v", sent.Response.Body.Cut, got.Response.Body.Cut, sent.Failure)
	}
}

func TestTheRecorderForgetsWhatItNeedNotKeep(t *testing.T) {
	t.Parallel()
	rec := wire.NewRecorder(clock.Real(), nil)
	rec.KeepLast(3)
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() { // stays open
		defer close(done)
		rec.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v2/", nil))
	}()
	<-entered
	defer func() { close(leave); <-done }()
	for i := range 100 {
		rec.Event(fmt.Sprint(i))
	}
	trace := rec.Trace()
	if !trace[0].Open || trace[0].Seq != 1 {
		t.Errorf("what is under way was forgotten: the first is %+v", trace[0])
	}
	if len(trace) > 7 || trace[len(trace)-1].Event() != "99" || trace[len(trace)-1].Seq != 101 {
		t.Errorf("kept %d exchanges, the last %+v", len(trace), trace[len(trace)-1])
	}
}

func TestNoRecorderRecordsNothing(t *testing.T) {
	t.Parallel()
	var rec *wire.Recorder
	h := http.NotFoundHandler()
	tr := &http.Transport{}
	if rec.Transport(tr) != http.RoundTripper(tr) || rec.Dial(nil) != nil || fmt.Sprintf("%p", rec.Handler(h)) != fmt.Sprintf("%p", h) {
		t.Error("a nil recorder wraps what it is given")
	}
	rec.Event("x")
	rec.MarkLink("x", "y")
	rec.KeepLast(1)
	if ctx := rec.ConnContext(t.Context(), nil); ctx != t.Context() {
		t.Error("a nil recorder changes contexts")
	}
	if rec.Trace() != nil {
		t.Error("a nil recorder has a trace")
	}
}

func TestWhatIsRecordedIsNotShared(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Accept", "changed by the handler")
		w.Header().Set("X-Answer", "first")
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Answer", "too late")
	})
	resp, _ := p.do(t, http.MethodGet, "/v2/", nil, "Accept", "original")
	resp.Header.Set("X-Answer", "changed by the client")
	resp.Request.Header.Set("Accept", "changed by the client")
	p.stop()
	for _, rec := range []*wire.Recorder{p.sent, p.got} {
		rec.Trace()[0].Request.Header.Set("Accept", "changed in a copy")
		e := rec.Trace()[0]
		if e.Request.Header.Get("Accept") != "original" || e.Response.Header.Get("X-Answer") != "first" {
			t.Errorf("recorded %v and %v", e.Request.Header, e.Response.Header)
		}
	}
}

func TestARequestIsNotChangedByItsRecording(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	body := io.NopCloser(strings.NewReader("{}"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.url+"/v2/a/manifests/b", body)
	if err != nil {
		t.Fatal(err)
	}
	before := *req
	resp, err := p.client.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if req.Body != before.Body || req.Context() != before.Context() || len(req.Header) != 0 || resp.Request != req {
		t.Errorf("the request became %+v", req)
	}
}

func TestConnectionsThatReuseAPortAreTwo(t *testing.T) {
	t.Parallel()
	rec := wire.NewRecorder(clock.Real(), nil)
	h := rec.Handler(http.NotFoundHandler())
	serve := func(ctx context.Context) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/v2/", nil))
	}
	first, second := rec.ConnContext(t.Context(), fakeConn{}), rec.ConnContext(t.Context(), fakeConn{})
	for _, ctx := range []context.Context{first, first, second, t.Context(), t.Context()} { // the last two by their address
		serve(ctx)
	}
	var got []int
	for _, e := range rec.Trace() {
		got = append(got, e.Conn)
	}
	if fmt.Sprint(got) != "[1 1 2 3 3]" {
		t.Errorf("connections are numbered %v, want [1 1 2 3 3]", got)
	}
}

type fakeConn struct{ net.Conn }

func (fakeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234} }

func TestInterimAnswersAreNotTheAnswer(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
	})
	p.do(t, http.MethodPut, "/v2/a/manifests/b", strings.NewReader("{}"))
	p.stop()
	if e := p.got.Trace()[0]; e.Response.Status != http.StatusCreated {
		t.Errorf("recorded %d, want 201", e.Response.Status)
	}
}

// A small body goes out in one piece with its header, as without a recorder.
func TestRecordingDoesNotSplitSmallRequests(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	var writes atomic.Int32
	p.transport.DialContext = p.sent.Dial(func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &countingConn{nc, &writes}, err
	})
	p.do(t, http.MethodPut, "/v2/a/manifests/b", strings.NewReader("{manifest}"))
	if n := writes.Load(); n != 1 {
		t.Errorf("the request took %d writes, want 1", n)
	}
	if b := p.sent.Trace()[0].Request.Body; string(b.Head) != "{manifest}" || string(b.Digest) != sum("{manifest}") || b.Cut {
		t.Errorf("recorded the body %+v", b)
	}
}

type countingConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}
