package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func uploadWitnesses() []witness {
	sized := regexp.MustCompile(`^(\d+)-(\d+)$`)
	shift := func(h http.Header, by int) {
		if m := sized.FindStringSubmatch(h.Get("Range")); m != nil {
			end, _ := strconv.Atoi(m[2])
			h.Set("Range", fmt.Sprintf("%s-%d", m[1], end+by))
		}
	}
	return []witness{
		{id: "mono-01", wrap: status(202, 200, wire.OpUploadStart)},
		{id: "mono-02", wrap: without("Location", wire.OpUploadStart)},
		{id: "mono-03", wrap: without("Location", wire.OpUploadPut)},
		{id: "mono-03", wrap: status(201, 200, wire.OpUploadPut), also: []string{"dig-07", "mono-09", "mono-15", "mono-17", "res-10"}},
		{id: "mono-04", wrap: oneSession()},
		{id: "mono-05", wrap: edit(func(a *reply) {
			if strings.Contains(a.r.URL.Path, "/mono-05/") {
				a.Header().Set("Location", strings.Replace(a.Header().Get("Location"), "/mono-05/", "/mono-5/", 1))
			}
		}, wire.OpUploadStart)},
		{id: "mono-07", wrap: edit(func(a *reply) {
			if a.r.Method == http.MethodPut && strings.Contains(a.r.URL.Path, "/uploads/") && !a.r.URL.Query().Has("digest") {
				a.set(201, "")
			}
		}, wire.OpUploadPut, wire.OpOther)},
		{id: "mono-08", wrap: without("Docker-Upload-Uuid", wire.OpUploadStart)},
		{id: "mono-10", wrap: status(404, 204, wire.OpUploadStatus), also: []string{"chunk-21", "chunk-22", "sec-07"}, eras: []string{"era-bad-line-best"}},
		{id: "mono-11", wrap: instead(once(wire.OpUploadPut, "mono-11"), 409, "")},
		{id: "mono-12", wrap: status(404, 500, wire.OpUploadPut), also: []string{"chunk-20", "chunk-21", "chunk-22", "err-06", "res-05"}},
		{id: "mono-13", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPut && r.ContentLength < 0
		}, 411, "")},
		{id: "mono-14", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if wire.ParseRoute(r.Method, r.URL).Op == wire.OpUploadPut {
					b, _ := io.ReadAll(r.Body)
					r = r.WithContext(context.WithoutCancel(r.Context()))
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
				}
				next.ServeHTTP(w, r)
			})
		}},
		{id: "mono-16", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.Header.Get("Expect") != "" }, 417, "")},
		{id: "mono-18", wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "urlencoded")
		}, 500, "")},
		{id: "chunk-01", wrap: status(202, 201, wire.OpUploadPatch)},
		{id: "chunk-01", wrap: instead(opIs(wire.OpUploadPatch), 405, ""), also: []string{"chunk-19"}},
		{id: "chunk-02", wrap: without("Location", wire.OpUploadPatch), quirks: fakeregistry.Quirks{PlainLocation: true}},
		{id: "chunk-03", wrap: edit(func(a *reply) { shift(a.Header(), 1) }, wire.OpUploadPatch)},
		{id: "chunk-04", wrap: instead(in("chunk-04", wire.OpUploadPatch, "512-"), 202, "")},
		{id: "chunk-05", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && r.Header.Get("Content-Range") != "" && !strings.HasPrefix(r.Header.Get("Content-Range"), "0-") &&
				strings.HasPrefix(r.Header.Get("Content-Range"), "256-")
		}, 409, ""), also: []string{"chunk-06"}},
		{id: "chunk-06", wrap: takes("512-", wire.OpUploadPatch), also: []string{"chunk-08"}},
		{id: "chunk-07", wrap: takes("512-", wire.OpUploadPut)},
		{id: "chunk-08", wrap: takes("0-", wire.OpUploadPatch)},
		{id: "chunk-09", wrap: takes("128-", wire.OpUploadPatch)},
		{id: "chunk-08", wrap: appendsRefused("/chunk-08")},
		{id: "chunk-09", wrap: appendsRefused("/chunk-09")},
		{id: "chunk-10", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPut && r.ContentLength > 0 && strings.HasPrefix(r.Header.Get("Content-Range"), "256-")
		}, 500, ""), also: []string{"chunk-07"}},
		{id: "chunk-11", wrap: status(204, 202, wire.OpUploadStatus), also: []string{"chunk-12"}},
		{id: "chunk-11", wrap: edit(func(a *reply) { shift(a.Header(), 5) }, wire.OpUploadStatus), also: []string{"chunk-06", "chunk-08", "chunk-09"}, eras: []string{"era-bad-line-best"}},
		{id: "chunk-12", wrap: edit(func(a *reply) {
			if a.Header().Get("Range") == "0-0" {
				a.Header().Del("Location")
			}
		}, wire.OpUploadStatus)},
		{id: "chunk-13", wrap: edit(func(a *reply) {
			if r := a.Header().Get("Range"); r != "" {
				a.Header().Set("Range", "bytes="+r)
			}
		}, wire.OpUploadPatch)},
		{id: "chunk-14", wrap: instead(in("chunk-14", wire.OpUploadPatch, "256-"), 416, "")},
		{id: "chunk-17", quirks: crude(), also: []string{"err-04", "err-06", "lim-02", "man-21", "sec-06"}},
		{id: "chunk-18", wrap: ask(func(r *http.Request, _ wire.Route) {
			var start, end int
			if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "%d-%d", &start, &end); err == nil && r.ContentLength != int64(end-start+1) {
				r.Header.Del("Content-Range")
			}
		}, wire.OpUploadPatch)},
		{id: "chunk-20", wrap: instead(in("other/chunk-20", wire.OpUploadPut, ""), 201, "")},
		{id: "chunk-21", wrap: instead(opIs(wire.OpUploadCancel), 204, ""), also: []string{"chunk-22", "sec-07"}},
		{id: "chunk-22", wrap: edit(func(a *reply) {
			if a.Code == 404 {
				a.set(404, `{"errors":[{"code":"BLOB_UNKNOWN"}]}`)
			}
		}, wire.OpUploadStatus)},
		{id: "chunk-23", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && strings.Contains(r.URL.Path, "chunk-23") && r.Header.Get("Content-Range") == ""
		}, 500, "")},
		{id: "res-01", wrap: afterCut(wire.OpUploadStatus, 404)},
		{id: "res-02", wrap: afterCut(wire.OpUploadPatch, 409), eras: []string{"era-bad-line-best"}},
		{id: "res-04", wrap: oneConnection("res-04")},
		{id: "res-08", wrap: cutManifests()},
		{id: "res-09", wrap: instead(once(wire.OpManifestPut, "/res-09"), 409, "")},
		{id: "mount-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadMount && !strings.HasSuffix(route.From, "mount-03/nowhere")
		}, 201, ""), also: []string{"mount-02", "mount-05", "mount-06"}},
		{id: "mount-01", wrap: without("Location", wire.OpUploadMount), also: []string{"mount-02"}},
		{id: "mount-02", wrap: edit(func(a *reply) {
			if a.Code == 202 && a.route.From != "" {
				a.Header().Set("Location", a.Header().Get("Location")+"x")
			}
		}, wire.OpUploadMount)},
		{id: "mount-03", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadMount && strings.HasSuffix(route.From, "/nowhere")
		}, 404, "")},
		{id: "mount-06", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return strings.Contains(r.URL.RawQuery, "mount=sha256%3Ashort")
		}, 500, "")},
		{id: "mount-08", wrap: deletesEverywhere(), also: []string{"del-09"}},
		{id: "mount-09", wrap: instead(func(_ *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadMount && route.From == route.Repository
		}, 400, "")},
	}
}

// appendsRefused tells, of an upload to which a chunk was refused, that it was taken.
func appendsRefused(id string) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if strings.HasSuffix(a.route.Repository, id) && a.Header().Get("Range") == "0-255" {
			a.Header().Set("Range", "0-511")
		}
	}, wire.OpUploadStatus)
}
