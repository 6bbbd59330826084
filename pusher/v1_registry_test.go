package pusher_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A v1Registry is as much of a V1 registry as a push needs, with a place to
// misbehave. It verifies payload checksums.
type v1Registry struct {
	*httptest.Server
	ping string // X-Docker-Registry-Standalone
	// fault answers a request instead of the registry when it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool
	// endpoints are named to the client instead of the registry's own address.
	endpoints []string

	mu       sync.Mutex // guards everything below
	requests []string   // "METHOD path"
	heads    []http.Header
	bodies   map[string]string // of everything but layers, by request
	images   map[string]*v1Stored
}

// A v1Stored is what was sent of an image.
type v1Stored struct {
	json     []byte
	payload  string // what its layer's payload sums up to
	complete bool
}

// startV1 starts a V1 registry, over TLS if asked.
func startV1(t *testing.T, tls bool) *v1Registry {
	t.Helper()
	g := &v1Registry{bodies: map[string]string{}, images: map[string]*v1Stored{}}
	g.Server = httptest.NewUnstartedServer(g)
	g.Config.ErrorLog = log.New(io.Discard, "", 0) // docker tries plain HTTP on a TLS port
	if tls {
		g.StartTLS()
	} else {
		g.Start()
	}
	t.Cleanup(g.Close)
	return g
}

func (g *v1Registry) host() string { return g.Listener.Addr().String() }

// ServeHTTP implements http.Handler.
func (g *v1Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path)
	g.heads = append(g.heads, r.Header.Clone())
	g.mu.Unlock()
	if g.fault != nil && g.fault(w, r) {
		return
	}
	g.answer(w, r)
}

func (g *v1Registry) answer(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	what := r.Method + " " + parts[0]
	if parts[0] == "images" {
		what += " " + parts[2]
	}
	layer := sha256.New()
	var body []byte
	if what == "PUT images layer" {
		g.mu.Lock()
		stored := g.images[parts[1]]
		g.mu.Unlock()
		layer.Write(stored.json)
		layer.Write([]byte("\n"))
		_, _ = io.Copy(layer, r.Body)
	} else {
		body, _ = io.ReadAll(r.Body)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if what != "PUT images layer" {
		g.bodies[r.Method+" "+r.URL.Path] = string(body)
	}
	switch what {
	case "GET _ping":
		if g.ping != "" {
			w.Header().Set("X-Docker-Registry-Standalone", g.ping)
		}
	case "GET images json":
		if s := g.images[parts[1]]; s == nil || !s.complete {
			w.WriteHeader(http.StatusNotFound)
		}
	case "PUT images json":
		g.images[parts[1]] = &v1Stored{json: body}
	case "PUT images layer":
		g.images[parts[1]].payload = fmt.Sprintf("sha256:%x", layer.Sum(nil))
	case "PUT images checksum":
		s := g.images[parts[1]]
		if s.complete = s.payload == r.Header.Get("X-Docker-Checksum-Payload"); !s.complete {
			w.WriteHeader(http.StatusBadRequest)
		}
	case "PUT repositories":
		g.repository(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (g *v1Registry) repository(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/tags/"):
	case strings.HasSuffix(r.URL.Path, "/images"):
		w.WriteHeader(http.StatusNoContent)
	default:
		endpoints := g.endpoints
		if endpoints == nil {
			endpoints = []string{g.host()}
		}
		w.Header()["X-Docker-Endpoints"] = endpoints
		w.Header().Set("X-Docker-Token", `signature=1,repository="lib/app",access=write`)
	}
}

// seen is the requests so far with image IDs shortened, and the look-ups, which
// race, in order.
func (g *v1Registry) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Clone(g.requests)
	for i, r := range list {
		parts := strings.Split(r, "/")
		for j, p := range parts {
			if len(p) == 64 {
				parts[j] = p[:4]
			}
		}
		list[i] = strings.Join(parts, "/")
	}
	lookup := func(r string) bool { return strings.HasPrefix(r, "GET /v1/images/") }
	for i := 0; i < len(list); {
		j := i
		for j < len(list) && lookup(list[j]) {
			j++
		}
		slices.Sort(list[i:j])
		i = max(j, i+1)
	}
	return list
}

// header is a header of every request whose text begins with what, in order.
func (g *v1Registry) header(what, name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var values []string
	for i, r := range g.requests {
		if strings.HasPrefix(r, what) {
			values = append(values, g.heads[i].Get(name))
		}
	}
	return values
}

// list is the image list as it was sent.
func (g *v1Registry) list(t *testing.T, path string) []map[string]string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []map[string]string
	if err := json.Unmarshal([]byte(g.bodies["PUT "+path]), &list); err != nil {
		t.Fatalf("image list %q: %v", g.bodies["PUT "+path], err)
	}
	return list
}

// v1Answer answers requests of one method whose path ends as given.
func v1Answer(method, suffix string, status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}
