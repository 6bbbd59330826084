package pusher_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// writeLayout writes an OCI layout whose layers have so many random bytes, and returns
// it with the paths of the layers.
func writeLayout(t *testing.T, sizes ...int) (dir string, layers []string) {
	t.Helper()
	dir = t.TempDir()
	blobs := filepath.Join(dir, "blobs", "sha256")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	write := func(media string, data []byte) map[string]any {
		sum := fmt.Sprintf("%x", sha256.Sum256(data))
		require.NoError(t, os.WriteFile(filepath.Join(blobs, sum), data, 0o600))
		return map[string]any{"mediaType": media, "digest": "sha256:" + sum, "size": len(data)}
	}
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		return data
	}
	random := rand.NewChaCha8([32]byte{7})
	var list []any
	var diffIDs []any
	for _, size := range sizes {
		data := make([]byte, size)
		_, _ = random.Read(data) // never fails
		d := write("application/vnd.oci.image.layer.v1.tar+gzip", data)
		list, diffIDs = append(list, d), append(diffIDs, d["digest"]) // nobody unpacks it
		layers = append(layers, filepath.Join(blobs, strings.TrimPrefix(d["digest"].(string), "sha256:")))
	}
	config := write("application/vnd.oci.image.config.v1+json", encode(map[string]any{
		"architecture": "amd64", "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	}))
	const media = "application/vnd.oci.image.manifest.v1+json"
	top := write(media, encode(map[string]any{"schemaVersion": 2, "mediaType": media, "config": config, "layers": list}))
	top["annotations"] = map[string]string{"org.opencontainers.image.ref.name": "t"}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"), encode(map[string]any{"schemaVersion": 2, "manifests": []any{top}}), 0o600))
	return dir, layers
}

// openLayout opens a layout and gives its image a name.
func openLayout(t *testing.T, dir, repository string) *image.Store {
	t.Helper()
	store, loaded, err := image.OpenLayout(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	require.NoError(t, store.Tag(repository, "t", loaded[0].Image))
	return store
}

// A counter counts connections.
type counter struct{ opened atomic.Int64 }

func (c *counter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.opened.Add(1)
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// TestLayoutFromWhereItLies: a blob of every size that is sent in another way arrives
// whole, over few connections.
func TestLayoutFromWhereItLies(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	dir, layers := writeLayout(t, 10, 48<<10, 48<<10+1, 200<<10, 1<<20+17, 3<<20)
	var c counter
	client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository), Dial: c.dial})
	_, err := client.Push(t.Context(), repository, "t", pusher.Options{})
	require.NoError(t, err)
	if n := c.opened.Load(); n > 9 { // https is tried first, and four layers take turns
		t.Errorf("%d connections", n)
	}
	for _, file := range layers {
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		resp, err := http.Get(p.URL + "/v2/a/blobs/sha256:" + filepath.Base(file)) //nolint:noctx // a test's own look
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.NoError(t, err)
		if !bytes.Equal(want, got) {
			t.Errorf("%d bytes arrived as %d others", len(want), len(got))
		}
	}
}

// TestSmallBlobGoesOn: a small blob, which leaves in one piece, goes on where the registry
// says that its line broke, and is verified all the same.
func TestSmallBlobGoesOn(t *testing.T) {
	t.Parallel()
	const size, kept = 20_000, 8000
	var mu sync.Mutex // guards what follows
	var got []byte
	manifest := ""
	registry := newRegistry()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Method == http.MethodPut && r.ContentLength == size && got == nil:
			got, _ = io.ReadAll(io.LimitReader(r.Body, kept))
			panic(http.ErrAbortHandler)
		case r.Method == http.MethodGet && len(got) == kept && strings.Contains(r.URL.Path, "/uploads/"):
			w.Header().Set("Location", r.URL.RequestURI())
			w.Header().Set("Range", fmt.Sprintf("0-%d", kept-1))
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPatch && len(got) == kept:
			rest, _ := io.ReadAll(r.Body)
			got = append(got, rest...)
			w.Header().Set("Location", r.URL.RequestURI())
			w.Header().Set("Range", fmt.Sprintf("0-%d", len(got)-1))
			w.WriteHeader(http.StatusAccepted)
		case r.Method == http.MethodPut:
			digest := r.URL.Query().Get("digest")
			if digest == "" {
				data, _ := io.ReadAll(r.Body)
				digest = fmt.Sprintf("sha256:%x", sha256.Sum256(data))
				manifest = digest
			}
			w.Header().Set("Docker-Content-Digest", digest)
			w.WriteHeader(http.StatusCreated)
		case r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/") && manifest != "":
			w.Header().Set("Docker-Content-Digest", manifest)
		default:
			registry.ServeHTTP(w, r)
		}
	}))
	defer s.Close()
	repository := strings.TrimPrefix(s.URL, "http://") + "/a"
	dir, layers := writeLayout(t, size)
	_, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository)}).Push(t.Context(), repository, "t", pusher.Options{})
	require.NoError(t, err)
	want, err := os.ReadFile(layers[0])
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestFlippedByte: whichever byte of whichever blob is wrong, nothing is published, and
// the blob never leaves whole, though the registry does not look.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]struct{ size, byte int }{
		"small": {100, 50}, "first": {2 << 20, 0}, "middle": {2 << 20, 1 << 20}, "last": {2 << 20, 2<<20 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex // guards what follows
			whole, published := false, false
			s := startBlind(t, func(r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				mu.Lock()
				defer mu.Unlock()
				whole = whole || err == nil && n == int64(at.size)
				published = published || r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
			})
			repository := strings.TrimPrefix(s, "http://") + "/a"
			dir, layers := writeLayout(t, at.size)
			f, err := os.OpenFile(layers[0], os.O_RDWR, 0)
			require.NoError(t, err)
			one := make([]byte, 1)
			_, err = f.ReadAt(one, int64(at.byte))
			require.NoError(t, err)
			_, err = f.WriteAt([]byte{one[0] ^ 1}, int64(at.byte))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			_, err = eraClient(t, pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository)}).Push(t.Context(), repository, "t", pusher.Options{})
			require.ErrorContains(t, err, "its bytes have digest sha256:")
			mu.Lock()
			defer mu.Unlock()
			if whole || published {
				t.Errorf("the blob left whole: %t; the manifest was put: %t", whole, published)
			}
		})
	}
}

// startBlind starts a registry that takes everything, checks nothing, and keeps the
// digest of the last manifest.
func startBlind(t *testing.T, seen func(*http.Request)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var manifest atomic.Value // string
	var sessions atomic.Int64
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isManifest := strings.Contains(r.URL.Path, "/manifests/")
		if isManifest && r.Method == http.MethodPut {
			data, _ := io.ReadAll(r.Body)
			manifest.Store(fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
		}
		seen(r)
		digest, known := manifest.Load().(string)
		switch r.Method {
		case http.MethodHead:
			if isManifest && known {
				w.Header().Set("Docker-Content-Digest", digest)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		case http.MethodPost:
			w.Header().Set("Location", fmt.Sprint("/v2/a/blobs/uploads/", sessions.Add(1)))
			w.WriteHeader(http.StatusAccepted)
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Docker-Content-Digest", r.URL.Query().Get("digest"))
			w.WriteHeader(http.StatusCreated)
		}
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// TestCutWhileTheKernelSends: an upload that breaks off in the middle of a file goes on
// where the registry says, and is verified as one.
func TestCutWhileTheKernelSends(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	var cut atomic.Bool
	p.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.ContentLength < 1<<20 || !cut.CompareAndSwap(false, true) {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		panic(http.ErrAbortHandler)
	}
	repository := p.host() + "/a"
	dir, layers := writeLayout(t, 4<<20)
	config := pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository), Clock: clock.NewVirtual(time.Time{})}
	_, err := eraClient(t, config).Push(t.Context(), repository, "t", pusher.Options{})
	require.NoError(t, err)
	require.True(t, cut.Load())
	resp, err := http.Head(p.URL + "/v2/a/blobs/sha256:" + filepath.Base(layers[0])) //nolint:noctx // a test's own look
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, int64(4<<20), resp.ContentLength)
}

// TestManySmallBlobs: they cost two requests each, and one that is there costs one.
func TestManySmallBlobs(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	sizes := slices.Repeat([]int{100}, 30)
	dir, _ := writeLayout(t, sizes...)
	client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository)})
	_, err := client.Push(t.Context(), repository, "t", pusher.Options{})
	require.NoError(t, err)
	counts := map[string]int{}
	for _, r := range p.take() {
		counts[r]++
	}
	require.Equal(t, map[string]int{"HEAD manifest": 2, "POST upload": 31, "PUT upload": 31, "PUT manifest": 1}, counts)
}

// TestAllocationsOfBest: what a push allocates does not grow with the size of a layer, and
// is bounded for each request. It is not parallel: it counts every allocation of the
// process.
func TestAllocationsOfBest(t *testing.T) { //nolint:paralleltest // see above
	s := startBlind(t, func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	repository := strings.TrimPrefix(s, "http://") + "/a"
	allocated := func(sizes ...int) (bytes, objects int64) {
		dir, _ := writeLayout(t, sizes...)
		store := openLayout(t, dir, repository)
		client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := client.Push(t.Context(), repository, "t", pusher.Options{})
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		return int64(after.TotalAlloc - before.TotalAlloc), int64(after.Mallocs - before.Mallocs)
	}
	allocated(10) // what is made once
	small, _ := allocated(4 << 10)
	large, _ := allocated(6 << 20)
	if more := large - small; more > 1<<20 {
		t.Errorf("6 MiB cost %d bytes more than 4 KiB did (%d)", more, small)
	}
	_, few := allocated(slices.Repeat([]int{100}, 30)...)
	_, many := allocated(slices.Repeat([]int{100}, 130)...)
	if each := (many - few) / 200; each > 200 { // 100 blobs, two requests each, both sides
		t.Errorf("a request costs %d allocations", each)
	}
}

// TestGivenUpWhileTheKernelSends: a push that is given up while nobody reads what it
// sends ends at once, and cancels its session.
func TestGivenUpWhileTheKernelSends(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPut && r.ContentLength > 1<<20:
			_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
			cancel()
			<-over
			return true
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		return false
	}
	dir, _ := writeLayout(t, 16<<20)
	_, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository)}).Push(ctx, repository, "t", pusher.Options{})
	close(over)
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, p.take(), "DELETE upload")
}

// TestRefusedWhileTheKernelSends: a registry that refuses a blob which it has not read ends
// the push, whether its answer arrives or the connection breaks first.
func TestRefusedWhileTheKernelSends(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	repository := p.host() + "/a"
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.ContentLength < 1<<20 {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
	dir, _ := writeLayout(t, 12<<20)
	config := pusher.Config{Era: pusher.Best(), Images: openLayout(t, dir, repository), Clock: clock.NewVirtual(time.Time{})}
	_, err := eraClient(t, config).Push(t.Context(), repository, "t", pusher.Options{})
	require.ErrorContains(t, err, "PUT http://"+p.host()+"/v2/a/blobs/uploads/")
	require.NotContains(t, p.take(), "PUT manifest")
}
