package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// crude is the quirk of several defects at once.
func crude() fakeregistry.Quirks { return fakeregistry.Quirks{DistributionErrors: true} }

func bodyHas(r *http.Request, text string) bool {
	return strings.Contains(bodyOf(r), text)
}

// pushed is true of a manifest whose bytes have all of some texts.
func pushed(texts ...string) func(*http.Request, wire.Route) bool {
	return func(r *http.Request, route wire.Route) bool {
		if route.Op != wire.OpManifestPut {
			return false
		}
		for _, text := range texts {
			if !bodyHas(r, text) {
				return false
			}
		}
		return true
	}
}

func manifestWitnesses() []witness {
	const imageType = "application/vnd.oci.image.manifest.v1+json"
	const refused = `{"errors":[{"code":"MANIFEST_INVALID"}]}`
	content := []wire.Op{wire.OpManifestGet, wire.OpManifestHead}
	return []witness{
		{id: "man-01", wrap: instead(pushed("docker.distribution.manifest.v2"), 415, refused)},
		{id: "man-03", wrap: instead(pushed(imageType), 415, refused), also: []string{}},
		{id: "man-04", wrap: edit(func(a *reply) {
			if strings.Contains(a.Header().Get("Content-Type"), "index") {
				a.Header().Set("Content-Type", "application/json")
			}
		}, wire.OpManifestGet), also: []string{"man-25"}},
		{id: "man-07", wrap: without("Location", wire.OpManifestPut)},
		{id: "man-08", wrap: edit(func(a *reply) {
			if a.Code == 200 && strings.HasSuffix(a.Body.String(), "\n") {
				a.set(200, strings.TrimSpace(a.Body.String()))
			}
		}, wire.OpManifestGet)},
		{id: "man-09", wrap: untaggedHidden()},
		{id: "man-10", wrap: edit(func(a *reply) { a.Header().Set("Content-Length", "3") }, wire.OpManifestHead)},
		{id: "man-11", wrap: edit(func(a *reply) {
			if strings.Contains(a.Header().Get("Content-Type"), "index") {
				a.Header().Set("Docker-Content-Digest", digest.FromString("child").String())
			}
		}, wire.OpManifestHead), also: []string{"man-25"}, eras: []string{"era-bad-line-best"}},
		{id: "man-12", wrap: edit(func(a *reply) {
			if strings.Contains(a.r.Header.Get("Accept"), "prettyjws") && strings.HasSuffix(a.route.Repository, "/man-12") {
				a.set(200, "{}")
			}
		}, wire.OpManifestGet)},
		{id: "man-13", wrap: edit(func(a *reply) {
			if a.Code == 200 {
				a.Header().Set("Content-Type", a.Header().Get("Content-Type")+"; charset=utf-8")
			}
		}, content...)},
		{id: "man-14", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "charset")
		}, 415, refused)},
		{id: "man-15", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && strings.Contains(r.Header.Get("Content-Type"), "index") && bodyHas(r, `"layers"`)
		}, 201, "")},
		{id: "man-16", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && r.Header.Get("Content-Type") == "" && bodyHas(r, "layers") && route.Tag == "bare"
		}, 500, "")},
		{id: "man-17", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && r.ContentLength < 0
		}, 411, "")},
		{id: "man-18", wrap: edit(func(a *reply) {
			if strings.HasPrefix(a.route.Tag, "sparse") && a.Code/100 == 4 && strings.HasSuffix(a.route.Repository, "man-18") {
				a.set(400, refused)
			}
		}, wire.OpManifestPut)},
		{id: "man-19", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "vnd.example.unknown")
		}, 500, "")},
		{id: "man-20", wrap: instead(pushed(`"layers"`, `"manifests"`), 201, "")},
		{id: "man-21", quirks: crude(), also: []string{"chunk-17", "err-04", "err-06", "lim-02", "sec-06"}},
		{id: "man-21", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && bodyOf(r) == "[]"
		}, 201, "")},
		{id: "man-20", wrap: refusesAndStores("/man-20", "both")},
		{id: "man-21", wrap: refusesAndStores("/man-21", "wrong")},
		{id: "man-22", wrap: edit(func(a *reply) {
			if strings.HasPrefix(a.route.Tag, "sparse") && strings.HasSuffix(a.route.Repository, "man-22") {
				a.set(404, "")
			}
		}, wire.OpManifestPut)},
		{id: "man-25", wrap: cachedTags()},
		{id: "man-29", wrap: ask(func(r *http.Request, _ wire.Route) { r.Header.Del("If-None-Match") }, wire.OpManifestGet)},
		{id: "lim-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && r.ContentLength > 1<<20 && r.ContentLength < 5<<20
		}, 413, "")},
		{id: "lim-02", quirks: crude(), also: []string{"chunk-17", "err-04", "err-06", "man-21", "sec-06"}},
		{id: "lim-03", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && strings.Count(bodyOf(r), "tar+gzip") > 100
		}, 400, "")},
		{id: "lim-05", wrap: instead(func(r *http.Request, route wire.Route) bool { return strings.Count(route.Repository, "/") > 6 }, 400, "")},
		{id: "lim-06", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && strings.Count(bodyOf(r), "platform") > 100
		}, 400, "")},
		{id: "lim-09", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.Header.Get("X-Long") != "" }, 502, "")},
		{id: "lim-08", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && strings.HasPrefix(r.Header.Get("Content-Range"), "12800-")
		}, 416, "")},
	}
}

// refusesAndStores gives something under a tag whose manifest was refused.
func refusesAndStores(id, tag string) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if strings.HasSuffix(a.route.Repository, id) && a.route.Tag == tag && a.Code == 404 {
			a.set(200, "{}")
		}
	}, wire.OpManifestGet)
}

// untaggedHidden hides what has no tag.
func untaggedHidden() func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if a.route.Digest != "" && strings.HasSuffix(a.route.Repository, "man-09") {
			a.set(404, "")
		}
	}, wire.OpManifestGet)
}

// cachedTags gives the manifest that a tag had when it was first asked for.
func cachedTags() func(http.Handler) http.Handler {
	var mu sync.Mutex
	kept := map[string]string{}
	return edit(func(a *reply) {
		if a.Code != 200 || a.route.Tag == "" || !strings.HasSuffix(a.route.Repository, "man-25") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		key := a.r.URL.Path
		if kept[key] == "" {
			kept[key] = a.Body.String()
		}
		a.set(200, kept[key])
	}, wire.OpManifestGet)
}

func otherWitnesses() []witness {
	errorWith := func(change func(e map[string]any)) func(http.Handler) http.Handler {
		return edit(func(a *reply) {
			var m struct {
				Errors []map[string]any `json:"errors"`
			}
			if a.Code/100 != 4 || json.Unmarshal(a.Body.Bytes(), &m) != nil {
				return
			}
			for _, e := range m.Errors {
				change(e)
			}
			b, _ := json.Marshal(m)
			a.set(a.Code, string(b))
		})
	}
	return []witness{
		{id: "err-01", wrap: edit(func(a *reply) {
			if a.route.Op == wire.OpTagsList && a.Code == 404 {
				a.set(404, `{"message":"no such repository"}`)
			}
		})},
		{id: "err-02", quirks: fakeregistry.Quirks{PlainErrors: true}},
		{id: "err-03", wrap: errorWith(func(e map[string]any) {
			if e["code"] == "NAME_UNKNOWN" {
				e["code"] = "DENIED"
			}
		})},
		{id: "err-04", wrap: errorWith(func(e map[string]any) {
			if e["code"] == "BLOB_UNKNOWN" {
				e["code"] = "BLOB_NOT_FOUND"
			}
		}), also: []string{"err-03"}},
		{id: "err-05", wrap: errorWith(func(e map[string]any) { e["message"] = "panic: x\ngoroutine 7 [running]:" })},
		{id: "err-06", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.Header.Get("Accept"), ";;,,") {
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
		}},
		{id: "err-10", wrap: instead(func(r *http.Request, _ wire.Route) bool { return strings.HasSuffix(r.URL.Path, "/nothing/here") }, 200, "{}")},
		{id: "err-11", wrap: edit(func(a *reply) { a.Header().Set("Warning", `110 - "`+strings.Repeat("x", 5000)+`"`) })},
		{id: "err-12", wrap: status(404, 400, wire.OpManifestHead), also: []string{"del-01", "del-02", "sec-01", "tag-14"}},
		{id: "conc-01", wrap: instead(once(wire.OpUploadPut, "conc-01"), 409, ""), also: []string{}},
		{id: "conc-02", wrap: tagsOf(func(a *reply, tags []any) []any {
			if !strings.HasSuffix(a.route.Repository, "/conc-02") {
				return tags
			}
			return tags[:min(len(tags), 15)]
		})},
		{id: "conc-03", wrap: instead(in("conc-03", wire.OpManifestPut, ""), 500, "")},
		{id: "conc-04", wrap: edit(func(a *reply) {
			if a.Code == 200 && strings.HasSuffix(a.route.Repository, "conc-04") {
				a.set(200, a.Body.String()[:10])
			}
		}, wire.OpManifestGet)},
		{id: "conc-05", wrap: instead(in("conc-05", wire.OpUploadPatch, "256-"), 202, "")},
		{id: "conc-08", wrap: instead(func(_ *http.Request, route wire.Route) bool { return route.Tag == "tag7" }, 404, "")},
		{id: "sec-01", quirks: fakeregistry.Quirks{GlobalBlobs: true}, also: []string{"del-03", "dig-07", "mono-17"}},
		{id: "sec-02", wrap: ask(func(r *http.Request, route wire.Route) {
			if strings.HasSuffix(route.Repository, "sec-02") && !strings.Contains(route.Repository, "/other/") {
				r.URL.Path = strings.Replace(r.URL.Path, "/sec-02/", "/other/sec-02/", 1)
				r.URL.Path = strings.Replace(r.URL.Path, "/other/other/", "/other/", 1)
			}
		}, wire.OpBlobGet)},
		{id: "sec-03", wrap: instead(func(r *http.Request, _ wire.Route) bool { return strings.Contains(r.URL.Path, "etc/passwd") }, 200, "root:x:0:0"), also: []string{"sec-05"}},
		{id: "sec-04", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return r.Method == "POST" && strings.Contains(r.URL.Path, "/UPPER/")
		}, 202, "")},
		{id: "sec-10", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && route.Tag == "deep" && strings.HasSuffix(route.Repository, "sec-10")
		}, 500, "")},
		{id: "sec-13", tcp: smuggler},
		{id: "http-06", wrap: edit(func(a *reply) {
			if a.Code == 200 {
				a.Header().Set("Content-Encoding", "gzip")
			}
		}, wire.OpBlobGet)},
		{id: "http-08", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadStart && strings.HasPrefix(r.Header.Get("User-Agent"), "skopeo")
		}, 403, "")},
		{id: "http-09", wrap: edit(func(a *reply) { a.Header()["Date"] = nil })},
	}
}
