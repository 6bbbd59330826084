package conformance_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
)

// fake is our own registry with everything that it can do.
func fake(t *testing.T, o fakeregistry.V2Options) string {
	t.Helper()
	return serve(t, fakeregistry.NewV2(o))
}

func serve(t *testing.T, r fakeregistry.Registry) string {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, r.Close())
	})
	return server.URL
}

func run(t *testing.T, url string, o conformance.Options) *conformance.Report {
	t.Helper()
	report, err := conformance.Run(t.Context(), conformance.Target{URL: url}, o)
	require.NoError(t, err)
	return report
}

// unmet are the verdicts that are neither passes nor lawful.
func unmet(r *conformance.Report) map[string]string {
	found := map[string]string{}
	for _, v := range r.Verdicts {
		switch v.Word {
		case conformance.Pass, conformance.Unsupported, conformance.FellBack:
		default:
			found[v.Check.ID] = string(v.Word) + ": " + v.Reason
		}
	}
	return found
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		url  func(t *testing.T) string
	}{
		{"fake", func(t *testing.T) string { return fake(t, fakeregistry.V2Options{Delete: true, ForeignLayers: true}) }},
		{"distribution", func(t *testing.T) string {
			return serve(t, distregistry.New(distregistry.Options{Delete: true, ForeignLayers: true}))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			report := run(t, row.url(t), conformance.Options{Profile: "all", Seed: 1})
			for _, v := range report.Verdicts {
				if v.Word != conformance.Pass {
					t.Log(v.Check.ID, v.Word, v.Reason)
				}
			}
		})
	}
}
