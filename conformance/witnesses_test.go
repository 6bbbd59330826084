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
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func opIs(ops ...wire.Op) func(*http.Request, wire.Route) bool {
	return func(_ *http.Request, route wire.Route) bool { return slices.Contains(ops, route.Op) }
}

// witnesses are the planted defects.
func witnesses() []witness {
	return slices.Concat(blobWitnesses(), uploadWitnesses(), manifestWitnesses(), listWitnesses(), otherWitnesses(), waitWitnesses(), raceWitnesses(), largeWitnesses(), eraWitnesses(), deepWitnesses())
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
		{id: "blob-02", wrap: status(404, 200, wire.OpBlobHead), also: []string{"blob-14", "chunk-07", "del-03", "dig-06", "err-12", "mono-07", "mono-14", "perf-01", "sec-01", "sec-05"}, eras: []string{"era-bad-line-docker-28"}},
		{id: "blob-03", wrap: edit(func(a *reply) {
			if a.Code == 200 && a.Body.Len() > 4000 && strings.HasSuffix(a.route.Repository, "/blob-03") {
				a.set(200, a.Body.String()[:4000])
			}
		}, wire.OpBlobGet)},
		{id: "blob-04", wrap: status(404, 200, wire.OpBlobGet), also: []string{"blob-14", "del-03", "dig-04", "dig-06", "err-12", "sec-01"}},
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
		{id: "blob-12", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "blob-12") && r.Method == http.MethodGet {
					http.Redirect(w, r, "/nowhere", http.StatusTemporaryRedirect)
					return
				}
				next.ServeHTTP(w, r)
			})
		}},
		{id: "blob-14", wrap: earlyBlob(), also: []string{"mono-07"}},
		{id: "dig-01", wrap: without("Docker-Content-Digest", wire.OpBlobHead, wire.OpBlobGet, wire.OpManifestHead, wire.OpManifestGet), eras: []string{"era-bad-line-best"}},
		{id: "dig-01", wrap: edit(func(a *reply) {
			if a.Code == 200 {
				a.Header().Set("Docker-Content-Digest", digest.FromString("x").String())
			}
		}, wire.OpBlobHead, wire.OpBlobGet), also: []string{"dig-07", "mono-17"}},
		{id: "dig-02", wrap: without("Docker-Content-Digest", wire.OpManifestPut), eras: []string{"era-bad-line-docker-28"}},
		{id: "dig-03", wrap: edit(func(a *reply) {
			if strings.Contains(a.Body.String(), "DIGEST_INVALID") {
				a.set(400, `{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}`)
			}
		}, wire.OpUploadPut)},
		{id: "dig-04", wrap: keepsCorrupt()},
		{id: "dig-04", wrap: believesPosts()},
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

// believesPosts has every blob that one POST named.
func believesPosts() func(http.Handler) http.Handler {
	return recall(func(r *http.Request, _ wire.Route, _ []byte) string {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/dig-04/") {
			return r.URL.Query().Get("digest")
		}
		return ""
	}, func(a *reply, seen func(string) bool) {
		if a.route.Op == wire.OpBlobGet && a.Code == 404 && seen(a.route.Digest.String()) {
			a.set(200, "other")
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

// oneConnection ties the uploads of a check to the connection that began them.
func oneConnection(id string) func(http.Handler) http.Handler {
	var mu sync.Mutex
	from := map[string]string{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if strings.HasSuffix(route.Repository, id) && route.Session != "" {
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
			if wire.ParseRoute(r.Method, r.URL).Op == wire.OpBlobDelete && strings.Contains(r.URL.Path, "/other/") && !strings.Contains(r.URL.Path, "/conc-") {
				besides(next, r, strings.Replace(r.URL.Path, "/other/", "/", 1))
			}
			next.ServeHTTP(w, r)
		})
	}
}
