package conformance_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
)

// TestEraOverV1: docker 1.8 pushes over V1 where it is alive, whether it asks for
// tokens or not; a layer that comes back cut is noticed.
func TestEraOverV1(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options fakeregistry.V1Options
		wrap    func(http.Handler) http.Handler
		want    conformance.Word
	}{
		"standalone": {want: conformance.Pass},
		"an index":   {options: fakeregistry.V1Options{Index: true}, want: conformance.Pass},
		"cut layers": {wrap: edit(func(a *reply) {
			if strings.HasSuffix(a.r.URL.Path, "/layer") && a.r.Method == http.MethodGet && a.Body.Len() > 1000 {
				a.set(200, a.Body.String()[:1000])
			}
		}), want: conformance.Note},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := fakeregistry.Both(fakeregistry.NewV2(fakeregistry.V2Options{}), fakeregistry.NewV1(row.options))
			var h http.Handler = registry
			if row.wrap != nil {
				h = row.wrap(h)
			}
			server := httptest.NewServer(h)
			t.Cleanup(func() {
				server.Close()
				require.NoError(t, registry.Close())
			})
			v := run(t, server.URL, conformance.Options{Run: []string{"era-docker-1.8-v1"}, Seed: 1}).Verdict("era-docker-1.8-v1")
			require.Equal(t, row.want, v.Word, v.Reason)
		})
	}
}

// TestErasGetIn: behind a guard every era gets in as its docker does, over HTTP
// and over TLS, and a registry below a path is none that docker can name.
func TestErasGetIn(t *testing.T) {
	t.Parallel()
	for name, guard := range map[string]fakeregistry.Guard{"bearer": bearer(), "basic": basic()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{Delete: true}), Guard: guard, Seed: 1, TLS: true})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, server.Close()) })
			believed := x509.NewCertPool()
			believed.AddCert(server.CA())
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: believed}}
			t.Cleanup(transport.CloseIdleConnections)
			target := conformance.Target{URL: server.URL(), Credentials: alice(), Transport: transport}
			report, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Run: []string{"era-docker-*", "era-containerd", "era-best", "era-bad-line-best"}, Skip: []string{"conc", "chunk", "mount", "man-04", "man-10", "man-11"}, Seed: 3}))
			require.NoError(t, err)
			require.Empty(t, unmet(report))
			require.Equal(t, conformance.Pass, report.Verdict("era-docker-1.8").Word)
		})
	}
	below := httptest.NewServer(http.StripPrefix("/registry", fakeregistry.NewV2(fakeregistry.V2Options{})))
	t.Cleanup(below.Close)
	report := run(t, below.URL+"/registry", conformance.Options{Run: []string{"era-docker-28"}, Skip: []string{"conc", "chunk", "mount"}})
	require.Equal(t, conformance.Unsupported, report.Verdict("era-docker-28").Word, report.Verdict("era-docker-28").Reason)
}
