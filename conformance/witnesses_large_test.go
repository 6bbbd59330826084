package conformance_test

import (
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// largeWitnesses are defects of what is large, old, new or of another algorithm.
func largeWitnesses() []witness {
	const refused = `{"errors":[{"code":"MANIFEST_INVALID"}]}`
	n := func(a *reply) string { return a.r.URL.Query().Get("n") }
	return []witness{
		{id: "blob-13", wrap: edit(func(a *reply) {
			if a.Body.Len() > 200<<10 && strings.HasSuffix(a.route.Repository, "/blob-13") {
				a.set(200, a.Body.String()[:200<<10])
			}
		}, wire.OpBlobGet), also: []string{}},
		{id: "chunk-15", wrap: instead(in("chunk-15", wire.OpUploadPatch, ""), 500, "")},
		{id: "chunk-16", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && r.ContentLength > 100<<10 && strings.HasSuffix(route.Repository, "/chunk-16")
		}, 500, "")},
		{id: "chunk-16", wrap: func(next http.Handler) http.Handler {
			announced := edit(func(a *reply) { a.Header().Set("Oci-Chunk-Min-Length", "300") }, wire.OpUploadStart)
			return announced(instead(func(r *http.Request, route wire.Route) bool {
				return route.Op == wire.OpUploadPatch && strings.HasSuffix(route.Repository, "/chunk-16") && r.ContentLength == 300
			}, 400, "")(next))
		}},
		{id: "tag-08", wrap: edit(func(a *reply) {
			if len(n(a)) == 19 {
				a.set(500, "")
			}
		}, wire.OpTagsList)},
		{id: "tag-16", wrap: instead(func(_ *http.Request, route wire.Route) bool { return route.Tag == "moving" }, 500, ""), also: []string{}},
		{id: "lim-04", slow: true, wrap: tagsOf(func(_ *reply, tags []any) []any { return tags[:min(len(tags), 900)] })},
		{id: "lim-07", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPut && r.ContentLength >= 1<<20 && strings.HasSuffix(route.Repository, "/lim-07")
		}, 500, ""), slow: true},
		{id: "sec-05", wrap: instead(func(r *http.Request, _ wire.Route) bool { return strings.Contains(r.URL.RawQuery, "passwd") }, 500, "")},
		{id: "sec-11", wrap: edit(func(a *reply) {
			if a.Body.Len() > 1000 && strings.HasSuffix(a.route.Repository, "/sec-11") {
				a.set(200, a.Body.String()[:1000])
			}
		}, wire.OpBlobGet)},
		{id: "man-05", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "prettyjws")
		}, 500, "")},
		{id: "man-06", wrap: instead(func(_ *http.Request, route wire.Route) bool { return route.Tag == "forged" }, 201, "")},
		{id: "man-28", wrap: edit(func(a *reply) {
			if a.r.URL.Query().Has("tag") {
				a.Header().Set("Oci-Tag", strings.Join(a.r.URL.Query()["tag"], ","))
			}
		}, wire.OpManifestPut)},
		{id: "man-30", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.Header.Get("If-None-Match") == "*" }, 412, "")},
		{id: "man-31", wrap: instead(pushed("tar+zstd"), 415, refused)},
		{id: "man-31", wrap: instead(pushed("attestation-manifest"), 400, refused)},
		{id: "ref-12", wrap: referrersOf(func(a *reply, list []any) []any {
			if strings.HasSuffix(a.route.Repository, "/ref-12") {
				return append(list, list...)
			}
			return list
		})},
		{id: "del-10", wrap: instead(in("del-10", wire.OpManifestDelete, ""), 500, "")},
		{id: "dig-07", wrap: edit(func(a *reply) {
			if a.route.Digest.Validate() == nil && a.route.Digest.Algorithm() == digest.SHA512 && a.Code == 200 {
				a.Header().Set("Docker-Content-Digest", digest.FromBytes(a.Body.Bytes()).String())
			}
		}, wire.OpBlobGet), also: []string{"mono-17"}},
		{id: "mono-17", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.URL.Query().Has("digest-algorithm") }, 500, "")},
		{id: "http-07", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.URL.Query().Has("ns") }, 404, "")},
		{id: "http-10", wrap: edit(func(a *reply) {
			if u, err := a.r.URL.Parse(a.Header().Get("Location")); err == nil && u.Host != "" && strings.HasSuffix(a.route.Repository, "/http-10") {
				u.Host = u.Hostname()
				a.Header().Set("Location", u.String())
			}
		}, wire.OpUploadStart)},
		{id: "v1-02", wrap: v1With(wire.OpV1RepoPut, without("X-Docker-Endpoints"))},
		{id: "v1-03", wrap: v1With(wire.OpV1ChecksumPut, status(200, 400))},
		{id: "v1-05", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.URL.Path == "/v1/search" }, 200, "<html>")},
	}
}

// v1With puts a V1 before the registry, with a change to one of its operations.
func v1With(op wire.Op, change func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	v1 := fakeregistry.NewV1(fakeregistry.V1Options{})
	changed := change(v1)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.HasPrefix(r.URL.Path, "/v1/"):
				next.ServeHTTP(w, r)
			case wire.ParseRoute(r.Method, r.URL).Op == op:
				changed.ServeHTTP(w, r)
			default:
				v1.ServeHTTP(w, r)
			}
		})
	}
}
