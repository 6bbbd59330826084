package conformance_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// venom is what must reach nobody as it is.
const venom = "\x1b]0;owned\x07\x1b[31m</script><script>alert(1)</script><img src=x onerror=alert(1)>]]>"

// TestHostileRegistries checks registries that mean harm: a run ends, takes a bounded
// amount of what is offered, sends the password nowhere else, and its reports harm
// nobody who reads them.
func TestHostileRegistries(t *testing.T) {
	t.Parallel()
	const offered, taken = 64 << 20, 40 << 20
	endless := func(w http.ResponseWriter) (sent int) {
		for chunk := bytes.Repeat([]byte("a"), 64<<10); sent < offered; {
			n, err := w.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		return sent
	}
	for _, attack := range []struct {
		name string
		on   wire.Op
		evil func(w http.ResponseWriter, r *http.Request, canary string) int
	}{
		{"an error without end", wire.OpManifestPut, func(w http.ResponseWriter, _ *http.Request, _ string) int {
			w.WriteHeader(http.StatusInternalServerError)
			return endless(w)
		}},
		{"a blob without end", wire.OpBlobGet, func(w http.ResponseWriter, _ *http.Request, _ string) int { return endless(w) }},
		{"headers without end", wire.OpManifestPut, func(w http.ResponseWriter, _ *http.Request, _ string) int {
			for i := range 40 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 64<<10))
			}
			return 0
		}},
		{"a redirect in a circle", wire.OpBlobGet, func(w http.ResponseWriter, r *http.Request, _ string) int {
			w.Header().Set("Location", r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return 0
		}},
		{"a redirect elsewhere", wire.OpBlobGet, func(w http.ResponseWriter, r *http.Request, canary string) int {
			w.Header().Set("Location", canary+r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return 0
		}},
		{"a location elsewhere", wire.OpUploadStart, func(w http.ResponseWriter, _ *http.Request, canary string) int {
			w.Header().Set("Location", canary+"/v2/x/blobs/uploads/1")
			w.WriteHeader(http.StatusAccepted)
			return 0
		}},
		{"a gzip bomb", wire.OpManifestPut, func(w http.ResponseWriter, _ *http.Request, _ string) int {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusInternalServerError)
			var one bytes.Buffer // a member of 1 MiB; a file may have many
			z := gzip.NewWriter(&one)
			_, _ = z.Write(make([]byte, 1<<20)) // into memory
			_ = z.Close()
			_, _ = w.Write(bytes.Repeat(one.Bytes(), 256)) // who turns away gets less
			return 0
		}},
		{"venom in every string", wire.OpManifestPut, func(w http.ResponseWriter, _ *http.Request, _ string) int {
			w.Header().Set("X-Venom", "<script>alert(1)</script>")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			text := strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`).Replace(venom)
			fmt.Fprintf(w, "{\"errors\":[{\"code\":%[1]q,\"message\":%[1]q,\"detail\":%[1]q}]}%[2]s", text, venom)
			return 0
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			var astray, most atomic.Int64
			canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					astray.Add(1)
				}
				w.WriteHeader(http.StatusNotFound)
			}))
			defer canary.Close()
			elsewhere := strings.Replace(canary.URL, "127.0.0.1", "localhost", 1)
			registry := fakeregistry.NewV2(fakeregistry.V2Options{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, _, ok := r.BasicAuth(); !ok {
					w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				if wire.ParseRoute(r.Method, r.URL).Op != attack.on {
					registry.ServeHTTP(w, r)
					return
				}
				if n := int64(attack.evil(w, r, elsewhere)); n > most.Load() {
					most.Store(n)
				}
			}))
			defer func() { server.Close(); require.NoError(t, registry.Close()) }()
			report, err := conformance.Run(t.Context(), conformance.Target{
				URL: server.URL, Credentials: pusher.Credentials{Username: "alice", Password: "s3cret-pw"},
			}, conformance.Options{Run: []string{"blob-01", "mono-01", "man-01", "blob-07"}, Patience: 10 * time.Millisecond, Large: 64 << 10, Timeout: 5 * time.Second})
			require.NoError(t, err)
			if astray.Load() > 0 {
				t.Errorf("%d requests took the password to another host", astray.Load())
			}
			if most.Load() > taken {
				t.Errorf("%d bytes of one answer were taken", most.Load())
			}
			if report.Count(conformance.Pass) == len(report.Verdicts) {
				t.Error("everything passed")
			}
			var text, junit, page bytes.Buffer
			require.NoError(t, report.WriteText(&text, conformance.TextOptions{Verbose: true}))
			require.NoError(t, report.WriteJUnit(&junit, 0))
			require.NoError(t, report.WriteHTML(&page, "pushcheck conformance", 0))
			for name, out := range map[string]string{"text": text.String(), "junit": junit.String(), "html": page.String()} {
				if i := strings.IndexAny(out, "\x1b\x07"); i >= 0 {
					t.Errorf("the %s report has a control character: %q", name, out[max(i-20, 0):min(i+20, len(out))])
				}
				if strings.Contains(out, "s3cret-pw") {
					t.Errorf("the %s report has the password", name)
				}
				if name != "text" && (strings.Contains(out, "<script>alert") || strings.Contains(out, "<img src=x")) {
					t.Errorf("the %s report has a script", name)
				}
			}
		})
	}
}
