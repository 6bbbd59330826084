package pusher_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A registry is as much of a V2 registry as a push needs, with a place to
// misbehave.
type registry struct {
	*httptest.Server
	// fault answers a request instead of the registry when it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool

	mu        sync.Mutex // guards everything below
	requests  []string   // "METHOD path", query left out
	heads     []http.Header
	blobs     map[string]int64 // digest → size
	uploads   map[string]string
	manifests map[string][]byte // "name:tag" → bytes
}

// startRegistry starts a registry on plain HTTP.
func startRegistry(t *testing.T) *registry {
	t.Helper()
	r := newRegistry()
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func newRegistry() *registry {
	return &registry{blobs: map[string]int64{}, uploads: map[string]string{}, manifests: map[string][]byte{}}
}

// host is what stands before the repository's name.
func (g *registry) host() string { return g.Listener.Addr().String() }

// ServeHTTP implements http.Handler.
func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path)
	g.heads = append(g.heads, r.Header.Clone())
	g.mu.Unlock()
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if g.fault != nil && g.fault(w, r) {
		return
	}
	g.answer(w, r)
}

func (g *registry) answer(w http.ResponseWriter, r *http.Request) {
	body := &bytes.Buffer{}
	sum := sha256.New()
	n, _ := io.Copy(io.MultiWriter(sum, limit{body}), r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	dir, last := r.URL.Path[:strings.LastIndex(r.URL.Path, "/")], r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodPost:
		w.Header().Set("Location", fmt.Sprintf("%s%d?_state=x", r.URL.Path, len(g.uploads)+1))
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPatch:
		g.uploads[r.URL.Path] = fmt.Sprintf("sha256:%x", sum.Sum(nil))
		g.blobs[g.uploads[r.URL.Path]] = -n
		w.Header().Set("Location", r.URL.Path+"?_state=y")
		w.Header().Set("Range", fmt.Sprintf("0-%d", n-1))
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut && strings.HasSuffix(dir, "/uploads"):
		d := r.URL.Query().Get("digest")
		if g.uploads[r.URL.Path] != d {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		g.blobs[d] = -g.blobs[d]
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		g.manifests[strings.TrimSuffix(strings.TrimPrefix(dir, "/v2/"), "/manifests")+":"+last] = body.Bytes()
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodHead && g.blobs[last] > 0:
		w.Header().Set("Content-Length", fmt.Sprint(g.blobs[last]))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// A limit keeps the first 64 KiB of what is written to it.
type limit struct{ buf *bytes.Buffer }

func (l limit) Write(p []byte) (int, error) {
	l.buf.Write(p[:min(len(p), max(0, 64<<10-l.buf.Len()))])
	return len(p), nil
}

// seen is the requests so far, with digests and sessions shortened.
func (g *registry) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Clone(g.requests)
	for i, r := range list {
		r = strings.TrimRight(r, "0123456789abcdef")
		list[i] = strings.TrimSuffix(r, "sha256:")
	}
	return list
}

// storeWith is a store of one made-up image under every name.
func storeWith(t testing.TB, r image.Recipe, names ...string) (*image.Store, []string) {
	t.Helper()
	store, err := image.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		repository, tag := name[:strings.LastIndex(name, ":")], name[strings.LastIndex(name, ":")+1:]
		if err := store.Tag(repository, tag, ids[len(ids)-1]); err != nil {
			t.Fatal(err)
		}
	}
	return store, ids
}

// newClient makes a docker 1.8 whose temporary files are in a directory that
// must be empty when the test ends.
func newClient(t *testing.T, c pusher.Config) *pusher.Client {
	t.Helper()
	c.Era = pusher.Docker18()
	if c.TempDir == "" {
		c.TempDir = t.TempDir()
	}
	t.Cleanup(func() { mustBeEmpty(t, c.TempDir) })
	client, err := pusher.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
