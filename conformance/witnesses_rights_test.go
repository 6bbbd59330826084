package conformance_test

import (
	"net/http"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// rightsWitnesses are registries behind a guard that has one defect.
func rightsWitnesses() []witness {
	scopes := func(change func(scopes []string) []string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					q := r.URL.Query()
					q["scope"] = change(q["scope"])
					r.URL.RawQuery = q.Encode()
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	at := func(id string, op wire.Op) func(*http.Request, wire.Route) bool {
		return func(r *http.Request, route wire.Route) bool {
			return route.Op == op && strings.HasSuffix(route.Repository, "/"+id) && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
	}
	return []witness{
		{id: "auth-08", wrap: losesRefused()},
		{id: "auth-11", wrap: edit(func(a *reply) {
			before, _, cut := strings.Cut(a.Header().Get("WWW-Authenticate"), " repository:")
			if strings.HasSuffix(a.route.Repository, "auth-11") && cut {
				a.Header().Set("WWW-Authenticate", before+`"`)
			}
		})},
		{id: "auth-12", wrap: scopes(func(scopes []string) []string { return scopes[:min(len(scopes), 1)] }), also: []string{"mount-03"}},
		{id: "auth-12", wrap: scopes(func(scopes []string) []string {
			for i := range scopes {
				scopes[i], _, _ = strings.Cut(scopes[i], " ")
			}
			return scopes
		})},
		{id: "auth-17", wrap: edit(func(a *reply) {
			if a.Code == 401 && strings.HasSuffix(a.route.Repository, "auth-17") {
				a.set(401, strings.Replace(a.Body.String(), "UNAUTHORIZED", "MANIFEST_UNKNOWN", 1))
			}
		})},
		{id: "auth-18", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return r.URL.Path == "/token" && r.Method == http.MethodGet && r.Header.Get("Authorization") == ""
		}, 400, "")},
		{id: "auth-19", wrap: instead(at("auth-19", wire.OpManifestDelete), 202, "")},
		{id: "auth-20", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && strings.HasSuffix(route.Repository, "auth-20") && r.Header.Get("Authorization") == ""
		}, 202, "")},
		{id: "mount-04", wrap: instead(at("mount-04", wire.OpUploadMount), 403, "")},
		{id: "mount-07", wrap: instead(at("mount-07", wire.OpUploadMount), 201, "")},
		{id: "sec-12", wrap: tellsForeign()},
		{id: "auth-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestDelete && strings.HasSuffix(route.Repository, "/auth-01") && r.Header.Get("Authorization") == ""
		}, 202, "")},
		{id: "auth-05", wrap: edit(func(a *reply) {
			if before, _, ok := strings.Cut(a.Header().Get("WWW-Authenticate"), ",scope="); ok && strings.HasSuffix(a.route.Repository, "/auth-05") {
				a.Header().Set("WWW-Authenticate", before)
			}
		}, wire.OpBlobHead)},
		{id: "auth-07", wrap: instead(at("auth-07", wire.OpManifestPut), 201, "")},
		{id: "auth-09", wrap: instead(at("other/auth-09", wire.OpBlobGet), 200, "x")},
		{id: "auth-09", wrap: instead(at("auth-09/below", wire.OpUploadStart), 202, "")},
		{id: "sec-14", wrap: edit(func(a *reply) {
			if a.Code >= 400 && a.Body.Len() > 0 {
				a.set(a.Code, strings.Replace(a.Body.String(), `"message":"`, `"message":"`+a.r.Header.Get("Authorization"), 1))
			}
		}, wire.OpBlobGet)},
	}
}

// losesRefused forgets an upload of auth-08 to which a request was refused.
func losesRefused() func(http.Handler) http.Handler {
	var mu sync.Mutex
	lost := map[string]bool{}
	return func(next http.Handler) http.Handler {
		changed := edit(func(a *reply) {
			mu.Lock()
			defer mu.Unlock()
			if a.Code == 401 && a.route.Session != "" && strings.HasSuffix(a.route.Repository, "auth-08") {
				lost[a.route.Session] = true
			} else if lost[a.route.Session] {
				a.set(404, "")
			}
		})
		return changed(next)
	}
}

// tellsForeign refuses the mount of a blob that is there, and starts an upload for one that is not.
func tellsForeign() func(http.Handler) http.Handler {
	return recall(func(_ *http.Request, route wire.Route, _ []byte) string {
		if route.Op == wire.OpUploadPut {
			return route.Digest.String()
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op != wire.OpUploadMount || !strings.HasSuffix(a.route.Repository, "/sec-12") {
			return
		}
		if seen(a.route.Digest.String()) {
			a.set(403, "")
		} else {
			a.set(202, "")
		}
	})
}
