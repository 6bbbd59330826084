package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func opIs(ops ...wire.Op) func(*http.Request, wire.Route) bool {
	return func(_ *http.Request, route wire.Route) bool { return slices.Contains(ops, route.Op) }
}

// witnesses are the planted defects.
func witnesses() []witness {
	return slices.Concat(blobWitnesses(), uploadWitnesses(), manifestWitnesses(), listWitnesses(), otherWitnesses())
}

func blobWitnesses() []witness {
	return []witness{
		{id: "ping-01", wrap: instead(opIs(wire.OpPing), 500, "")},
		{id: "ping-04", wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.Method == "HEAD" && r.URL.Path == "/v2/" }, 405, "")},
		{id: "blob-01", wrap: edit(func(a *reply) {
			if a.Code == 200 {
				a.Header().Set("Content-Length", "7")
			}
		}, wire.OpBlobHead)},
		{id: "blob-02", wrap: status(404, 200, wire.OpBlobHead), also: []string{"blob-14", "chunk-07", "del-03", "err-12", "mono-14"}},
		{id: "blob-03", wrap: edit(func(a *reply) {
			if a.Code == 200 && a.Body.Len() > 4000 {
				a.set(200, a.Body.String()[:4000])
			}
		}, wire.OpBlobGet), also: []string{"lim-08"}},
		{id: "blob-04", wrap: status(404, 200, wire.OpBlobGet), also: []string{"dig-04", "dig-06", "err-12", "sec-01"}},
		{id: "blob-05", wrap: edit(func(a *reply) {
			if a.Code == 206 {
				a.Header().Del("Content-Range")
			}
		}, wire.OpBlobGet)},
		{id: "blob-06", wrap: edit(func(a *reply) {
			if a.Code == 416 {
				a.set(206, "")
			}
		}, wire.OpBlobGet)},
		{id: "blob-07", wrap: edit(func(a *reply) {
			if strings.Contains(a.r.Header.Get("Range"), ",") {
				a.Header().Set("Content-Type", "application/octet-stream")
			}
		}, wire.OpBlobGet)},
		{id: "blob-08", wrap: ask(func(r *http.Request, _ wire.Route) { r.Header.Del("If-None-Match") }, wire.OpBlobGet)},
		{id: "blob-09", wrap: edit(func(a *reply) { a.Header().Set("Content-Type", "text/plain") }, wire.OpBlobHead)},
		{id: "blob-10", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPut && route.Digest == digest.FromString("")
		}, 400, "")},
		{id: "blob-11", wrap: edit(func(a *reply) {
			if strings.HasPrefix(a.Body.String(), "<html") {
				a.Header().Set("Content-Type", "text/html")
			}
		}, wire.OpBlobGet)},
		{id: "blob-14", wrap: earlyBlob()},
		{id: "dig-01", wrap: without("Docker-Content-Digest", wire.OpBlobHead, wire.OpBlobGet, wire.OpManifestHead, wire.OpManifestGet)},
		{id: "dig-01", wrap: edit(func(a *reply) {
			if a.Code == 200 {
				a.Header().Set("Docker-Content-Digest", digest.FromString("x").String())
			}
		}, wire.OpBlobHead, wire.OpBlobGet)},
		{id: "dig-02", wrap: without("Docker-Content-Digest", wire.OpManifestPut)},
		{id: "dig-03", wrap: edit(func(a *reply) {
			if strings.Contains(a.Body.String(), "DIGEST_INVALID") {
				a.set(400, `{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}`)
			}
		}, wire.OpUploadPut)},
		{id: "dig-04", wrap: keepsCorrupt()},
		{id: "dig-05", wrap: instead(func(r *http.Request, _ wire.Route) bool { return strings.Contains(r.URL.RawQuery, "md17") }, 201, "")},
		{id: "dig-06", wrap: edit(func(a *reply) {
			if strings.Contains(a.Body.String(), "DIGEST_INVALID") {
				a.set(500, "")
			}
		}, wire.OpBlobGet)},
		{id: "dig-08", wrap: ask(func(r *http.Request, route wire.Route) {
			if route.Digest == "" {
				return
			}
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(b))
			r.URL.Path = strings.Replace(r.URL.Path, route.Digest.String(), digest.FromBytes(b).String(), 1)
		}, wire.OpManifestPut)},
		{id: "dig-09", wrap: brokenAfterRefusal()},
	}
}

// earlyBlob shows a blob as there as soon as a chunk has its digest.
func earlyBlob() func(http.Handler) http.Handler {
	return recall(func(r *http.Request, route wire.Route, body []byte) string {
		if route.Op == wire.OpUploadPatch {
			return digest.FromBytes(body).String()
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op == wire.OpBlobHead && a.Code == 404 && seen(a.route.Digest.String()) {
			a.set(200, "")
		}
	})
}

// keepsCorrupt serves the bytes of a refused blob.
func keepsCorrupt() func(http.Handler) http.Handler {
	return recall(func(r *http.Request, route wire.Route, body []byte) string {
		if route.Op == wire.OpUploadPut && len(body) > 0 && digest.FromBytes(body) != route.Digest {
			return digest.FromBytes(body).String()
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op == wire.OpBlobGet && a.Code == 404 && seen(a.route.Digest.String()) {
			a.set(200, "corrupt")
		}
	})
}

// brokenAfterRefusal answers 500 to a session that had a refused PUT.
func brokenAfterRefusal() func(http.Handler) http.Handler {
	return recall(func(r *http.Request, route wire.Route, body []byte) string {
		if route.Op == wire.OpUploadPut && len(body) > 0 && digest.FromBytes(body) != route.Digest && strings.Contains(r.URL.Path, "dig-09") {
			return route.Session
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op == wire.OpUploadPut && a.Code == 416 && seen(a.route.Session) {
			a.set(500, "")
		}
	})
}

// recall remembers something of requests and changes answers by it.
func recall(note func(r *http.Request, route wire.Route, body []byte) string, change func(a *reply, seen func(string) bool)) func(http.Handler) http.Handler {
	var mu sync.Mutex
	noted := map[string]bool{}
	seen := func(s string) bool {
		mu.Lock()
		defer mu.Unlock()
		return noted[s]
	}
	return func(next http.Handler) http.Handler {
		changed := edit(func(a *reply) { change(a, seen) })(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if s := note(r, wire.ParseRoute(r.Method, r.URL), body); s != "" {
				mu.Lock()
				noted[s] = true
				mu.Unlock()
			}
			changed.ServeHTTP(w, r)
		})
	}
}

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
		{id: "mono-03", wrap: status(201, 200, wire.OpUploadPut), also: []string{"mono-09"}},
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
		{id: "mono-10", wrap: status(404, 204, wire.OpUploadStatus), also: []string{"chunk-21", "chunk-22"}},
		{id: "mono-11", wrap: instead(once(wire.OpUploadPut, "mono-11"), 409, "")},
		{id: "mono-12", wrap: status(404, 500, wire.OpUploadPut), also: []string{"chunk-20", "err-06"}},
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
		}, 409, ""), also: []string{}},
		{id: "chunk-06", wrap: takes("512-", wire.OpUploadPatch)},
		{id: "chunk-07", wrap: takes("512-", wire.OpUploadPut)},
		{id: "chunk-08", wrap: takes("0-", wire.OpUploadPatch)},
		{id: "chunk-09", wrap: takes("128-", wire.OpUploadPatch)},
		{id: "chunk-10", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPut && r.ContentLength > 0 && strings.HasPrefix(r.Header.Get("Content-Range"), "256-")
		}, 500, "")},
		{id: "chunk-11", wrap: status(204, 202, wire.OpUploadStatus), also: []string{"chunk-12"}},
		{id: "chunk-11", wrap: edit(func(a *reply) { shift(a.Header(), 5) }, wire.OpUploadStatus)},
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
		{id: "chunk-17", raw: true, also: []string{"err-04", "err-06", "lim-02", "man-21", "sec-06"}},
		{id: "chunk-18", wrap: ask(func(r *http.Request, _ wire.Route) {
			var start, end int
			if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "%d-%d", &start, &end); err == nil && r.ContentLength != int64(end-start+1) {
				r.Header.Del("Content-Range")
			}
		}, wire.OpUploadPatch)},
		{id: "chunk-20", wrap: instead(in("other/chunk-20", wire.OpUploadPut, ""), 201, "")},
		{id: "chunk-21", wrap: instead(opIs(wire.OpUploadCancel), 204, "")},
		{id: "chunk-22", wrap: edit(func(a *reply) {
			if a.Code == 404 {
				a.set(404, `{"errors":[{"code":"BLOB_UNKNOWN"}]}`)
			}
		}, wire.OpUploadStatus)},
		{id: "chunk-23", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadPatch && strings.Contains(r.URL.Path, "chunk-23") && r.Header.Get("Content-Range") == ""
		}, 500, "")},
		{id: "res-01", wrap: afterCut(wire.OpUploadStatus, 404)},
		{id: "res-02", wrap: afterCut(wire.OpUploadPatch, 409)},
		{id: "res-04", wrap: oneConnection()},
		{id: "res-08", wrap: cutManifests()},
		{id: "res-09", wrap: instead(once(wire.OpManifestPut, ""), 409, ""), also: []string{"conc-02", "conc-04", "dig-02", "man-07"}},
		{id: "mount-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadMount && !strings.HasSuffix(route.From, "mount-03/nowhere")
		}, 201, ""), also: []string{"mount-02", "mount-05", "mount-06"}},
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

// once is true of the second request for the same digest or tag and body.
func once(op wire.Op, id string) func(*http.Request, wire.Route) bool {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(r *http.Request, route wire.Route) bool {
		if route.Op != op || !strings.HasSuffix(route.Repository, id) {
			return false
		}
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		key := fmt.Sprint(route.Repository, route.Digest, route.Tag, digest.FromBytes(b))
		if op == wire.OpUploadPut {
			key = fmt.Sprint(route.Repository, route.Digest)
		}
		mu.Lock()
		defer mu.Unlock()
		defer func() { seen[key] = true }()
		return seen[key]
	}
}

// jsonOf changes a JSON body.
func jsonOf(a *reply, change func(m map[string]any)) {
	var m map[string]any
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &m) != nil {
		return
	}
	change(m)
	b, _ := json.Marshal(m)
	a.set(200, string(b))
}

// in is true of an operation in the repository of a check, with a Content-Range
// that begins so.
func in(id string, op wire.Op, contentRange string) func(*http.Request, wire.Route) bool {
	return func(r *http.Request, route wire.Route) bool {
		return route.Op == op && strings.HasSuffix(route.Repository, "/"+id) && strings.HasPrefix(r.Header.Get("Content-Range"), contentRange)
	}
}

// takes answers a chunk that does not fit as if it did.
func takes(contentRange string, op wire.Op) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if a.Code == 416 && strings.HasPrefix(a.r.Header.Get("Content-Range"), contentRange) {
			a.set(202, "")
		}
	}, op)
}

// oneSession gives every upload of mono-04 one location.
func oneSession() func(http.Handler) http.Handler {
	var mu sync.Mutex
	location := ""
	return edit(func(a *reply) {
		if !strings.Contains(a.r.URL.Path, "mono-04") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if location == "" {
			location = a.Header().Get("Location")
		}
		a.Header().Set("Location", location)
	}, wire.OpUploadStart)
}

// afterCut answers an operation of a session with a status once its line broke.
func afterCut(op wire.Op, status int) func(http.Handler) http.Handler {
	var mu sync.Mutex
	cut := map[string]bool{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			mu.Lock()
			lost := cut[route.Session]
			mu.Unlock()
			if lost && route.Op == op {
				w.WriteHeader(status)
				return
			}
			r.Body = &watched{r.Body, func() {
				mu.Lock()
				cut[route.Session] = true
				mu.Unlock()
			}}
			next.ServeHTTP(w, r)
		})
	}
}

// A watched body tells when it breaks.
type watched struct {
	io.ReadCloser
	broke func()
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broke()
	}
	return n, err
}

// oneConnection ties the uploads of res-04 to the connection that began them.
func oneConnection() func(http.Handler) http.Handler {
	var mu sync.Mutex
	from := map[string]string{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if strings.HasSuffix(route.Repository, "res-04") && route.Session != "" {
				mu.Lock()
				first := from[route.Session]
				if first == "" {
					from[route.Session], first = r.RemoteAddr, r.RemoteAddr
				}
				mu.Unlock()
				if first != r.RemoteAddr {
					w.WriteHeader(404)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// besides sends another request to the registry.
func besides(next http.Handler, r *http.Request, path string) {
	next.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, path, nil).WithContext(context.WithoutCancel(r.Context())))
}

// cutManifests loses the tag of a manifest whose line broke.
func cutManifests() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wire.ParseRoute(r.Method, r.URL).Op == wire.OpManifestPut {
				path := r.URL.Path
				r.Body = &watched{r.Body, func() { besides(next, r, path) }}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// deletesEverywhere deletes a blob in the check's own repository too.
func deletesEverywhere() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wire.ParseRoute(r.Method, r.URL).Op == wire.OpBlobDelete && strings.Contains(r.URL.Path, "/other/") {
				besides(next, r, strings.Replace(r.URL.Path, "/other/", "/", 1))
			}
			next.ServeHTTP(w, r)
		})
	}
}
