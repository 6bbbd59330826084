package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// virtualPair is a pair on one virtual clock, whose client is a worker.
func virtualPair(t *testing.T, h func(clk clock.Clock) http.HandlerFunc) (*pair, *clock.Virtual) {
	t.Helper()
	clk := clock.NewVirtual(time.Time{})
	t.Cleanup(clk.Work())
	p := &pair{sent: wire.NewRecorder(clk, nil), got: wire.NewRecorder(clk, nil)}
	srv := httptest.NewServer(p.got.Handler(h(clk)))
	tr := &http.Transport{DialContext: p.sent.Dial((&net.Dialer{}).DialContext)}
	p.client, p.url = &http.Client{Transport: p.sent.Transport(tr)}, srv.URL
	p.stop = sync.OnceFunc(func() { tr.CloseIdleConnections(); srv.Close() })
	t.Cleanup(p.stop)
	return p, clk
}

func TestADelayOfTheServerPassesOnTheClientsClock(t *testing.T) {
	t.Parallel()
	p, clk := virtualPair(t, func(clk clock.Clock) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _ = clk.Hold(r.Context(), r.RemoteAddr, 7*time.Second) }
	})
	for range 3 { // on one connection
		p.do(t, http.MethodGet, "/v2/", nil)
		if err := clk.Sleep(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
	for _, trace := range []wire.Trace{p.sent.Trace(), p.got.Trace()} {
		for i, e := range trace {
			if e.At != time.Duration(i)*8*time.Second || e.Elapsed != 7*time.Second || e.Conn != 1 {
				t.Errorf("#%d at %v took %v on conn %d, want at %ds took 7s on 1", e.Seq, e.At, e.Elapsed, e.Conn, 8*i)
			}
		}
	}
}

func TestATimeLimitEndsAnExchangeAtItsMoment(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"head", "body"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			p, clk := virtualPair(t, func(clk clock.Clock) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					if where == "body" {
						fmt.Fprint(w, "some")
						_ = http.NewResponseController(w).Flush()
					}
					_ = clk.Hold(r.Context(), r.RemoteAddr, time.Hour)
				}
			})
			for range 20 { // the account must balance each time
				began := clk.Now()
				ctx, cancel := clk.WithTimeout(t.Context(), 5*time.Second)
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v2/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := p.client.Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				if err == nil {
					t.Fatal("it answered in time")
				}
				cancel()
				if took := clk.Now().Sub(began); took != 5*time.Second {
					t.Fatalf("the client gave up after %v, want 5s", took)
				}
			}
			for _, e := range p.sent.Trace() {
				if e.Failure != wire.FailureTimeout || e.Elapsed != 5*time.Second {
					t.Errorf("recorded %v after %v, want timeout after 5s: %s", e.Failure, e.Elapsed, e.Err)
				}
			}
		})
	}
}

// A hold that begins before the client's side has said who it is, as that of a
// fault which strikes as soon as a connection was accepted.
func TestAConnectionHeldBeforeItsClientIsKnown(t *testing.T) {
	t.Parallel()
	clk := clock.NewVirtual(time.Time{})
	defer clk.Work()()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	held := make(chan struct{})
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_ = clk.Hold(context.Background(), nc.RemoteAddr().String(), 3*time.Second)
			_ = nc.Close()
		}()
		close(held)
	}()
	rec := wire.NewRecorder(clk, nil)
	tr := &http.Transport{DialContext: rec.Dial(func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		<-held
		return nc, err
	})}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rec.Transport(tr).RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("it answered")
	}
	if e := rec.Trace()[0]; e.Failure != wire.FailureClosed && e.Failure != wire.FailureReset || e.Elapsed != 3*time.Second {
		t.Errorf("recorded %v after %v, want closed after 3s", e.Failure, e.Elapsed)
	}
}

// A ledger is a clock that notes who is said to wait on what.
type ledger struct {
	clock.Clock
	mu    sync.Mutex
	lines []string
}

func (l *ledger) Connected(link string) { l.note("connected " + link) }
func (l *ledger) Abandon(link string)   { l.note("abandoned " + link) }

func (l *ledger) note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func TestTheClockHearsOfTheEndBeforeTheCaller(t *testing.T) {
	t.Parallel()
	l := &ledger{Clock: clock.Real()}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "pong")
	}))
	defer srv.Close()
	rec := wire.NewRecorder(l, nil)
	tr := &http.Transport{DialContext: rec.Dial((&net.Dialer{}).DialContext)}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: rec.Transport(tr)}

	resp, err := client.Get(srv.URL + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	link := rec.Trace()[0].Link
	l.expect(t, "connected "+link)
	_, _ = io.Copy(io.Discard, resp.Body)
	l.expect(t, "connected "+link, "abandoned "+link)
	_ = resp.Body.Close()

	if resp, err := client.Post(srv.URL+"/x", "", nil); err == nil { // net/http does not send it again
		_ = resp.Body.Close()
		t.Fatal("it answered")
	}
	l.expect(t, "connected "+link, "abandoned "+link, "connected "+link, "abandoned "+link)
}

func (l *ledger) expect(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("the clock heard %q, want %q", l.lines, want)
	}
}

// A stub is a RoundTripper that fails as told, and leaves its connections open.
type stub func(req *http.Request) error

func (s stub) RoundTrip(req *http.Request) (*http.Response, error) { return nil, s(req) }

//nolint:tparallel // each row goes on with the connections of the one before
func TestTheClockHearsOfEveryConnectionThatNobodyWaitsOn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	failed := errors.New("failed")
	gotConn := func(req *http.Request, nc net.Conn) {
		httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{Conn: nc})
	}
	var first, second net.Conn
	var late context.Context
	for _, row := range []struct {
		name string
		next func(dial func(context.Context) net.Conn) stub
		want func() []string
	}{
		{"fails before the connection is ready", func(dial func(context.Context) net.Conn) stub {
			return func(req *http.Request) error { first = dial(req.Context()); return failed }
		}, func() []string { return []string{"connected " + addr(first), "abandoned " + addr(first)} }},
		{"fails on its connection", func(dial func(context.Context) net.Conn) stub {
			return func(req *http.Request) error { first = dial(req.Context()); gotConn(req, first); return failed }
		}, func() []string { return []string{"connected " + addr(first), "abandoned " + addr(first)} }},
		{"takes another connection than it dialled", func(dial func(context.Context) net.Conn) stub {
			return func(req *http.Request) error {
				second = dial(context.Background())
				first = dial(req.Context())
				gotConn(req, second)
				return failed
			}
		}, func() []string {
			return []string{"connected " + addr(second), "connected " + addr(first), "abandoned " + addr(first), "abandoned " + addr(second)}
		}},
		{"dials too late", func(dial func(context.Context) net.Conn) stub {
			return func(req *http.Request) error { late = req.Context(); return failed }
		}, func() []string { return nil }},
		{"closes", func(dial func(context.Context) net.Conn) stub {
			return func(req *http.Request) error {
				first = dial(context.Background())
				_ = first.Close()
				return failed
			}
		}, func() []string { return []string{"connected " + addr(first), "abandoned " + addr(first)} }},
	} {
		ledger := &ledger{Clock: clock.Real()}
		rec := wire.NewRecorder(ledger, nil)
		var open []net.Conn
		dial := func(ctx context.Context) net.Conn {
			nc, err := rec.Dial((&net.Dialer{}).DialContext)(ctx, "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, nc)
			return nc
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.invalid/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rec.Transport(row.next(dial)).RoundTrip(req); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if late != nil {
			dial(late)
			late = nil
		}
		t.Run(row.name, func(t *testing.T) { ledger.expect(t, row.want()...) })
		for _, nc := range open {
			_ = nc.Close()
		}
	}
}

func addr(nc net.Conn) string { return nc.LocalAddr().String() }
