package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// raceWitnesses are defects that show when two things happen at once.
func raceWitnesses() []witness {
	return []witness{
		{id: "conc-06", wrap: instead(in("conc-06", wire.OpUploadPut, ""), 500, "")},
		{id: "conc-07", wrap: func(next http.Handler) http.Handler {
			return instead(in("conc-07", wire.OpBlobHead, ""), 404, "")(
				instead(func(_ *http.Request, route wire.Route) bool { return route.Tag == "racing" }, 201, "")(next))
		}},
		{id: "conc-09", wrap: instead(in("conc-09", wire.OpUploadMount, ""), 201, "")},
		{id: "conc-10", wrap: tagsOf(func(a *reply, tags []any) []any {
			if strings.HasSuffix(a.route.Repository, "/conc-10") && a.r.URL.Query().Get("last") != "" && len(tags) > 1 {
				return tags[1:]
			}
			return tags
		})},
		{id: "conc-11", wrap: crowded(), slow: true},
		{id: "sec-07", wrap: counted()},
		{id: "sec-07", wrap: instead(in("other/sec-07", wire.OpUploadStatus, ""), 204, "")},
		{id: "mount-10", wrap: instead(in("mount-10", wire.OpUploadMount, ""), 201, "")},
	}
}

// crowded is slower the more uploads of conc-11 are open.
func crowded() func(http.Handler) http.Handler {
	var mu sync.Mutex
	open := 0
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if strings.HasSuffix(route.Repository, "/conc-11") {
				mu.Lock()
				switch route.Op { //nolint:exhaustive // the others change nothing
				case wire.OpUploadStart:
					open++
				case wire.OpUploadCancel, wire.OpUploadPut:
					open--
				}
				crowd := open > 50 && route.Op == wire.OpUploadPut
				mu.Unlock()
				if crowd {
					time.Sleep(250 * time.Millisecond)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// counted numbers the uploads of sec-07.
func counted() func(http.Handler) http.Handler {
	var mu sync.Mutex
	real := map[string]string{}
	return func(next http.Handler) http.Handler {
		changed := edit(func(a *reply) {
			if !strings.HasSuffix(a.route.Repository, "/sec-07") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			u, err := a.r.URL.Parse(a.Header().Get("Location"))
			if err != nil {
				return
			}
			path := fmt.Sprintf("/v2/%s/blobs/uploads/%d", a.route.Repository, 100+len(real))
			real[path] = u.RequestURI()
			a.Header().Set("Location", path)
		}, wire.OpUploadStart)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			to := real[r.URL.Path]
			mu.Unlock()
			if u, err := r.URL.Parse(to); to != "" && err == nil {
				r.URL.Path, r.URL.RawQuery = u.Path, u.RawQuery
			}
			changed.ServeHTTP(w, r)
		})
	}
}
