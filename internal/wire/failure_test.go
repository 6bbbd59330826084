package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// hijack answers with raw bytes and ends the connection, by a reset or not.
func hijack(w http.ResponseWriter, raw string, reset bool) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = rw.WriteString(raw)
	_ = rw.Flush()
	if tcp, ok := nc.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = nc.Close()
}

func TestWhatAClientSeesOfABrokenConnection(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		client  wire.Failure
		status  int // as the client saw it
		server  wire.Failure
	}{
		{"reset", func(w http.ResponseWriter, r *http.Request) {
			wire.MarkFailure(r.Context(), wire.FailureReset, "reset on purpose")
			hijack(w, "", true)
		}, wire.FailureReset, 0, wire.FailureReset},
		{"closed", func(w http.ResponseWriter, r *http.Request) { hijack(w, "", false) }, wire.FailureClosed, 0, wire.FailureClosed},
		{"gave up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, wire.FailureClosed, 0, wire.FailureClosed},
		{"gave up after the head", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		}, wire.FailureClosed, 0, wire.FailureClosed},
		{"gave up after a flush", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, wire.FailureClosed, 200, wire.FailureClosed},
		{"short body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "some")
		}, wire.FailureClosed, 200, wire.FailureClosed},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			wire.MarkFailure(r.Context(), wire.FailureOther, "")
			hijack(w, "SSH-2.0-OpenSSH\r\n\r\n", false)
		}, wire.FailureOther, 0, wire.FailureOther},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t, row.handler)
			resp, err := p.client.Get(p.url + "/v2/")
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			p.stop()
			for side, want := range map[*wire.Recorder]wire.Failure{p.sent: row.client, p.got: row.server} {
				trace := side.Trace()
				if len(trace) != 1 {
					t.Fatalf("recorded %d exchanges, want 1", len(trace))
				}
				e := trace[0]
				if e.Failure != want || e.Response.Status != row.status || e.Open || e.Conn != 1 || e.Link == "" {
					t.Errorf("recorded %v (%s), status %d, open %v, conn %d, link %q; want %v, status %d",
						e.Failure, e.Err, e.Response.Status, e.Open, e.Conn, e.Link, want, row.status)
				}
			}
		})
	}
}

func TestWhatAClientSeesBeforeHTTP(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the failing handshakes
	secure.StartTLS()
	t.Cleanup(secure.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // closes whatever comes
		for {
			nc, err := silent.Accept()
			if err != nil {
				return
			}
			_ = nc.Close()
		}
	}()
	t.Cleanup(func() { _ = silent.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()

	for _, row := range []struct {
		name, url string
		dial      func(ctx context.Context, network, addr string) (net.Conn, error)
		want      wire.Failure
		conn      int
	}{
		{"nobody listens", "http://" + gone.Addr().String(), nil, wire.FailureRefused, 0},
		{"https to a plain port", "https://" + plain.Listener.Addr().String(), nil, wire.FailureTLS, 1},
		{"unknown authority", "https://" + secure.Listener.Addr().String(), nil, wire.FailureTLS, 1},
		{"closed during the handshake", "https://" + silent.Addr().String(), nil, wire.FailureTLS, 1},
		{"no such host", "http://registry.invalid", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "registry.invalid", IsNotFound: true}}
		}, wire.FailureDNS, 0},
		{"no route", "http://registry.invalid", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
		}, wire.FailureTimeout, 0},
		{"something else", "http://registry.invalid", func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("out of order") }, wire.FailureOther, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.dial == nil {
				row.dial = (&net.Dialer{}).DialContext
			}
			rec := wire.NewRecorder(clock.Real(), nil)
			tr := &http.Transport{DialContext: rec.Dial(row.dial), TLSClientConfig: &tls.Config{}}
			defer tr.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, row.url+"/v2/a/manifests/b", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := rec.Transport(tr).RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
				t.Fatalf("it answered %s", resp.Status)
			}
			e := rec.Trace()[0]
			if e.Failure != row.want || e.Conn != row.conn || (e.Link != "") != (row.conn > 0) || e.Err != err.Error() {
				t.Errorf("recorded %v, conn %d, link %q, %q; want %v, conn %d", e.Failure, e.Conn, e.Link, e.Err, row.want, row.conn)
			}
			if e.Route.Op != wire.OpManifestPut || e.Request.Body.Length != 0 {
				t.Errorf("recorded %s with %d bytes sent", e.Route.Op, e.Request.Body.Length)
			}
		})
	}
}

func TestAClientThatGivesUp(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"head", "body", "close"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
				if where != "head" {
					fmt.Fprint(w, "some")
					_ = http.NewResponseController(w).Flush()
				} else {
					cancel()
				}
				<-r.Context().Done()
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := p.client.Do(req); err == nil {
				_, _ = io.ReadFull(resp.Body, make([]byte, 4))
				cancel()
				if where == "close" {
					// the caller does not even try
				} else if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
					t.Errorf("reading ended with %v", err)
				}
				_ = resp.Body.Close()
			}
			if e := p.sent.Trace()[0]; e.Failure != wire.FailureCancelled {
				t.Errorf("recorded %v (%s), want cancelled", e.Failure, e.Err)
			}
		})
	}
}

func TestARequestThatIsSentAgainIsTwoExchanges(t *testing.T) {
	t.Parallel()
	var requests int // handled one after the other
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests++
		if requests == 2 { // the kept connection dies as the request arrives
			hijack(w, "", false)
		}
	})
	p.do(t, http.MethodGet, "/v2/", nil)
	p.do(t, http.MethodGet, "/v2/a/tags/list", nil)
	p.stop()
	var got []string
	for _, e := range p.sent.Trace() {
		got = append(got, fmt.Sprintf("%s conn %d %s", e.Route.Op, e.Conn, e.Answer()))
	}
	want := []string{"ping conn 1 200", "tags.list conn 1 closed", "tags.list conn 2 200"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("recorded %q, want %q", got, want)
	}
	if diff := wire.Diff(p.sent.Trace(), p.got.Trace()); diff != "" {
		t.Errorf("client and server disagree:\n%s", diff)
	}
}

func TestABodyThatIsSentAgainIsMeasuredTwice(t *testing.T) {
	t.Parallel()
	var requests int
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		requests++
		if requests == 2 {
			hijack(w, "", false)
			return
		}
		_, _ = w.Write(text)
	})
	put := func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.url+"/v2/a/manifests/b", strings.NewReader("{manifest}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Idempotency-Key"] = nil // net/http may send it again, and says nothing of it
		resp, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	put()
	if got := put(); got != "{manifest}" {
		t.Errorf("the second sending carried %q", got)
	}
	trace := p.sent.Trace()
	if len(trace) != 3 {
		t.Fatalf("recorded %d exchanges, want 3", len(trace))
	}
	for _, e := range trace {
		if e.Request.Body.Length != 10 || string(e.Request.Body.Digest) != sum("{manifest}") || string(e.Request.Body.Head) != "{manifest}" {
			t.Errorf("#%d: body %+v", e.Seq, e.Request.Body)
		}
	}
}

func TestAFailedHandshakeIsKnownWithoutDial(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	rec := wire.NewRecorder(clock.Real(), nil)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+plain.Listener.Addr().String()+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := rec.Transport(tr).RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("it answered")
	}
	if e := rec.Trace()[0]; e.Failure != wire.FailureTLS {
		t.Errorf("recorded %v (%s), want tls", e.Failure, e.Err)
	}
}

func TestAServerSeesItsClientGo(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
	})
	nc, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "PATCH /v2/a/blobs/uploads/u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlay")
	_ = nc.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, nc)
	_ = nc.Close()
	p.stop()
	e := p.got.Trace()[0]
	if e.Failure != wire.FailureClosed || e.Response.Status != 400 || e.Request.Body.Length != 3 || !e.Request.Body.Cut {
		t.Errorf("recorded %v (%s), status %d, %d bytes, cut %v", e.Failure, e.Err, e.Response.Status, e.Request.Body.Length, e.Request.Body.Cut)
	}
}
