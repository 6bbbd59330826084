package pusher_test

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A peer is somebody else's registry with a place to misbehave, which counts.
type peer struct {
	*httptest.Server
	fault func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex // guards everything below
	requests []string   // "METHOD kind"
}

func startPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{}
	next := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := "blob"
		switch {
		case strings.Contains(r.URL.Path, "/uploads/"):
			kind = "upload"
		case strings.Contains(r.URL.Path, "/manifests/"):
			kind = "manifest"
		}
		p.mu.Lock()
		p.requests = append(p.requests, r.Method+" "+kind)
		p.mu.Unlock()
		if p.fault == nil || !p.fault(w, r) {
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *peer) host() string { return p.Listener.Addr().String() }

// take is the requests since it was called last, sorted.
func (p *peer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.requests
	p.requests = nil
	slices.Sort(list)
	return list
}

// modern are the eras that send what is stored.
func modern() []pusher.Era { return []pusher.Era{pusher.Best(), pusher.Containerd()} }

func TestModernErasAgainstAnotherRegistry(t *testing.T) {
	t.Parallel()
	for _, era := range modern() {
		t.Run(era.Name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t)
			repository := p.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{300 << 10, 10, 0}, Seed: 4}, repository+":t")
			client := eraClient(t, pusher.Config{Era: era, Images: store})
			result, err := client.Push(t.Context(), repository, "t", pusher.Options{})
			if err != nil || len(result.Published) != 1 {
				t.Fatalf("%+v, %v", result, err)
			}
			resp, err := http.Get(p.URL + "/v2/a/manifests/t") //nolint:noctx // a test's own look
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Docker-Content-Digest"); got != result.Published[0].Digest {
				t.Errorf("the tag names %s, not %s", got, result.Published[0].Digest)
			}
		})
	}
}

// TestRequestsOfBest: the fewest that there can be.
func TestRequestsOfBest(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{10}}, repository+":t")
	client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store})
	for i, want := range []string{
		"HEAD blob,HEAD blob,HEAD manifest,HEAD manifest,POST upload,POST upload,PUT manifest,PUT upload,PUT upload",
		"HEAD manifest",
	} {
		if _, err := client.Push(t.Context(), repository, "t", pusher.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.take(), ","); got != want {
			t.Errorf("push %d: %s\nwant %s", i+1, got, want)
		}
	}
}

// TestCorruptStore: bytes that are not the blob's never make a push.
func TestCorruptStore(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	dir := t.TempDir()
	store, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{10}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(repository, "t", ids[0]); err != nil {
		t.Fatal(err)
	}
	config, err := store.Config(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "blobs", "sha256", config.Digest.Encoded())
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-3] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, era := range modern() {
		_, err := eraClient(t, pusher.Config{Era: era, Images: store}).Push(t.Context(), repository, "t", pusher.Options{})
		if err == nil || slices.Contains(p.take(), "PUT manifest") {
			t.Errorf("%s: %v, and the manifest was put", era.Name, err)
		}
	}
}

// TestAbsurdRetryAfter: a registry that wants to be left alone for an hour is.
func TestAbsurdRetryAfter(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{10}}, repository+":t")
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	c := clock.NewVirtual(time.Time{})
	begin := c.Now()
	_, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store, Clock: c}).Push(t.Context(), repository, "t", pusher.Options{})
	if err == nil || !strings.Contains(err.Error(), "asks to be left alone for 1h0m0s") {
		t.Error(err)
	}
	if waited := c.Now().Sub(begin); waited > time.Minute {
		t.Errorf("it waited %s", waited)
	}
}

// TestInterruptedBest: a session is cancelled though the push was.
func TestInterruptedBest(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{10}}, repository+":t")
	ctx, cancel := context.WithCancel(t.Context())
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/"):
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the end
			cancel()
			<-r.Context().Done()
			return true
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		return false
	}
	_, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store}).Push(ctx, repository, "t", pusher.Options{})
	if got := p.take(); err == nil || !slices.Contains(got, "DELETE upload") {
		t.Errorf("%v: %v", err, got)
	}
}

// eraClient makes a client of whichever era.
func eraClient(t *testing.T, c pusher.Config) *pusher.Client {
	t.Helper()
	c.TempDir = t.TempDir()
	client, err := pusher.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestBestLeavesNoSession: a session is cancelled where the registry has yet to
// take in what was on the way, and one that cannot be is told of.
func TestBestLeavesNoSession(t *testing.T) {
	t.Parallel()
	const invalid = `{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid"}]}`
	for name, tt := range map[string]struct {
		grows, deletes int    // refused before one is taken; DELETEs that are to be seen
		told           string // "" is nothing
	}{
		"still growing":  {4, 5, ""},
		"growing on":     {99, 6, "was not cancelled and stays until the registry purges it: DELETE "},
		"distribution 2": {-1, 1, "404 Not Found: BLOB_UPLOAD_INVALID: blob upload invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t)
			repository := p.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{10}}, repository+":t")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var mu sync.Mutex // guards asked and deletes, of each session
			asked, deletes := map[string]int{}, map[string]int{}
			p.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/uploads/") || r.Method == http.MethodPost {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				session := r.URL.Path
				switch {
				case r.Method == http.MethodPut:
					cancel()
					w.WriteHeader(http.StatusBadGateway)
				case tt.grows < 0:
					if r.Method == http.MethodDelete {
						deletes[session]++
					}
					w.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(w, invalid)
				case r.Method == http.MethodGet:
					asked[session]++
					w.Header().Set("Location", session+"?at="+strconv.Itoa(asked[session]))
					w.WriteHeader(http.StatusNoContent)
				case deletes[session] >= tt.grows && r.URL.Query().Get("at") == strconv.Itoa(asked[session]):
					deletes[session]++
					w.WriteHeader(http.StatusNoContent)
				default:
					deletes[session]++
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				}
				return true
			}
			var lines []string
			client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store, Clock: clock.NewVirtual(time.Time{}), MaxConcurrentUploads: 1})
			_, err := client.Push(ctx, repository, "t", pusher.Options{Progress: func(e pusher.Event) {
				if strings.Contains(e.Status, "session") {
					lines = append(lines, e.Status)
				}
			}})
			if err == nil {
				t.Error("it was published")
			}
			if len(deletes) != 1 || slices.Collect(maps.Values(deletes))[0] != tt.deletes {
				t.Errorf("DELETEs: %v, want %d", deletes, tt.deletes)
			}
			if said := strings.Join(lines, "\n"); !strings.Contains(said, tt.told) || tt.told == "" && said != "" {
				t.Errorf("told %q, want %q", said, tt.told)
			}
		})
	}
}
