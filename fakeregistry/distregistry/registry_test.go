package distregistry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// upload pushes a blob in chunks and returns its digest.
func upload(t *testing.T, s *side, repository string, content []byte, chunk int) digest.Digest {
	t.Helper()
	require.Equal(t, 202, s.ask(t, ask{method: "POST", path: "/v2/" + repository + "/blobs/uploads/", opens: 1}).Status)
	for rest := content; len(rest) > 0; {
		n := min(chunk, len(rest))
		require.Equal(t, 202, s.ask(t, ask{method: "PATCH", session: 1, body: rest[:n]}).Status)
		rest = rest[n:]
	}
	d := digest.FromBytes(content)
	a := ask{method: "PUT", session: 1, edit: func(u *url.URL) { u.RawQuery += "&digest=" + d.String() }}
	require.Equal(t, 201, s.ask(t, a).Status)
	return d
}

// What goes in by distribution is seen by the storage, in memory and on disk, and
// what goes in by the storage is seen by distribution.
func TestStorageIsShared(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		store, err := fakeregistry.NewStorage(dir)
		require.NoError(t, err)
		s := newSide(t, New(Options{Storage: store}))
		content := bytes.Repeat([]byte("0123456789"), 30_000)
		d := upload(t, s, "lib/a", content, 70_000)
		r, size, err := store.Blob("lib/a", d)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, int64(len(content)), size)
		require.True(t, bytes.Equal(content, got))
		require.Equal(t, 0, store.OpenUploads(""))
		s.ask(t, ask{method: "POST", path: "/v2/lib/a/blobs/uploads/", opens: 2})
		require.Equal(t, 1, store.OpenUploads("lib/a"))
		require.Equal(t, 1, store.DropUploads(""))
		assert.Equal(t, []string{"BLOB_UPLOAD_UNKNOWN"}, s.ask(t, ask{method: "GET", session: 2}).Codes)

		seeded, _, err := store.PutBlob("b", strings.NewReader("seed"))
		require.NoError(t, err)
		assert.Equal(t, digest.FromString("seed"), s.ask(t, ask{method: "GET", path: "/v2/b/blobs/" + seeded.String()}).Body)
		info := fakeregistry.ManifestInfo{MediaType: typeOCI}
		m, err := store.PutManifest("b", "t", info, []byte(`{"schemaVersion":2}`))
		require.NoError(t, err)
		got2 := s.ask(t, ask{method: "GET", path: "/v2/b/manifests/t", header: http.Header{"Accept": {typeOCI}}})
		assert.Equal(t, m.String(), got2.Digest)
		require.True(t, store.Delete("lib/a", d))
		assert.Equal(t, 404, s.ask(t, ask{method: "HEAD", path: "/v2/lib/a/blobs/" + d.String()}).Status)
		require.NoError(t, store.Close())
	}
}

// Hooks strike inside distribution, those of a request as well as those of the
// storage, and are told as distribution tells a broken disk.
func TestHooksStrike(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	r := New(Options{})
	store := r.Storage()
	blob, _, err := store.PutBlob("a", strings.NewReader("x"))
	require.NoError(t, err)
	manifest := []byte(`{"schemaVersion":2,"config":{"digest":"` + blob.String() + `"},"layers":[]}`)
	do := func(hook fakeregistry.Hook, method, target, body string) *httptest.ResponseRecorder {
		ctx := t.Context()
		if hook != nil {
			ctx = fakeregistry.WithHook(ctx, hook)
		}
		req := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
		if method == http.MethodPut && strings.Contains(target, "/manifests/") {
			req.Header.Set("Content-Type", typeOCI)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w
	}
	open := func() string {
		return do(nil, "POST", "http://x/v2/a/blobs/uploads/", "").Header().Get("Location")
	}
	fail := func(op fakeregistry.StorageOp) fakeregistry.Hook {
		return func(_ context.Context, a fakeregistry.Access) error {
			if a.Op == op {
				return full
			}
			return nil
		}
	}
	for op, w := range map[fakeregistry.StorageOp]*httptest.ResponseRecorder{
		fakeregistry.StorageBegin:    do(fail(fakeregistry.StorageBegin), "POST", "http://x/v2/a/blobs/uploads/", ""),
		fakeregistry.StorageWrite:    do(fail(fakeregistry.StorageWrite), "PATCH", open(), "abc"),
		fakeregistry.StorageCommit:   do(fail(fakeregistry.StorageCommit), "PUT", open()+"&digest="+digest.FromString("abc").String(), "abc"),
		fakeregistry.StorageLink:     do(fail(fakeregistry.StorageLink), "PUT", open()+"&digest="+digest.FromString("def").String(), "def"),
		fakeregistry.StorageManifest: do(fail(fakeregistry.StorageManifest), "PUT", "http://x/v2/a/manifests/t", string(manifest)),
		fakeregistry.StorageTag:      do(fail(fakeregistry.StorageTag), "PUT", "http://x/v2/a/manifests/t", string(manifest)),
		fakeregistry.StorageStat:     do(fail(fakeregistry.StorageStat), "HEAD", "http://x/v2/a/blobs/"+blob.String(), ""),
	} {
		assert.Equal(t, 500, w.Code, op)
		assert.Contains(t, w.Body.String(), full.Error(), op)
	}

	pretend := func(_ context.Context, a fakeregistry.Access) error {
		if a.Op.Changes() && a.Op != fakeregistry.StorageBegin && a.Op != fakeregistry.StorageWrite {
			return fakeregistry.ErrPretend
		}
		return nil
	}
	fake := digest.FromString("fake").String()
	assert.Equal(t, 201, do(pretend, "PUT", open()+"&digest="+fake, "fake").Code)
	assert.Equal(t, 404, do(nil, "HEAD", "http://x/v2/a/blobs/"+fake, "").Code)
	assert.Equal(t, 201, do(pretend, "PUT", "http://x/v2/a/manifests/fake", string(manifest)).Code)
	assert.Equal(t, 404, do(nil, "GET", "http://x/v2/a/manifests/fake", "").Code)

	store.SetHook(fail(fakeregistry.StorageRead))
	assert.Equal(t, 200, do(nil, "HEAD", "http://x/v2/a/blobs/"+blob.String(), "").Code)
	store.SetHook(nil)
	require.NoError(t, r.Close())
}

// A blob costs time in proportion to its size, not to its square: distribution's
// own in-memory driver copies all of it at each write.
func TestUploadsAreNotQuadratic(t *testing.T) {
	t.Parallel()
	r := New(Options{})
	s := newSide(t, r)
	allocated := func(size int) float64 {
		content := bytes.Repeat([]byte{byte(size)}, size)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		upload(t, s, "a", content, 64<<10)
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(size)
	}
	small, large := allocated(1<<20), allocated(8<<20)
	assert.Less(t, large, 3*small+30, "bytes allocated for each byte of an upload in chunks")
}

// Apps are used again, so that their goroutines do not add up.
func TestAppsAreReused(t *testing.T) {
	// not parallel: it counts
	waiting := func() int {
		buf := make([]byte, 4<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), LeakedGoroutine+"(")
	}
	o := Options{Delete: true, ForeignLayers: true, RelativeLocation: true} // that no other test uses
	first := New(o)
	upload(t, newSide(t, first), "a", []byte("x"), 1) // its goroutine has begun once it was told of that
	base := waiting()
	require.Positive(t, base, "the goroutine has another name")
	require.NoError(t, first.Close())
	for i := range 20 {
		r := New(o)
		s := newSide(t, r)
		repository := fmt.Sprint("r", i)
		upload(t, s, repository, []byte("x"), 1)
		require.Equal(t, 404, s.ask(t, ask{method: "HEAD", path: "/v2/r0x/blobs/" + digest.FromString("x").String()}).Status)
		if i > 0 {
			require.Equal(t, []string{repository}, r.Storage().Repositories(), "nothing of the registry before it")
		}
		require.NoError(t, r.Close())
		require.NoError(t, r.Close(), "twice")
	}
	assert.Equal(t, base, waiting())
	two, more := New(o), New(o)
	require.NotSame(t, two.app, more.app, "two at once")
	require.NoError(t, two.Close())
	require.NoError(t, more.Close())
}

// Nothing is written to standard output or error, whatever goes wrong. The test
// runs itself, as loggers are of the whole process.
func TestSilence(t *testing.T) {
	if os.Getenv("DISTREGISTRY_SILENCE") != "" {
		s := newSide(t, New(Options{Delete: true}))
		g := newGenerator(t, 1)
		for range 200 {
			s.ask(t, g.next())
		}
		return
	}
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSilence$")
	cmd.Env = append(os.Environ(), "DISTREGISTRY_SILENCE=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	said, _, _ := strings.Cut(string(out), "coverage:") // of go test -cover
	assert.Equal(t, "PASS", strings.TrimSpace(said))
}
