package conformance_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// waitWitnesses are defects that show when something is slow, cut or too much.
func waitWitnesses() []witness {
	return []witness{
		{id: "res-03", wrap: edit(func(a *reply) {
			if first, last, ok := strings.Cut(a.Header().Get("Range"), "-"); ok && strings.HasSuffix(a.route.Repository, "/res-03") {
				end, _ := strconv.Atoi(last)
				a.Header().Set("Range", first+"-"+strconv.Itoa(end+3))
			}
		}, wire.OpUploadStatus)},
		{id: "res-05", wrap: instead(once(wire.OpUploadPut, "/res-05"), 500, "")},
		{id: "res-05", wrap: func(next http.Handler) http.Handler { // it says that it has what it lost
			return instead(in("res-05", wire.OpBlobHead, ""), 200, "")(instead(in("res-05", wire.OpUploadPut, ""), 404, "")(next))
		}},
		{id: "res-06", wrap: instead(in("res-06", wire.OpUploadStatus, ""), 404, "")},
		{id: "res-07", wrap: oneConnection("/res-07")},
		{id: "res-10", wrap: hasty()},
		{id: "mono-15", tcp: believer},
		{id: "err-08", wrap: limited("/err-08", "")},
		{id: "err-08", wrap: limited("/err-08", "0")},
		{id: "err-09", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return strings.Contains(route.Repository, "/nobody-made/")
		}, 500, "")},
		{id: "err-09", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return strings.Contains(route.Repository, "/nobody-made/")
		}, 404,
			`{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}`)},
		{id: "lim-10", wrap: limited("", "")},
		{id: "http-05", wrap: resets()},
	}
}

// hasty gives a body of res-10 no time.
func hasty() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/res-10/") {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// limited answers 429 after five requests for a repository, or fifty pings.
func limited(id, retryAfter string) func(http.Handler) http.Handler {
	var mu sync.Mutex
	seen := 0
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			mu.Lock()
			most := 5
			if id == "" {
				most = 50
			}
			if id != "" && strings.HasSuffix(route.Repository, id) || id == "" && route.Op == wire.OpPing {
				seen++
			}
			over := seen > most && (id != "" && strings.HasSuffix(route.Repository, id) || id == "" && route.Op == wire.OpPing)
			if over && id == "" {
				seen = 0 // once
			}
			mu.Unlock()
			if !over {
				next.ServeHTTP(w, r)
				return
			}
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(429)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAVAILABLE"}]}`)
		})
	}
}

// resets ends the connection of a large body before it has read it.
func resets() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPut || r.ContentLength < 1<<20 || !strings.Contains(r.URL.Path, "/http-05/") {
				next.ServeHTTP(w, r)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			if c, ok := conn.(*net.TCPConn); ok {
				_ = c.SetLinger(0)
			}
			conn.Close()
		})
	}
}

// believer is a proxy that does not believe Content-Length: it takes what comes for
// the body of a closing PUT.
func believer(t *testing.T, backend string) string {
	t.Helper()
	return proxied(t, func(c net.Conn) {
		head, in, ok := readHead(c)
		if !ok {
			return
		}
		if !strings.Contains(head, "/mono-15/") || !strings.HasPrefix(head, "PUT ") {
			pass(c, in, head, backend)
			return
		}
		body := make([]byte, 150)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		pass(c, in, strings.Replace(head, "Content-Length: 100", "Content-Length: 150", 1)+string(body), backend)
	})
}
