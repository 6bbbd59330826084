package wire_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// registryLike answers in every way in which registries answer.
func registryLike(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	switch route := wire.ParseRoute(r.Method, r.URL); route.Op {
	case wire.OpPing:
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="bench"`, r.Host))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`)
	case wire.OpToken:
		fmt.Fprint(w, `{"token":"eyJhbGciOiJFUzI1NiJ9.e30.c2ln"}`)
	case wire.OpUploadStart:
		w.Header().Set("Location", r.URL.Path+"6f1c1a1e-0000?_state=abc")
		w.Header().Set("Docker-Upload-Uuid", "6f1c1a1e-0000")
		w.WriteHeader(http.StatusAccepted)
	case wire.OpUploadPatch, wire.OpUploadPut, wire.OpManifestPut:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	case wire.OpBlobHead:
		w.Header().Set("Content-Length", "4096")
	case wire.OpBlobGet:
		http.Redirect(w, r, "/storage/blob", http.StatusTemporaryRedirect)
	case wire.OpUploadCancel:
		w.WriteHeader(http.StatusNoContent)
	case wire.OpTagsList:
		for range 3 {
			fmt.Fprint(w, strings.Repeat("tag ", 1000))
			_ = http.NewResponseController(w).Flush()
		}
	default:
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("blob", 10_000)))
	}
}

func push(t *testing.T, p *pair) {
	t.Helper()
	p.do(t, "GET", "/v2/", nil, "User-Agent", "docker/1.8.3")
	p.do(t, "GET", "/token?account=alice&service=bench", nil, "Authorization", "Basic YWxpY2U6c2VjcmV0")
	bearer := []string{"Authorization", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"}
	p.do(t, "POST", "/v2/lib/app/blobs/uploads/", nil, bearer...)
	layer := strings.Repeat("layer", 100_000)
	p.do(t, "PATCH", "/v2/lib/app/blobs/uploads/6f1c1a1e-0000?_state=abc", io.MultiReader(strings.NewReader(layer)), bearer...)
	p.do(t, "PUT", "/v2/lib/app/blobs/uploads/6f1c1a1e-0000?digest=sha256%3A"+hex64, strings.NewReader(layer), bearer...)
	p.do(t, "HEAD", "/v2/lib/app/blobs/sha256:"+hex64, nil, bearer...)
	p.do(t, "GET", "/v2/lib/app/blobs/sha256:"+hex64, nil, bearer...)
	p.do(t, "DELETE", "/v2/lib/app/blobs/uploads/6f1c1a1e-0000", nil, bearer...)
	p.do(t, "PUT", "/v2/lib/app/manifests/latest", strings.NewReader(`{"schemaVersion": 2}`), "Content-Type", "")
	p.do(t, "GET", "/v2/lib/app/tags/list", nil, "X-Meta-Note", "  spaced out ")
}

func TestTheTwoSidesAgreeWhereNoFaultStruck(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*httptest.Server){
		"http":   (*httptest.Server).Start,
		"https":  (*httptest.Server).StartTLS,
		"http/2": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPairAs(t, registryLike, start)
			push(t, p)
			p.stop()
			if conns := p.sent.Trace()[10].Conn; conns != 1 {
				t.Errorf("it took %d connections, want 1", conns)
			}
			if n := len(p.got.Trace()); n != 11 { // the GET of a blob is redirected
				t.Errorf("the server recorded %d exchanges, want 11", n)
			}
			if diff := wire.Diff(p.sent.Trace(), p.got.Trace()); diff != "" {
				t.Errorf("client and server disagree:\n%s", diff)
			}
		})
	}
}

func TestDiffSaysWhatOnlyOneSideHas(t *testing.T) {
	t.Parallel()
	base := func() wire.Trace {
		e := func(seq int, target string) wire.Exchange {
			return wire.Exchange{
				Seq: seq, Conn: seq, Link: fmt.Sprint("127.0.0.1:", seq), Route: wire.Route{Op: wire.OpTagsList, Repository: "a"},
				Request:  wire.Request{Method: "GET", Scheme: "http", Host: "h:1", Target: target, Header: http.Header{}},
				Response: wire.Response{Status: 200, Header: http.Header{}, Body: head("[]")},
			}
		}
		return wire.Trace{e(1, "/v2/a/tags/list"), e(2, "/v2/b/tags/list")}
	}
	for _, row := range []struct {
		name   string
		change func(server wire.Trace) wire.Trace
		want   []string // lines
	}{
		{"nothing", func(s wire.Trace) wire.Trace { return s }, nil},
		{"another order", func(s wire.Trace) wire.Trace { return wire.Trace{s[1], s[0]} }, nil},
		{"times, faults and errors", func(s wire.Trace) wire.Trace {
			s[0].At, s[0].Elapsed, s[0].Fault, s[0].Err = 1, 2, "delay", "x"
			return s
		}, nil},
		{"headers that net/http adds", func(s wire.Trace) wire.Trace {
			s[0].Request.Header.Set("Accept-Encoding", "gzip")
			s[0].Request.Header.Set("User-Agent", "Go-http-client/1.1")
			return s
		}, nil},
		{"an event", func(s wire.Trace) wire.Trace {
			return append(wire.Trace{{Route: wire.Route{Op: wire.OpEvent}, Request: wire.Request{Target: "restart"}}}, s...)
		}, nil},
		{"a header", func(s wire.Trace) wire.Trace { s[1].Request.Header.Set("Accept", "x"); return s }, []string{"  #2 tags.list conn=2", "+ > Accept: x"}},
		{"a status", func(s wire.Trace) wire.Trace { s[0].Response.Status = 201; return s }, []string{"  #1 tags.list conn=1", "- < 200", "+ < 201"}},
		{"a body", func(s wire.Trace) wire.Trace { s[0].Response.Body.Length++; return s }, []string{"  #1 tags.list conn=1", "- < body 2 sha256:1", "+ < body 3 sha256:1"}},
		{"a failure", func(s wire.Trace) wire.Trace { s[0].Failure = wire.FailureReset; return s }, []string{"  #1 tags.list conn=1", "+ ! reset"}},
		{"one too few", func(s wire.Trace) wire.Trace { return s[1:] }, []string{"- #1 tags.list conn=1", "- > GET http://HOST /v2/a/tags/list"}},
		{"one too many", func(s wire.Trace) wire.Trace { return append(s, base()[0]) }, []string{"+ #3 tags.list conn=1", "+ > GET http://HOST /v2/a/tags/list"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := wire.Diff(base(), row.change(base()))
			if row.want == nil && got != "" {
				t.Errorf("they agree, but Diff says\n%s", got)
			}
			for _, line := range row.want {
				if !strings.Contains("\n"+got, "\n"+line+"\n") {
					t.Errorf("no line %q in\n%s", line, got)
				}
			}
		})
	}
}

func TestJoinBringsTheFaultsToTheClientsSide(t *testing.T) {
	t.Parallel()
	client := wire.Trace{{Link: "a"}, {Link: "b", Fault: "refuse"}, {Link: "a"}, {}}
	server := wire.Trace{{Link: "a"}, {Link: "a", Fault: "reset"}, {Link: "b", Fault: "delay"}, {Fault: "lost"}}
	var got []string
	for _, e := range wire.Join(client, server) {
		got = append(got, e.Fault)
	}
	if want := "[ refuse,delay reset ]"; fmt.Sprint(got) != want {
		t.Errorf("faults are %v, want %s", got, want)
	}
}
