package conformance_test

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// eraWitnesses are defects that only whole pushes show.
func eraWitnesses() []witness {
	within := func(id string, op wire.Op, more func(r *http.Request) bool) func(*http.Request, wire.Route) bool {
		return func(r *http.Request, route wire.Route) bool {
			return route.Op == op && strings.HasSuffix(route.Repository, "/"+id) && more(r)
		}
	}
	return []witness{
		// An upload without a type, as docker 1.8 sends it.
		{id: "era-docker-1.8", wrap: instead(within("era-docker-1.8", wire.OpUploadPatch, func(r *http.Request) bool { return r.Header.Get("Content-Type") == "" }), 415, "")},
		// A proxy that knows its clients by name, and not this one.
		{id: "era-docker-20.10", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadStart && strings.Contains(r.UserAgent(), "docker/20.10.")
		}, 403, `{"errors":[{"code":"DENIED","message":"unknown client"}]}`)},
		// A tag that cannot be pushed twice.
		{id: "era-docker-20.10", wrap: instead(once(wire.OpManifestPut, "era-docker-20.10"), 400, `{"errors":[{"code":"TAG_INVALID","message":"it is there"}]}`)},
		{id: "era-docker-28", wrap: oneCommitAtATime("era-docker-28")},
		{id: "era-docker-28", wrap: edit(func(a *reply) { // other bytes than those that were pushed
			if strings.HasSuffix(a.route.Repository, "/era-docker-28") && a.Body.Len() > 10_000 {
				a.set(200, strings.Repeat("x", a.Body.Len()))
			}
		}, wire.OpBlobGet)},
		{id: "era-containerd", wrap: edit(func(a *reply) { // half of a layer
			if strings.HasSuffix(a.route.Repository, "/era-containerd") && a.Body.Len() > 10_000 {
				a.set(200, a.Body.String()[:10_000])
			}
		}, wire.OpBlobGet)},
		{id: "era-bad-line-docker-28", wrap: lockedByCut("era-bad-line-docker-28"), slow: true}, // docker waits five seconds
		{id: "era-bad-line-best", wrap: lockedByCut("era-bad-line-best")},
		// What has no tag of its own is not shown.
		{id: "era-best", wrap: instead(within("era-best", wire.OpManifestGet, func(r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/manifests/sha256:")
		}), 404, "")},
		{id: "era-best", wrap: instead(within("era-best", wire.OpUploadPut, func(r *http.Request) bool { return r.ContentLength > 30_000 }), 413, "")},
	}
}

// oneCommitAtATime refuses the manifests of a repository once it has one, as a
// registry does that locks a repository for the whole push of one client.
func oneCommitAtATime(id string) func(http.Handler) http.Handler {
	var mu sync.Mutex
	first := map[string]string{}
	return instead(func(_ *http.Request, route wire.Route) bool {
		if route.Op != wire.OpManifestPut || !strings.HasSuffix(route.Repository, "/other/"+id) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		tag, seen := first[route.Repository]
		if !seen {
			first[route.Repository] = route.Tag
		}
		return seen && tag != route.Tag
	}, 409, `{"errors":[{"code":"DENIED","message":"locked"}]}`)
}

// lockedByCut takes nothing more in a repository where the line of an upload broke: who
// sent it seems to be at it still.
func lockedByCut(id string) func(http.Handler) http.Handler {
	var mu sync.Mutex
	locked := map[string]bool{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			mu.Lock()
			refuse := locked[route.Repository] && (r.Method == http.MethodPost || route.Session != "")
			mu.Unlock()
			if refuse {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"somebody else is pushing"}]}`)
				return
			}
			if strings.HasSuffix(route.Repository, "/"+id) && route.Session != "" {
				r.Body = &watched{r.Body, func() {
					mu.Lock()
					locked[route.Repository] = true
					mu.Unlock()
				}}
			}
			next.ServeHTTP(w, r)
		})
	}
}
