//go:build e2e

package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
)

// TestE2EFindings runs every check against registries of others, and compares what is
// found with testdata/findings.yaml, of which docs/findings.md is made.
func TestE2EFindings(t *testing.T) {
	log.SetOutput(io.Discard) // one of them tells the world of each mistake
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	pushcheck := build(t)
	start := map[string]func(t *testing.T) string{
		"debian": func(t *testing.T) string {
			t.Helper()
			t.Setenv("REGISTRY_STORAGE_DELETE_ENABLED", "true")
			return startDebianRegistry(t)
		},
		"distribution": startDistribution,
		"distribution-in-process": func(t *testing.T) string {
			t.Helper()
			r := distregistry.New(distregistry.Options{Delete: true})
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			return inProcess(t, r)
		},
		"ggcr": func(t *testing.T) string {
			t.Helper()
			return inProcess(t, registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
		},
		"ocimem": func(t *testing.T) string {
			t.Helper()
			return inProcess(t, ociserver.New(ocimem.New(), nil))
		},
	}
	list := foundRegistries(t)
	require.Len(t, list, len(start))
	for _, r := range list {
		t.Run(r.ID, func(t *testing.T) { // one at a time: each has races of its own to show
			require.Contains(t, start, r.ID)
			found := verdictsOn(t, pushcheck, start[r.ID](t))
			want := r.verdicts()
			for _, f := range r.Findings {
				if f.Sometimes {
					delete(want, f.Check)
					if found[f.Check] == f.Verdict {
						delete(found, f.Check)
					}
				}
			}
			for _, check := range r.Varies {
				if found[check] == "fell-back" || found[check] == "unsupported" {
					delete(found, check)
				}
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("testdata/findings.yaml says otherwise (-file +found):\n%s", diff)
			}
		})
	}
}

// verdicts are what is not a pass: check → verdict, and what blocks it.
func (r foundRegistry) verdicts() map[string]string {
	all := map[string]string{}
	for _, f := range r.Findings {
		all[f.Check] = f.Verdict
	}
	for check, by := range r.Blocked {
		all[check] = "blocked-by " + by
	}
	for _, check := range r.Unsupported {
		all[check] = "unsupported"
	}
	for _, check := range r.FellBack {
		all[check] = "fell-back"
	}
	return all
}

// verdictsOn runs every check against a registry.
func verdictsOn(t *testing.T, pushcheck program, host string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	pushcheck.run(t, t.TempDir(), 1, "conformance", "--profile", "all", "--seed", "1", "--large", "8MiB", "--patience", "2s", "--report", file, "http://"+host)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var report struct {
		Checks []struct{ ID, Verdict, BlockedBy string }
	}
	require.NoError(t, json.Unmarshal(data, &report))
	require.Greater(t, len(report.Checks), 200)
	found := map[string]string{}
	for _, c := range report.Checks {
		switch c.Verdict {
		case "pass":
		case "blocked-by":
			found[c.ID] = c.Verdict + " " + c.BlockedBy
		default:
			found[c.ID] = c.Verdict
		}
	}
	return found
}

// inProcess serves a registry of this process.
func inProcess(t *testing.T, h http.Handler) (host string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startDistribution starts distribution's own program, called registry.
func startDistribution(t *testing.T) (host string) {
	t.Helper()
	return startRegistry(t, "registry", "  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n")
}
