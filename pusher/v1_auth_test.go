package pusher_test

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestV1Auth: which requests carry which credentials (P-160 to P-163, P-432, P-597).
func TestV1Auth(t *testing.T) {
	t.Parallel()
	const index, lookup, images = "PUT /v1/repositories/lib/app/", "GET /v1/images/", "PUT /v1/repositories/lib/app/images"
	const token = `Token signature=1,repository="lib/app",access=write`
	const basic = "Basic YWxpY2U6c2VjcmV0"
	alice := pusher.Credentials{Username: "alice", Password: "secret"}
	for _, c := range []struct {
		name                  string
		tls                   bool
		standalone            string // X-Docker-Registry-Standalone
		v2                    int    // status of /v2/ with the version header; 0 is 404 without
		credentials           pusher.Credentials
		index, lookup, images string
	}{
		{"http, nobody", false, "", 0, pusher.Credentials{}, "", token, token},
		{"http, a user", false, "True", 0, alice, basic, token, basic},
		{"https standalone, nobody", true, "True", 0, pusher.Credentials{}, "Basic Og==", "Basic Og==", "Basic Og=="},
		{"https standalone, a user", true, "", 0, alice, basic, basic, basic},
		{"https standalone by number", true, "1", 0, alice, basic, basic, basic},
		{"https, not standalone", true, "False", 0, alice, basic, token, basic},
		{"https, a mirror", true, "mirror", 0, pusher.Credentials{}, "", token, token},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startV1(t, c.tls)
			g.ping = c.standalone
			if _, _, _, err := v1Push(t, g, pusher.Options{Credentials: c.credentials}); err != nil {
				t.Fatal(err)
			}
			for what, want := range map[string]string{index: c.index, lookup: c.lookup, images: c.images} {
				if got := g.header(what, "Authorization"); got[0] != want {
					t.Errorf("%s: %q, want %q", what, got[0], want)
				}
			}
			wantPings := 0
			if c.tls {
				wantPings = 1
			}
			if pings := len(g.header("GET /v1/_ping", "Host")); pings != wantPings {
				t.Errorf("%d pings, want %d", pings, wantPings)
			}
			for _, auth := range append(g.header("GET /v1/_ping", "Authorization"), g.header("GET /v2/", "Authorization")...) {
				if auth != "" {
					t.Errorf("a ping carries %q", auth)
				}
			}
		})
	}
}

// TestV1PingV2: what the session's ping of /v2/ answers counts before /v1/_ping: 200
// is a registry that asks nobody, 401 one with tokens, anything else or no version
// header none at all (P-162). The first ping, V2's own, is kept from seeing it.
func TestV1PingV2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, version string
		status        int
		auth          string // of the index
		pings         int    // of /v1/_ping
	}{
		{"200", "registry/2.0", 200, "Basic Og==", 0},
		{"401", "registry/2.0", 401, "", 0},
		{"500", "registry/2.0", 500, "Basic Og==", 1},
		{"among others", "registry/1.0 registry/2.0", 401, "", 0},
		{"another version", "registry/2.1", 401, "Basic Og==", 1},
		{"no version", "", 200, "Basic Og==", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startV1(t, true)
			var asked atomic.Int32
			g.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v2/" {
					return false
				}
				if asked.Add(1) == 1 {
					http.NotFound(w, r)
					return true
				}
				if c.version != "" {
					w.Header().Set("Docker-Distribution-Api-Version", c.version)
				}
				w.WriteHeader(c.status)
				return true
			}
			if _, _, _, err := v1Push(t, g, pusher.Options{}); err != nil {
				t.Fatal(err)
			}
			if got := g.header("PUT /v1/repositories/lib/app/", "Authorization"); got[0] != c.auth {
				t.Errorf("index: %q, want %q", got[0], c.auth)
			}
			if pings := len(g.header("GET /v1/_ping", "Host")); pings != c.pings {
				t.Errorf("%d pings of /v1/_ping, want %d", pings, c.pings)
			}
		})
	}
}

// TestV1NoPing: a registry that answers neither ping is told with both reasons,
// and the http endpoint is tried next (P-101, P-162).
func TestV1NoPing(t *testing.T) {
	t.Parallel()
	g := startV1(t, true)
	g.fault = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
	client := newClient(t, pusher.Config{Images: store, Secure: []string{g.host()}, CertsDir: certsFor(t, g)})
	_, err := client.Push(t.Context(), name, "t", pusher.Options{})
	url := "https://" + g.host()
	want := "unable to ping registry endpoint " + url + "/v0/\nv2 ping attempt failed with error: Get \"" + url + "/v2/\": EOF\n v1 ping attempt failed with error: Get \"" + url + "/v1/_ping\": EOF"
	if text(err) != want || !errors.Is(err, io.EOF) {
		t.Errorf("error %q\nwant  %q", text(err), want)
	}
}

// TestV1Cookies: the session sends back what it was given, until it ends (P-164).
func TestV1Cookies(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	g.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/repositories/lib/app/" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "7", Path: "/"})
		}
		return false
	}
	for range 2 {
		if _, _, _, err := v1Push(t, g, pusher.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.header("PUT /v1/repositories/lib/app/tags", "Cookie"); got[0] != "session=7" {
		t.Errorf("cookies %q", got)
	}
	for _, got := range g.header("PUT /v1/repositories/lib/app/", "Cookie") {
		if got != "" && got != "session=7" {
			t.Errorf("cookie %q", got)
		}
	}
	if got := g.header("GET /v2/", "Cookie"); slices.ContainsFunc(got, func(c string) bool { return c != "" }) {
		t.Errorf("a ping carries cookies %q", got)
	}
}

// TestV1Redirect: net/http follows a redirect of the image list with a GET, which
// is not authorized; one without a Location is an error, and one to itself ends
// after a while (P-230, P-233, P-590).
func TestV1Redirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, location, want string }{
		{"elsewhere", "/elsewhere", `Error: Status 404 trying to push repository lib/app: "404 page not found\n"`},
		{"nowhere", "", `Put "": unsupported protocol scheme ""`},
		{"to itself", "/v1/repositories/lib/app/", `Put "/v1/repositories/lib/app/": redirected 100 times; docker would go on for ever`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startV1(t, false)
			g.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v1/repositories/lib/app/" {
					return false
				}
				if c.location != "" {
					w.Header().Set("Location", c.location)
				}
				w.WriteHeader(http.StatusFound)
				return true
			}
			_, _, _, err := v1Push(t, g, pusher.Options{Credentials: pusher.Credentials{Username: "alice", Password: "secret"}})
			if text(err) != c.want {
				t.Errorf("error %q\nwant  %q", text(err), c.want)
			}
			for _, auth := range g.header("GET /elsewhere", "Authorization") {
				if auth != "" {
					t.Errorf("a redirect is followed with %q", auth)
				}
			}
		})
	}
}

// certsFor is a certs.d that trusts a registry.
func certsFor(t *testing.T, g *v1Registry) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, g.host()), 0o750); err != nil {
		t.Fatal(err)
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, g.host(), "ca.crt"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestV1RedirectLoop: a redirect that net/http does not follow makes docker send the
// list to where it points, again and again (P-233).
func TestV1RedirectLoop(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	asked := 0
	g.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.URL.Path != "/v1/repositories/lib/app/" {
			return false
		}
		if asked++; asked == 3 {
			return false
		}
		w.Header().Set("Location", g.URL+"/v1/repositories/lib/app/")
		w.WriteHeader(http.StatusUseProxy)
		return true
	}
	if _, _, _, err := v1Push(t, g, pusher.Options{}); err != nil || asked < 3 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
	g.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			w.Header().Set("Location", g.URL+"/v1/again")
			w.WriteHeader(http.StatusUseProxy)
		}
		return r.Method == http.MethodPut
	}
	_, _, _, err := v1Push(t, g, pusher.Options{})
	if want := `image list: redirected 100 times, last to "` + g.URL + `/v1/again"; docker would go on for ever`; text(err) != want {
		t.Errorf("error %q, want %q", text(err), want)
	}
}
