package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// shelf is a registry with one image, and the methods that it was asked by.
func shelf(t *testing.T, wrap func(http.Handler) http.Handler) (url string, methods func() map[string]int) {
	t.Helper()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{})
	layer := strings.Repeat("layer\n", 100)
	for _, data := range []string{layer, "{}"} {
		_, _, err := registry.Storage().PutBlob("team/app", strings.NewReader(data))
		require.NoError(t, err)
	}
	m := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"` +
		digest.FromString("{}").String() + `"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":600,"digest":"` + digest.FromString(layer).String() + `"}]}`
	put := httptest.NewRequest(http.MethodPut, "/v2/team/app/manifests/v1", strings.NewReader(m))
	put.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	w := httptest.NewRecorder()
	registry.ServeHTTP(w, put)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	var mu sync.Mutex
	seen := map[string]int{}
	h := wrap(registry)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Method]++
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, registry.Close())
	})
	return server.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// TestPullOnly: the profile looks at an image that is there, and pushes nothing.
func TestPullOnly(t *testing.T) {
	t.Parallel()
	same := func(h http.Handler) http.Handler { return h }
	url, methods := shelf(t, same)
	o := conformance.Options{Profile: "pull-only", Given: "team/app:v1"}
	report := run(t, url, o)
	require.Empty(t, unmet(report))
	require.Equal(t, conformance.Pass, report.Verdict("blob-05").Word)
	require.Equal(t, conformance.Pass, report.Verdict("man-10").Word)
	for method := range methods() {
		require.Contains(t, []string{"GET", "HEAD"}, method)
	}
	broken, _ := shelf(t, without("Content-Length", wire.OpBlobHead))
	report = run(t, broken, o)
	require.Equal(t, map[string]string{
		"blob-01": "fail: want Content-Length 600, got none", "blob-09": "blocked-by: needs blob-01",
	}, unmet(report))
}

// TestPullOnlyWrong: an image that is not there, or is not named, is no verdict.
func TestPullOnlyWrong(t *testing.T) {
	t.Parallel()
	url, _ := shelf(t, func(h http.Handler) http.Handler { return h })
	for given, want := range map[string]string{
		"":            "go together",
		"team/app":    "is not a repository with a tag or a digest",
		"team/app:v2": "cannot be looked at",
	} {
		_, err := conformance.Run(t.Context(), conformance.Target{URL: url}, conformance.Options{Profile: "pull-only", Given: given})
		require.ErrorContains(t, err, want)
	}
	_, err := conformance.Run(t.Context(), conformance.Target{URL: url}, conformance.Options{Given: "team/app:v1"})
	require.ErrorIs(t, err, conformance.ErrOptions)
}
