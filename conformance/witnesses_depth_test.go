package conformance_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An uploading is what a session has taken.
type uploading struct {
	chunks int
	data   []byte
}

// followed gives each request to an upload, and what that has taken before, to before,
// which may change the request; and the answer to after. Either may be nil.
func followed(before func(r *http.Request, route wire.Route, body []byte, u uploading) []byte, after func(a *reply, u uploading)) func(http.Handler) http.Handler {
	var mu sync.Mutex
	all := map[string]uploading{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if route.Session == "" {
				next.ServeHTTP(w, r)
				return
			}
			body := []byte(bodyOf(r))
			mu.Lock()
			u := all[route.Session]
			mu.Unlock()
			sent := body
			if before != nil {
				sent = before(r, route, body, u)
			}
			if r.Method == http.MethodPatch || r.Method == http.MethodPut {
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
			}
			edit(func(a *reply) {
				mu.Lock()
				if r.Method == http.MethodPatch && a.Code == http.StatusAccepted {
					all[route.Session] = uploading{u.chunks + 1, append(bytes.Clone(u.data), body...)}
				}
				mu.Unlock()
				if after != nil {
					after(a, u)
				}
			})(next).ServeHTTP(w, r)
		})
	}
}

// startOf is where a Content-Range begins; -1 where there is none.
func startOf(r *http.Request) int {
	before, _, _ := strings.Cut(r.Header.Get("Content-Range"), "-")
	if n, err := strconv.Atoi(before); err == nil {
		return n
	}
	return -1
}

// trims takes a chunk that begins a little before an upload's end, without what it has.
func trims(op wire.Op, from int) func(http.Handler) http.Handler {
	return followed(func(r *http.Request, route wire.Route, body []byte, u uploading) []byte {
		over := len(u.data) - startOf(r)
		if route.Op != op || u.chunks < from || startOf(r) < 0 || over <= 0 || over >= len(body) {
			return body
		}
		r.Header.Set("Content-Range", fmt.Sprintf("%d-%d", len(u.data), len(u.data)+len(body)-over-1))
		return body[over:]
	}, nil)
}

// deepUploadWitnesses are defects of uploads that show only in some of them: from the
// second chunk on, of one byte, of a large body.
func deepUploadWitnesses() []witness {
	return []witness{
		{id: "chunk-09", wrap: trims(wire.OpUploadPatch, 2)},
		{id: "chunk-07", wrap: trims(wire.OpUploadPut, 1)},
		{id: "chunk-06", wrap: followed(func(r *http.Request, route wire.Route, body []byte, u uploading) []byte {
			if n := len(u.data); route.Op == wire.OpUploadPatch && startOf(r) == n+1 {
				r.Header.Set("Content-Range", fmt.Sprintf("%d-%d", n, n+len(body)-1))
			}
			return body
		}, nil)},
		{id: "chunk-08", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 416 && u.chunks >= 2 && startOf(a.r) == len(u.data)-256 && a.route.Op == wire.OpUploadPatch && strings.HasSuffix(a.route.Repository, "/chunk-08") {
				a.set(202, "")
			}
		})},
		{id: "chunk-03", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 202 && u.chunks >= 2 && strings.HasSuffix(a.route.Repository, "/chunk-03") {
				a.Header().Set("Range", "0-255")
			}
		})},
		{id: "chunk-04", wrap: followed(func(r *http.Request, _ wire.Route, body []byte, _ uploading) []byte {
			if r.Method == http.MethodPatch && len(body) > 256<<10 && r.Header.Get("Content-Range") != "" {
				start := startOf(r)
				r.Header.Set("Content-Range", fmt.Sprintf("%d-%d", start, start+256<<10-1))
				return body[:256<<10]
			}
			return body
		}, nil)},
		{id: "chunk-10", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 201 && u.chunks > 1 && a.r.Header.Get("Content-Range") != "" {
				a.Header().Set("Location", a.r.URL.RequestURI())
			}
		})},
		{id: "chunk-10", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 201 && u.chunks > 0 && a.r.ContentLength > 64<<10 {
				a.set(413, "")
			}
		})},
		{id: "chunk-11", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 204 && a.r.Method == http.MethodGet && u.chunks >= 2 {
				a.Header().Set("Range", "0-255")
			}
		})},
		{id: "chunk-21", wrap: deaf()},
		{id: "chunk-22", wrap: edit(func(a *reply) {
			if a.Code == 404 && strings.HasSuffix(a.route.Repository, "/chunk-22") {
				a.set(400, `{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}`)
			}
		}, wire.OpUploadPatch)},
		{id: "mono-05", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return r.Method == http.MethodPut && route.Op == wire.OpUploadPut && strings.Contains(r.URL.RawQuery, "digest=sha256:")
		}, 400, "")},
		{id: "mono-07", wrap: followed(func(r *http.Request, route wire.Route, body []byte, u uploading) []byte {
			if q := r.URL.Query(); route.Op == wire.OpUploadPut && u.chunks > 0 && !q.Has("digest") {
				q.Set("digest", digest.FromBytes(append(bytes.Clone(u.data), body...)).String())
				r.URL.RawQuery = q.Encode()
			}
			return body
		}, nil)},
		{id: "mono-10", wrap: lingers()},
		{id: "mono-13", wrap: ask(func(r *http.Request, _ wire.Route) {
			if r.ContentLength < 0 {
				r.Body = io.NopCloser(io.LimitReader(r.Body, 32<<10))
			}
		}, wire.OpUploadPut)},
		{id: "mount-01", wrap: forgetsMounted()},
		{id: "lim-08", wrap: followed(nil, func(a *reply, u uploading) {
			if a.Code == 201 && u.chunks > 50 {
				a.set(400, `{"errors":[{"code":"DIGEST_INVALID"}]}`)
			}
		})},
	}
}

// deaf answers that an upload with bytes in it was cancelled, and goes on with it.
func deaf() func(http.Handler) http.Handler {
	var mu sync.Mutex
	has := map[string]bool{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			mu.Lock()
			if route.Op == wire.OpUploadPatch {
				has[route.Session] = true
			}
			deaf := route.Op == wire.OpUploadCancel && has[route.Session] && strings.HasSuffix(route.Repository, "/chunk-21")
			mu.Unlock()
			if deaf {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// lingers shows an upload in chunks that was closed as one under way.
func lingers() func(http.Handler) http.Handler {
	var mu sync.Mutex
	closed := map[string]bool{}
	return followed(nil, func(a *reply, u uploading) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case a.Code == 201 && u.chunks > 0:
			closed[a.route.Session] = true
		case a.Code == 404 && a.r.Method == http.MethodGet && closed[a.route.Session]:
			a.set(204, "")
			a.Header().Set("Location", a.r.URL.RequestURI())
		}
	})
}

// forgetsMounted takes no image of a layer that was mounted.
func forgetsMounted() func(http.Handler) http.Handler {
	return recall(func(r *http.Request, route wire.Route, _ []byte) string {
		if route.Op == wire.OpUploadMount {
			return route.Repository + r.URL.Query().Get("mount")
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op != wire.OpManifestPut || !strings.HasSuffix(a.route.Repository, "/mount-01") {
			return
		}
		for _, d := range digest.DigestRegexp.FindAllString(a.sent, -1) {
			if seen(a.route.Repository + d) {
				a.set(400, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}`)
			}
		}
	})
}

// believes closes uploads by whatever digest they say, when the bytes are such.
func believes(when func(r *http.Request, u uploading, body []byte) bool) func(http.Handler) http.Handler {
	var mu sync.Mutex
	kept := map[string][]byte{}
	return func(next http.Handler) http.Handler {
		upload := followed(func(r *http.Request, route wire.Route, body []byte, u uploading) []byte {
			if route.Op == wire.OpUploadPut && route.Digest.Validate() == nil && route.Digest.Algorithm() == digest.SHA256 && when(r, u, body) {
				mu.Lock()
				kept[route.Repository+route.Digest.String()] = append(bytes.Clone(u.data), body...)
				mu.Unlock()
			}
			return body
		}, func(a *reply, _ uploading) {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := kept[a.route.Repository+a.route.Digest.String()]; ok && a.Code == 400 {
				a.set(201, "")
				a.Header().Set("Location", "/v2/"+a.route.Repository+"/blobs/"+a.route.Digest.String())
			}
		})(next)
		return edit(func(a *reply) {
			mu.Lock()
			defer mu.Unlock()
			if data, ok := kept[a.route.Repository+a.route.Digest.String()]; ok && a.Code == 404 {
				a.set(200, string(data))
			}
		}, wire.OpBlobGet, wire.OpBlobHead)(upload)
	}
}

// deepBlobWitnesses are defects of blobs and digests that show only in some of them.
func deepBlobWitnesses() []witness {
	large := func(_ *http.Request, u uploading, body []byte) bool { return len(u.data)+len(body) > 64<<10 }
	chunks := func(_ *http.Request, u uploading, _ []byte) bool { return u.chunks > 2 }
	return []witness{
		{id: "dig-04", wrap: believes(large), also: []string{"dig-03"}},
		{id: "dig-04", wrap: believes(chunks), also: []string{"dig-03"}},
		{id: "dig-03", wrap: knowsAlready()},
		{id: "dig-06", wrap: ask(func(r *http.Request, route wire.Route) {
			if strings.HasPrefix(r.URL.Path, "/v2/") && strings.Contains(r.URL.Path, "sha256:") {
				i := strings.Index(r.URL.Path, "sha256:")
				r.URL.Path = r.URL.Path[:i] + strings.ToLower(r.URL.Path[i:])
			}
		}, wire.OpBlobGet, wire.OpBlobHead, wire.OpManifestHead, wire.OpManifestGet)},
		{id: "dig-08", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpManifestPut && route.Digest != "" && r.ContentLength > 1024 && strings.HasSuffix(route.Repository, "/dig-08")
		}, 201, "")},
		{id: "dig-02", wrap: edit(func(a *reply) {
			if a.route.Tag == "" {
				a.Header().Del("Docker-Content-Digest")
			}
		}, wire.OpManifestPut)},
		{id: "dig-01", wrap: edit(func(a *reply) {
			if a.Body.Len() > 128<<10 && strings.HasSuffix(a.route.Repository, "/dig-01") {
				a.Header().Del("Docker-Content-Digest")
			}
		}, wire.OpBlobGet)},
		{id: "blob-01", wrap: edit(func(a *reply) {
			if n, _ := strconv.Atoi(a.Header().Get("Content-Length")); n > 32<<10 {
				a.Header().Set("Content-Length", strconv.Itoa(n+1))
			}
		}, wire.OpBlobHead)},
		{id: "blob-03", wrap: edit(func(a *reply) {
			if a.Code == 200 && a.Body.Len() > 0 && a.Body.Len()%4096 == 0 && strings.HasSuffix(a.route.Repository, "/blob-03") {
				a.set(200, a.Body.String()[1:])
			}
		}, wire.OpBlobGet)},
		{id: "blob-05", wrap: edit(func(a *reply) {
			if a.Code == 206 && strings.HasPrefix(a.r.Header.Get("Range"), "bytes=-2000") {
				a.set(416, "")
			}
		}, wire.OpBlobGet)},
		{id: "blob-08", wrap: edit(func(a *reply) {
			if a.Code == 200 && a.r.Header.Get("If-None-Match") != "" {
				a.set(304, "")
			}
		}, wire.OpBlobGet)},
		{id: "http-06", wrap: edit(func(a *reply) {
			if strings.HasPrefix(a.Body.String(), "\x1f\x8b") && strings.HasSuffix(a.route.Repository, "/http-06") {
				a.Header().Set("Content-Encoding", "gzip")
			}
		}, wire.OpBlobGet)},
	}
}

// knowsAlready takes any bytes for a blob that is there.
func knowsAlready() func(http.Handler) http.Handler {
	return recall(func(_ *http.Request, route wire.Route, body []byte) string {
		if route.Op == wire.OpUploadPut && digest.FromBytes(body) == route.Digest {
			return route.Repository + route.Digest.String()
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op == wire.OpUploadPut && a.Code == 400 && seen(a.route.Repository+a.route.Digest.String()) {
			a.set(201, "")
			a.Header().Set("Location", (&url.URL{Path: "/v2/" + a.route.Repository + "/blobs/" + a.route.Digest.String()}).String())
		}
	})
}

// deepWitnesses are defects that show only in some of what is alike.
func deepWitnesses() []witness {
	return slices.Concat(deepUploadWitnesses(), deepBlobWitnesses(), deepManifestWitnesses(), deepListWitnesses(), deepReferrerWitnesses())
}
