package conformance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

const typeOfIndex = "application/vnd.oci.image.index.v1+json"

// at is true of an operation in the repository of a check.
func at(id string, ops ...wire.Op) func(wire.Route) bool {
	return func(route wire.Route) bool {
		return slices.Contains(ops, route.Op) && strings.HasSuffix(route.Repository, "/"+id)
	}
}

// where edits the answers of operations in the repository of a check.
func where(id string, change func(a *reply), ops ...wire.Op) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if at(id, ops...)(a.route) {
			change(a)
		}
	}, ops...)
}

// deepManifestWitnesses are defects of manifests that show only in some of them: the
// second time, of an index, by digest.
func deepManifestWitnesses() []witness {
	return []witness{
		{id: "man-03", wrap: edit(func(a *reply) {
			accept := a.r.Header["Accept"]
			if kind := a.Header().Get("Content-Type"); a.Code == 200 && len(accept) > 1 && !strings.Contains(accept[0], kind) && strings.Contains(kind, "oci.image.manifest") {
				a.set(404, "")
			}
		}, wire.OpManifestGet)},
		{id: "man-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			if !at("man-01", wire.OpManifestPut)(route) {
				return false
			}
			var doc struct{ Config struct{ Size int } }
			return json.Unmarshal([]byte(bodyOf(r)), &doc) == nil && doc.Config.Size > 8<<10
		}, 400, "")},
		{id: "man-07", wrap: edit(func(a *reply) {
			if a.route.Tag == "" {
				a.Header().Del("Location")
			}
		}, wire.OpManifestPut)},
		{id: "man-08", wrap: edit(func(a *reply) {
			a.Body = bytes.NewBuffer(bytes.ReplaceAll(a.Body.Bytes(), []byte("<"), []byte(`\u003c`)))
		}, wire.OpManifestGet)},
		{id: "man-08", wrap: edit(func(a *reply) {
			if a.Header().Get("Content-Type") == typeOfIndex && bytes.Contains(a.Body.Bytes(), []byte("org.example.unknown")) {
				jsonOf(a, func(m map[string]any) { delete(m, "org.example.unknown") })
			}
		}, wire.OpManifestGet)},
		{id: "man-15", wrap: ask(func(r *http.Request, _ wire.Route) {
			var doc struct{ MediaType string }
			if json.Unmarshal([]byte(bodyOf(r)), &doc) == nil && doc.MediaType == typeOfIndex {
				r.Header.Set("Content-Type", typeOfIndex)
			}
		}, wire.OpManifestPut)},
		{id: "man-18", wrap: edit(func(a *reply) {
			if a.Code == 400 && strings.Contains(a.sent, `"config"`) && missing(a, "config") {
				a.set(500, "")
			}
		}, wire.OpManifestPut)},
		{id: "man-25", wrap: instead(goesBack(), 201, "")},
		{id: "man-29", wrap: func(next http.Handler) http.Handler {
			return edit(func(a *reply) {
				if a.route.Tag != "" && a.Code == 200 {
					a.Header().Set("Etag", `"`+a.route.Tag+`"`)
					if a.r.Header.Get("X-Had") == `"`+a.route.Tag+`"` {
						a.set(304, "")
					}
				}
			}, wire.OpManifestGet)(ask(func(r *http.Request, route wire.Route) {
				if route.Tag != "" {
					r.Header.Set("X-Had", r.Header.Get("If-None-Match"))
					r.Header.Del("If-None-Match")
				}
			}, wire.OpManifestGet)(next))
		}},
		{id: "err-01", wrap: edit(func(a *reply) {
			if a.Code == 404 && a.Body.Len() > 0 {
				a.set(404, `{"error":"gone"}`)
			}
		}, wire.OpBlobDelete)},
		{id: "err-04", wrap: where("err-04", func(a *reply) {
			if a.Code >= 400 {
				a.set(a.Code, strings.ToLower(a.Body.String()))
			}
		}, wire.OpUploadCancel)},
		{id: "err-11", wrap: edit(func(a *reply) { a.Header().Set("Warning", `199 - "old"`) }, wire.OpManifestPut)},
		{id: "err-11", wrap: edit(func(a *reply) {
			a.Header().Set("Warning", `299 - "old" "Wed, 21 Oct 2015 07:28:00 GMT"`)
		}, wire.OpBlobGet)},
		{id: "err-12", wrap: where("err-12", func(a *reply) {
			if a.Code == 404 && a.route.Digest != "" {
				a.set(200, "")
			}
		}, wire.OpManifestHead)},
		{id: "man-03", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return at("man-03", wire.OpManifestPut)(route) && !strings.Contains(bodyOf(r), `"mediaType": "application/vnd.oci.image.manifest`)
		}, 400, "")},
		{id: "man-25", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return at("man-25", wire.OpManifestGet)(route) && route.Tag == "old"
		}, 404, "")},
		{id: "man-31", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return at("man-31", wire.OpManifestPut)(route) && bodyHas(r, "vnd.example.content")
		}, 400, "")},
		{id: "sec-01", wrap: givesWhatIsBelow()},
		{id: "sec-04", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadStart && strings.Contains(route.Repository+"/", "/manifests/")
		}, 404, "")},
	}
}

// givesWhatIsBelow gives for a manifest that a repository has not the one of that name
// below it.
func givesWhatIsBelow() func(http.Handler) http.Handler {
	return ask(func(r *http.Request, route wire.Route) {
		if at("sec-01", wire.OpManifestGet)(route) && route.Tag == "below" {
			r.URL.Path = strings.Replace(r.URL.Path, "/sec-01/", "/sec-01/below/", 1)
		}
	}, wire.OpManifestGet)
}

// missing reports whether an error is about what a field of the manifest names.
func missing(a *reply, field string) bool {
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(a.sent), &doc) != nil {
		return false
	}
	d := digest.DigestRegexp.FindString(string(doc[field]))
	return d != "" && strings.Contains(a.Body.String(), d)
}

// goesBack is true of a tag's manifest that it had before, in man-25.
func goesBack() func(*http.Request, wire.Route) bool {
	var mu sync.Mutex
	had := map[string]bool{}
	return func(r *http.Request, route wire.Route) bool {
		if !at("man-25", wire.OpManifestPut)(route) || route.Tag == "" {
			return false
		}
		key := route.Repository + route.Tag + digest.FromString(bodyOf(r)).String()
		mu.Lock()
		defer mu.Unlock()
		before := had[key]
		had[key] = true
		return before
	}
}

// sticky answers an operation of a check as it first did when it gives 404.
func sticky(id string, ops ...wire.Op) func(http.Handler) http.Handler {
	var mu sync.Mutex
	first := map[string][]byte{}
	return where(id, func(a *reply) {
		mu.Lock()
		defer mu.Unlock()
		key := a.r.Method + a.r.URL.Path
		switch body, ok := first[key]; {
		case a.Code == 200 && !ok:
			first[key] = bytes.Clone(a.Body.Bytes())
		case a.Code == 404 && ok:
			a.set(200, string(body))
		}
	}, ops...)
}

// deepListWitnesses are defects of lists and deletions that show only in some of them.
func deepListWitnesses() []witness {
	page := func(id string, when func(a *reply, tags []any) bool, change func(tags []any) []any) witness {
		return witness{id: id, wrap: tagsOf(func(a *reply, tags []any) []any {
			if strings.HasSuffix(a.route.Repository, "/"+id) && when(a, tags) {
				return change(tags)
			}
			return tags
		})}
	}
	query := func(a *reply, name string) string { return a.r.URL.Query().Get(name) }
	return []witness{
		page("tag-01", func(_ *reply, tags []any) bool { return slices.Contains(tags, any("latest")) }, func(tags []any) []any {
			return append([]any{"latest"}, slices.DeleteFunc(tags, func(t any) bool { return t == "latest" })...)
		}),
		page("tag-03", func(a *reply, _ []any) bool { return query(a, "n") == "1" }, func(tags []any) []any { return append(tags, "zzz") }),
		page("tag-04", func(a *reply, _ []any) bool { return query(a, "last") != "" && query(a, "n") == "" }, func(tags []any) []any { return append([]any{"a"}, tags...) }),
		page("tag-05", func(a *reply, _ []any) bool { return query(a, "last") != "" }, func([]any) []any { return []any{"a"} }),
		page("tag-07", func(a *reply, tags []any) bool { return len(tags) > 50 && query(a, "n") != "" }, func(tags []any) []any { return tags[:50] }),
		page("tag-15", func(_ *reply, tags []any) bool { return slices.Contains(tags, any("index")) }, func(tags []any) []any {
			return slices.DeleteFunc(tags, func(t any) bool { return t == "index" })
		}),
		{id: "tag-13", wrap: ask(func(r *http.Request, route wire.Route) {
			r.URL.Path = strings.ReplaceAll(r.URL.Path, "with+plus", "with_plus")
		}, wire.OpManifestPut)},
		{id: "lim-04", wrap: where("lim-04", func(a *reply) {
			if n := query(a, "n"); n != "" {
				jsonOf(a, func(m map[string]any) { m["tags"] = m["tags"].([]any)[:100] })
			}
		}, wire.OpTagsList)},
		{id: "del-01", wrap: sticky("del-01", wire.OpTagsList, wire.OpManifestGet)},
		{id: "del-02", wrap: sticky("del-02", wire.OpManifestHead)},
		{id: "del-03", wrap: sticky("del-03", wire.OpBlobHead)},
		{id: "tag-14", wrap: ask(func(r *http.Request, route wire.Route) {
			if at("tag-14", wire.OpManifestGet)(route) && route.Tag == "cas" {
				r.URL.Path += "e"
			}
		}, wire.OpManifestGet)},
		{id: "del-06", wrap: takesChildren()},
		{id: "del-09", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return at("del-09", wire.OpManifestGet)(route) && route.Digest != ""
		}, 404, "")},
		{id: "del-08", wrap: buried()},
	}
}

// takesChildren deletes, with an index of del-06, the images that it names.
func takesChildren() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if !at("del-06", wire.OpManifestDelete)(route) || route.Digest == "" {
				next.ServeHTTP(w, r)
				return
			}
			got := &unseen{header: http.Header{}}
			get := r.Clone(r.Context())
			get.Method = http.MethodGet
			get.Header.Set("Accept", typeOfIndex)
			next.ServeHTTP(got, get)
			next.ServeHTTP(w, r)
			var doc struct{ Manifests []struct{ Digest string } }
			if json.Unmarshal(got.body.Bytes(), &doc) != nil {
				return
			}
			for _, child := range doc.Manifests {
				gone := r.Clone(r.Context())
				gone.URL.Path = "/v2/" + route.Repository + "/manifests/" + child.Digest
				next.ServeHTTP(&unseen{header: http.Header{}}, gone)
			}
		})
	}
}

// An unseen takes an answer that nobody sees.
type unseen struct {
	header http.Header
	body   bytes.Buffer
}

func (u *unseen) Header() http.Header         { return u.header }
func (u *unseen) Write(b []byte) (int, error) { return u.body.Write(b) }
func (u *unseen) WriteHeader(int)             {}

// buried answers 404, by digest, for the manifests of del-08 once they were deleted.
func buried() func(http.Handler) http.Handler {
	return recall(func(_ *http.Request, route wire.Route, _ []byte) string {
		if at("del-08", wire.OpManifestDelete)(route) {
			return route.Digest.String()
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if at("del-08", wire.OpManifestGet)(a.route) && a.route.Digest != "" && seen(a.route.Digest.String()) {
			a.set(404, "")
		}
	})
}

// deepReferrerWitnesses are defects of referrers that show only in some of them.
func deepReferrerWitnesses() []witness {
	each := func(id string, change func(d map[string]any)) witness {
		return witness{id: id, wrap: referrersOf(func(a *reply, list []any) []any {
			for _, d := range list {
				if strings.HasSuffix(a.route.Repository, "/"+id) {
					change(d.(map[string]any))
				}
			}
			return list
		})}
	}
	return []witness{
		{id: "ref-01", wrap: edit(func(a *reply) {
			if strings.Contains(a.Body.String(), `"manifests":[]`) && a.r.URL.RawQuery == "" && strings.HasSuffix(a.route.Repository, "/ref-01") {
				a.set(404, "")
			}
		}, wire.OpReferrers)},
		each("ref-03", func(d map[string]any) {
			if d["mediaType"] == typeOfIndex {
				delete(d, "annotations")
			}
		}),
		each("ref-03", func(d map[string]any) {
			if d["artifactType"] == "application/vnd.example.config+json" {
				delete(d, "artifactType")
			}
		}),
		{id: "ref-05", wrap: edit(func(a *reply) {
			if want := a.r.URL.Query().Get("artifactType"); strings.Contains(want, "+") && strings.HasSuffix(a.route.Repository, "/ref-05") {
				jsonOf(a, func(m map[string]any) { m["manifests"] = []any{} })
			}
		}, wire.OpReferrers)},
		{id: "ref-03", wrap: referrersOf(func(a *reply, list []any) []any {
			if at("ref-03", wire.OpReferrers)(a.route) && len(list) == 1 {
				return []any{}
			}
			return list
		})},
		{id: "ref-06", wrap: edit(func(a *reply) {
			if a.route.Tag != "" {
				a.Header().Del("Oci-Subject")
			}
		}, wire.OpManifestPut)},
		{id: "ref-07", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return at("ref-07", wire.OpManifestPut)(route) && r.Header.Get("Content-Type") == typeOfIndex && bodyHas(r, `"subject"`)
		}, 404, "")},
		{id: "ref-10", wrap: referrersOf(func(a *reply, list []any) []any {
			if a.r.URL.RawQuery != "" {
				return list[:min(len(list), 20)]
			}
			return list
		})},
	}
}
