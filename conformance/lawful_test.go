package conformance_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// TestLawful: what registries may do as they like never fails a run. Without -full
// what leaves the rest as it is comes together.
func TestLawful(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		quirks fakeregistry.Quirks
		slow   bool // runs with -full alone
	}{
		"relative Locations":            {fakeregistry.Quirks{RelativeLocation: true}, true},
		"Locations without state":       {fakeregistry.Quirks{PlainLocation: true}, true},
		"state in queries":              {fakeregistry.Quirks{LocationQuery: "_nouploadcache=false"}, true},
		"odd Locations":                 {fakeregistry.Quirks{RelativeLocation: true, LocationQuery: "a=%2F%20b&c=1%3B2&d&e=//x?y"}, false},
		"no single POST":                {fakeregistry.Quirks{NoSinglePost: true}, true},
		"no mount":                      {fakeregistry.Quirks{NoMount: true}, true},
		"plain uploads":                 {fakeregistry.Quirks{PlainLocation: true, NoSinglePost: true, NoMount: true}, false},
		"no referrers":                  {fakeregistry.Quirks{NoReferrers: true}, true},
		"loose manifests":               {fakeregistry.Quirks{LooseManifests: true}, true},
		"no referrers, loose manifests": {fakeregistry.Quirks{NoReferrers: true, LooseManifests: true}, false},
		"a smallest chunk":              {fakeregistry.Quirks{MinChunk: 2000}, false},
		"no deletion":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.slow && !*full {
				return
			}
			o := fakeregistry.V2Options{Quirks: row.quirks, Delete: name != "no deletion"}
			report := run(t, fake(t, o), conformance.Options{Profile: "all", Skip: append(costly(), "auth"), Seed: 1})
			for id, what := range unmet(report) {
				if !(id == "sec-02" && o.Quirks.LooseManifests) {
					t.Errorf("%s: %s", id, what)
				}
			}
		})
	}
}

// TestLawfulHTTP: the same of what servers and proxies may do.
func TestLawfulHTTP(t *testing.T) {
	t.Parallel()
	redirect := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wire.ParseRoute(r.Method, r.URL).Op == wire.OpBlobGet && !strings.HasPrefix(r.URL.Path, "/storage") && !strings.Contains(r.URL.Path, "\x00") {
				http.Redirect(w, r, "/storage"+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/storage")
			next.ServeHTTP(w, r)
		})
	}
	elsewhere := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rest, ok := strings.CutPrefix(r.URL.Path, "/uploads-of"); ok {
				r.URL.Path = rest
			}
			edit(func(a *reply) {
				if u, err := a.r.URL.Parse(a.Header().Get("Location")); err == nil && strings.Contains(u.Path, "/blobs/uploads/") {
					a.Header().Set("Location", "/uploads-of"+u.RequestURI())
				}
			})(next).ServeHTTP(w, r)
		})
	}
	beside := edit(func(a *reply) { // a Location beside the request's own path
		if u, err := a.r.URL.Parse(a.Header().Get("Location")); err == nil && strings.Contains(u.Path, "/blobs/uploads/") {
			a.Header().Set("Location", path.Base(u.Path)+"?"+u.RawQuery)
		}
	}, wire.OpUploadStart, wire.OpUploadPatch, wire.OpUploadStatus)
	pages, types := without("Link", wire.OpTagsList), without("Content-Type", wire.OpBlobHead)
	for name, w := range map[string]witness{
		"blobs by redirect":           {wrap: redirect, slow: true},
		"Location outside /v2/":       {wrap: elsewhere},
		"Location beside the request": {wrap: beside},
		"pages without Link":          {wrap: pages, slow: true},
		"blobs without a type":        {wrap: types, slow: true},
		"no Link, no type, redirects": {wrap: func(next http.Handler) http.Handler { return redirect(pages(types(next))) }},
		"connections that close":      {wrap: edit(func(a *reply) { a.Header().Set("Connection", "close") }), slow: true}, // as HTTP/1.0's do
		"HTTP/1.0":                    {tcp: oldServer},
		"50 ms before each answer":    {wrap: late, slow: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if w.slow && !*full {
				return
			}
			o := conformance.Options{Profile: "all", Skip: append(costly(), "auth"), Seed: 1}
			if name == "50 ms before each answer" {
				o.Parallel, o.Skip = 32, []string{"auth", "lim-04", "perf", "ref-10", "conc-11"}
			}
			report := run(t, served(t, w), o)
			for id, what := range unmet(report) {
				if id != "http-01" { // a note
					t.Errorf("%s: %s", id, what)
				}
			}
		})
	}
}

// late keeps every request waiting.
func late(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		next.ServeHTTP(w, r)
	})
}

// oldServer answers in HTTP/1.0: one request a connection, and its end ends a body.
func oldServer(t *testing.T, backend string) string {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return proxied(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		r.URL.Scheme, r.URL.Host, r.RequestURI = "http", backend, ""
		resp, err := transport.RoundTrip(r)
		if err != nil {
			_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n")
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		resp.Proto, resp.ProtoMajor, resp.ProtoMinor, resp.Close = "HTTP/1.0", 1, 0, true
		_ = resp.Write(c) // the client may be gone
	})
}
