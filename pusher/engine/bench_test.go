package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/engine"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// The image IDs of testdata's archive are one pair of digits again and again.
func id(pair string) string { return strings.Repeat(pair, 32) }

// A bench is an engine on a loopback port, with a store of its own.
type bench struct {
	t      *testing.T
	url    string
	store  *image.Store
	engine *engine.Engine
	dir    string
}

// start starts an engine of an era that may be changed.
func start(t *testing.T, change func(*pusher.Era)) *bench {
	t.Helper()
	dir := t.TempDir()
	store, err := image.Open(filepath.Join(dir, "images"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	era := pusher.Docker18()
	if change != nil {
		change(&era)
	}
	client, err := pusher.New(pusher.Config{Era: era, Images: store, TempDir: dir})
	require.NoError(t, err)
	e, err := engine.New(t.Context(), engine.Config{
		Images: store, Client: client, Era: era, TempDir: dir, InsecureRegistries: []string{"10.0.0.0/8", "registry.example:5000"},
	})
	require.NoError(t, err)
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Close()
		server.Close()
	})
	return &bench{t: t, url: server.URL, store: store, engine: e, dir: dir}
}

// loaded is start with the images of the archive in the store.
func loaded(t *testing.T) *bench {
	t.Helper()
	b := start(t, nil)
	b.load("")
	return b
}

func archive(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../image/testdata/docker-1.8.3/app.tar")
	require.NoError(t, err)
	return data
}

// load loads the archive; name, when not empty, is a further name of its latest.
func (b *bench) load(name string) {
	b.t.Helper()
	_, err := b.store.LoadFrom(b.t.Context(), bytes.NewReader(archive(b.t)))
	require.NoError(b.t, err)
	if name != "" {
		require.NoError(b.t, b.store.Tag(name, "latest", id("a4")))
	}
}

// An answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), into), a.body)
}

// request makes one; header is names and values in turn.
func (b *bench) request(method, path string, body io.Reader, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	require.NoError(b.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (b *bench) do(method, path string, body io.Reader, header ...string) answer {
	b.t.Helper()
	resp, err := http.DefaultClient.Do(b.request(method, path, body, header...))
	require.NoError(b.t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, resp.Body.Close())
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// authHeader is what a docker command line sends.
func authHeader(t *testing.T, members map[string]string) string {
	t.Helper()
	data, err := json.Marshal(members)
	require.NoError(t, err)
	return base64.URLEncoding.EncodeToString(data)
}

// registry is a registry that behaves.
func registry(t *testing.T, c fakeregistry.Config) *fakeregistry.Server {
	t.Helper()
	c.Registry = fakeregistry.NewV2(fakeregistry.V2Options{})
	s, err := fakeregistry.Start(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// gated is a registry that holds every chunk back until open is closed. arrived
// gets a word for each.
func gated(t *testing.T) (host string, arrived chan string, open chan struct{}) {
	t.Helper()
	behind, err := url.Parse(registry(t, fakeregistry.Config{}).URL())
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
	}}
	arrived, open = make(chan string, 64), make(chan struct{})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			arrived <- r.URL.Path
			select {
			case <-open:
			case <-t.Context().Done(): // the request's own ends only once its body was read
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return strings.TrimPrefix(front.URL, "http://"), arrived, open
}

// tarOf is a tar with one file.
