package distregistry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync"
	"testing"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Our registries beside those that others keep in memory, in one process with
// their client, without the server's recorder and faults: what the registries
// themselves cost. Compare within one run only.

// peers are the registries, each made anew by calling it.
func peers() []struct {
	name string
	make func() http.Handler
} {
	return []struct {
		name string
		make func() http.Handler
	}{
		{"fake", func() http.Handler { return fakeregistry.NewV2(fakeregistry.V2Options{}) }},
		{"v2", func() http.Handler { return New(Options{}) }},
		{"ggcr", func() http.Handler { return ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))) }},
		{"ocimem", func() http.Handler { return ociserver.New(ocimem.New(), nil) }},
		{"floor", func() http.Handler { return &floor{} }},
	}
}

// A floor is the least that a registry could do: it sums a body, keeps it in one
// piece and answers.
type floor struct {
	mu    sync.Mutex // guards blobs
	blobs map[string][]byte
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.Header().Set("Location", r.URL.Path+"x")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	b := make([]byte, max(r.ContentLength, 0))
	_, err := io.ReadFull(r.Body, b)
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	if want := r.URL.Query().Get("digest"); err != nil || want != "" && want != sum {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	if f.blobs == nil {
		f.blobs = map[string][]byte{}
	}
	f.blobs[sum] = b
	f.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
}

type benchBlob struct {
	bytes  []byte
	digest digest.Digest
}

func benchBlobs(n, size int) []benchBlob {
	all := make([]benchBlob, n)
	for i := range all {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1, 2, 3, 4, 5, 6}, size/8)
		all[i] = benchBlob{b, digest.FromBytes(b)}
	}
	return all
}

// send makes a request and returns where its answer says to go on.
func send(ctx context.Context, c *http.Client, method, target string, body []byte, want int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	if method == http.MethodPut {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if bytes.HasPrefix(body, []byte("{")) {
		req.Header.Set("Content-Type", typeSchema2)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(resp.Body)
	if want != 0 && resp.StatusCode != want {
		return "", fmt.Errorf("%s %s: %s: %s", method, target, resp.Status, said)
	}
	next, err := req.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	return next.String(), nil
}

func sendBlob(ctx context.Context, c *http.Client, repository string, b benchBlob) error {
	location, err := send(ctx, c, http.MethodPost, repository+"/blobs/uploads/", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("digest", b.digest.String())
	u.RawQuery = q.Encode()
	_, err = send(ctx, c, http.MethodPut, u.String(), b.bytes, http.StatusCreated)
	return err
}

func serve(b *testing.B, h http.Handler) *httptest.Server {
	b.Helper()
	s := httptest.NewServer(h)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	return s
}

func stop(s *httptest.Server, h http.Handler) {
	s.Close()
	if c, ok := h.(io.Closer); ok {
		_ = c.Close()
	}
}

// BenchmarkUpload is 16 blobs of 4 MiB, so many at once, into a fresh registry.
func BenchmarkUpload(b *testing.B) {
	blobs := benchBlobs(16, 4<<20)
	for _, at := range []int{1, 4, 16} {
		for _, p := range peers() {
			b.Run(fmt.Sprintf("%d at once/%s", at, p.name), func(b *testing.B) {
				b.SetBytes(int64(len(blobs)) * int64(len(blobs[0].bytes)))
				for b.Loop() {
					h := p.make()
					s := serve(b, h)
					work := make(chan benchBlob)
					var all sync.WaitGroup
					for range at {
						all.Go(func() {
							for blob := range work {
								if err := sendBlob(b.Context(), s.Client(), s.URL+"/v2/a", blob); err != nil {
									b.Error(err)
								}
							}
						})
					}
					for _, blob := range blobs {
						work <- blob
					}
					close(work)
					all.Wait()
					stop(s, h)
				}
			})
		}
	}
}

// BenchmarkTinyPush is ten requests: three blobs of 1 KiB, each looked for and
// pushed, and their manifest.
func BenchmarkTinyPush(b *testing.B) {
	blobs := benchBlobs(3, 1<<10)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"x/y","size":1024,"digest":%q},"layers":[{"mediaType":"x/y","size":1024,"digest":%q},{"mediaType":"x/y","size":1024,"digest":%q}]}`,
		typeSchema2, blobs[0].digest, blobs[1].digest, blobs[2].digest)
	for _, p := range peers() {
		b.Run(p.name, func(b *testing.B) {
			h := p.make()
			s := serve(b, h)
			defer stop(s, h)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				repository := fmt.Sprintf("%s/v2/r%d", s.URL, n)
				for _, blob := range blobs {
					if _, err := send(b.Context(), s.Client(), http.MethodHead, repository+"/blobs/"+blob.digest.String(), nil, 0); err != nil {
						b.Fatal(err)
					}
					if err := sendBlob(b.Context(), s.Client(), repository, blob); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := send(b.Context(), s.Client(), http.MethodPut, repository+"/manifests/latest", manifest, http.StatusCreated); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHeld is how many bytes of memory each stored byte holds. It means
// something for -benchtime 1x only: what one round leaves shows in the next.
func BenchmarkHeld(b *testing.B) {
	blobs := benchBlobs(16, 16<<20)
	for _, p := range peers() {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				h := p.make()
				s := serve(b, h)
				base := heap()
				for _, blob := range blobs {
					if err := sendBlob(b.Context(), s.Client(), s.URL+"/v2/a", blob); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(heap()-base)/float64(len(blobs)*len(blobs[0].bytes)), "held/stored")
				stop(s, h)
			}
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
