package conformance_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// tagsOf changes a list of tags.
func tagsOf(change func(a *reply, tags []any) []any) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		jsonOf(a, func(m map[string]any) {
			if tags, ok := m["tags"].([]any); ok {
				m["tags"] = change(a, tags)
			}
		})
	}, wire.OpTagsList)
}

func listWitnesses() []witness {
	query := func(a *reply, key string) string { return a.r.URL.Query().Get(key) }
	without := func(key string) func(http.Handler) http.Handler {
		return ask(func(r *http.Request, _ wire.Route) {
			q := r.URL.Query()
			q.Del(key)
			r.URL.RawQuery = q.Encode()
		}, wire.OpTagsList)
	}
	return []witness{
		{id: "tag-01", wrap: tagsOf(func(_ *reply, tags []any) []any { slices.Reverse(tags); return tags }), also: []string{"tag-04"}},
		{id: "tag-02", wrap: edit(func(a *reply) { jsonOf(a, func(m map[string]any) { m["name"] = "another" }) }, wire.OpTagsList)},
		{id: "tag-02", wrap: edit(func(a *reply) {
			jsonOf(a, func(m map[string]any) {
				if l, ok := m["tags"].([]any); ok && len(l) == 0 {
					m["tags"] = nil
				}
			})
		}, wire.OpTagsList)},
		{id: "tag-12", wrap: tagsOf(func(_ *reply, tags []any) []any {
			return slices.DeleteFunc(tags, func(t any) bool { return t == "_v1.2-RC_3" })
		})},
		{id: "tag-03", wrap: tagsWithoutLimit(), also: []string{"tag-04", "tag-05", "tag-09"}},
		{id: "tag-04", wrap: without("last"), also: []string{"conc-10", "tag-06"}},
		{id: "tag-04", wrap: ask(func(r *http.Request, _ wire.Route) { // it begins anew behind the last tag
			if q := r.URL.Query(); strings.HasSuffix(r.URL.Path, "/tag-04/tags/list") && q.Get("last") == "b.1" {
				r.URL.RawQuery = ""
			}
		}, wire.OpTagsList)},
		{id: "tag-05", wrap: edit(func(a *reply) {
			if query(a, "n") == "0" {
				a.set(500, "")
			}
		}, wire.OpTagsList)},
		{id: "tag-06", wrap: edit(func(a *reply) {
			if a.Header().Get("Link") != "" {
				a.Header().Set("Link", "junk")
			}
		}, wire.OpTagsList)},
		{id: "tag-06", wrap: edit(func(a *reply) {
			if a.Header().Get("Link") != "" {
				a.Header().Set("Link", strings.Replace(a.Header().Get("Link"), "last=", "lost=", 1))
			}
		}, wire.OpTagsList), also: []string{"conc-10"}},
		{id: "tag-07", wrap: tagsOf(func(a *reply, tags []any) []any {
			if len(query(a, "n")) >= 4 {
				return tags[:1]
			}
			return tags
		}), also: []string{"lim-04"}},
		{id: "tag-09", wrap: edit(func(a *reply) {
			if query(a, "n") == "-1" {
				a.set(500, "")
			}
		}, wire.OpTagsList)},
		{id: "tag-10", wrap: edit(func(a *reply) {
			if query(a, "last") == "9a" {
				a.set(404, "")
			}
		}, wire.OpTagsList)},
		{id: "tag-11", wrap: edit(func(a *reply) {
			if a.Code == 404 {
				a.set(200, `{"name":"x","tags":[]}`)
			}
		}, wire.OpTagsList)},
		{id: "tag-12", wrap: instead(func(_ *http.Request, route wire.Route) bool { return len(route.Tag) == 128 }, 400, "")},
		{id: "tag-13", wrap: instead(func(r *http.Request, _ wire.Route) bool { return strings.HasSuffix(r.URL.Path, "/.dot") }, 201, "")},
		{id: "tag-14", wrap: ask(func(r *http.Request, route wire.Route) {
			if route.Tag == "CASE" {
				r.URL.Path = strings.Replace(r.URL.Path, "CASE", "case", 1)
			}
		}, wire.OpManifestPut)},
		{id: "tag-15", wrap: lateTags()},
		{id: "ref-01", wrap: edit(func(a *reply) {
			if a.Code == 200 && strings.Contains(a.Body.String(), `"manifests":[]`) {
				a.set(401, "")
			}
		}, wire.OpReferrers), also: []string{}},
		{id: "ref-02", wrap: edit(func(a *reply) { a.Header().Set("Content-Type", "application/json") }, wire.OpReferrers)},
		{id: "ref-03", wrap: referrersOf(func(_ *reply, list []any) []any {
			for _, d := range list {
				delete(d.(map[string]any), "annotations")
			}
			return list
		})},
		{id: "ref-04", wrap: referrersOf(func(_ *reply, list []any) []any { return append(list, list...) }), also: []string{"ref-05", "ref-12"}},
		{id: "ref-05", wrap: edit(func(a *reply) { a.Header().Del("Oci-Filters-Applied") }, wire.OpReferrers)},
		{id: "ref-06", wrap: edit(func(a *reply) { a.Header().Del("Oci-Subject") }, wire.OpManifestPut)},
		{id: "ref-06", wrap: edit(func(a *reply) {
			if strings.Contains(a.sent, `"subject"`) {
				a.Header().Set("Oci-Subject", digest.FromString("x").String())
			}
		}, wire.OpManifestPut)},
		{id: "ref-07", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return strings.HasSuffix(route.Repository, "ref-07") && bodyHas(r, `"subject"`)
		}, 404, "")},
		{id: "ref-08", wrap: edit(func(a *reply) {
			if a.Code == 400 {
				a.set(200, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
			}
		}, wire.OpReferrers)},
		{id: "ref-09", wrap: staleReferrers()},
		{id: "ref-10", wrap: referrersOf(func(_ *reply, list []any) []any { return list[:min(len(list), 50)] })},
		{id: "ref-11", wrap: referrersOf(func(_ *reply, list []any) []any {
			if len(list) == 12 {
				return list[:11]
			}
			return list
		})},
		{id: "ref-15", wrap: ask(func(r *http.Request, route wire.Route) {
			r.URL.Path = strings.Replace(r.URL.Path, "/other/", "/", 1)
		}, wire.OpReferrers)},
		{id: "ref-16", wrap: referrersOf(func(_ *reply, list []any) []any {
			for _, d := range list {
				if m := d.(map[string]any); m["mediaType"] == "application/vnd.oci.image.index.v1+json" && m["artifactType"] == nil {
					m["artifactType"] = "application/vnd.example.guess"
				}
			}
			return list
		})},
		{id: "del-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestDelete && route.Tag != ""
		}, 202, "")},
		{id: "del-02", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestDelete && route.Digest != ""
		}, 202, "")},
		{id: "del-03", wrap: instead(opIs(wire.OpBlobDelete), 202, ""), also: []string{"sec-05"}},
		{id: "del-04", wrap: status(404, 202, wire.OpBlobDelete), also: []string{"sec-05"}},
		{id: "del-05", wrap: edit(func(a *reply) {
			if a.Code == 404 && a.route.Digest != "" {
				a.set(202, "")
			}
		}, wire.OpManifestDelete)},
		{id: "del-06", wrap: tagsOf(func(a *reply, tags []any) []any {
			if strings.HasSuffix(a.route.Repository, "del-06") {
				return append(tags, "two")
			}
			return tags
		})},
		{id: "del-07", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if route := wire.ParseRoute(r.Method, r.URL); route.Op == wire.OpManifestDelete && route.Tag == "one" {
					besides(next, r, strings.TrimSuffix(r.URL.Path, "one")+"two")
				}
				next.ServeHTTP(w, r)
			})
		}},
		{id: "del-08", wrap: staleDeletes()},
		{id: "del-09", wrap: deletesEverywhere(), also: []string{"mount-08"}},
		{id: "del-11", wrap: edit(func(a *reply) {
			if a.Code == 404 && strings.HasSuffix(a.route.Repository, "del-11") {
				a.set(500, "")
			}
		}, wire.OpBlobDelete)},
	}
}

// tagsWithoutLimit ignores ?n=.
func tagsWithoutLimit() func(http.Handler) http.Handler {
	return ask(func(r *http.Request, _ wire.Route) {
		q := r.URL.Query()
		q.Del("n")
		r.URL.RawQuery = q.Encode()
	}, wire.OpTagsList)
}

// lateTags lists tags of tag-15 one request late.
func lateTags() func(http.Handler) http.Handler {
	return tagsOf(func(a *reply, tags []any) []any {
		if strings.HasSuffix(a.route.Repository, "tag-15") {
			return tags[:0]
		}
		return tags
	})
}

func referrersOf(change func(a *reply, list []any) []any) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		jsonOf(a, func(m map[string]any) {
			if list, ok := m["manifests"].([]any); ok {
				m["manifests"] = change(a, list)
			}
		})
	}, wire.OpReferrers)
}

// staleReferrers go on listing what was deleted in ref-09.
func staleReferrers() func(http.Handler) http.Handler {
	return instead(func(_ *http.Request, route wire.Route) bool {
		return route.Op == wire.OpManifestDelete && strings.HasSuffix(route.Repository, "ref-09")
	}, 202, "")
}

// staleDeletes answers 404 for the blobs of del-08 for good once one was deleted.
func staleDeletes() func(http.Handler) http.Handler {
	var mu sync.Mutex
	gone := false
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if strings.HasSuffix(route.Repository, "del-08") {
				mu.Lock()
				gone = gone || route.Op == wire.OpBlobDelete
				stale := gone && route.Op == wire.OpBlobGet
				mu.Unlock()
				if stale {
					w.WriteHeader(404)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
