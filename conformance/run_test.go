package conformance_test

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
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

// brisk are options of a run that waits little and sends little.
func brisk(o conformance.Options) conformance.Options {
	o.Patience, o.Large, o.Timeout = 60*time.Millisecond, 256<<10, 15*time.Second
	if *full {
		o.Large = 1 << 20
	}
	return o
}

// costly are checks of many requests. Without -full they run against the clean
// registries' own defects alone.
func costly() []string {
	if *full {
		return nil
	}
	return []string{"lim", "perf", "conc-11", "ref-10", "tag-07", "sec-11", "http-05", "blob-13", "err-06", "err-08", "conc-01", "conc-07", "conc-08", "res-07", "sec-07", "man-05", "man-06", "era"}
}

func run(t *testing.T, url string, o conformance.Options) *conformance.Report {
	t.Helper()
	report, err := conformance.Run(t.Context(), conformance.Target{URL: url}, brisk(o))
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

// deviations are what distribution really does, with the reason.
func deviations() map[string]string {
	return map[string]string{
		"chunk-17": "a Content-Range that is none is answered 500 UNKNOWN",
		"man-21":   "a manifest that is null is answered 500",
		"err-04":   "PAGINATION_NUMBER_INVALID is none of the specification's codes",
		"err-06":   "the first two, and a name that is too long is answered 500",
		"lim-02":   "a manifest that is too large is answered 400",
		"sec-06":   "nosniff is sent when it is configured",
		"lim-05":   "a name that is too long is answered 500",
		"sec-08":   "X-Forwarded-Host is believed unless http.host is configured",
		"mono-17":  "a blob by its sha512 digest is answered by its sha256 digest",
		"dig-07":   "the same",
		"tag-17":   "?n= of the catalogue is refused with PAGINATION_NUMBER_INVALID in this configuration",
	}
}

// racing is what distribution does now and then: it takes two chunks for one place
// when these arrive at once.
const racing = "conc-05"

// TestClean: registries that do what they must pass, beside what is known of them.
func TestClean(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		url   func(t *testing.T) string
		known map[string]string
	}{
		{"fake", func(t *testing.T) string {
			t.Helper()
			return fake(t, fakeregistry.V2Options{Delete: true, ForeignLayers: true})
		}, nil},
		{"distribution", func(t *testing.T) string {
			t.Helper()
			return serve(t, distregistry.New(distregistry.Options{Delete: true, ForeignLayers: true}))
		}, deviations()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := conformance.Options{Profile: "all", Seed: 1}
			if !*full {
				o.Skip = []string{"lim-04", "perf", "conc-11", "ref-10", "era-bad-line-docker-28"}
			}
			report := run(t, row.url(t), o)
			found := unmet(report)
			for id, what := range found {
				if row.known[id] == "" && (row.known == nil || id != racing) {
					t.Errorf("%s: %s", id, what)
				}
			}
			for id, reason := range row.known {
				if found[id] == "" {
					t.Errorf("%s passes: it is no longer so that %s", id, reason)
				}
			}
		})
	}
}

// TestHostile: answers without an end, with endless headers, in circles and of
// nonsense end a run with verdicts.
func TestHostile(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"endless body": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"endless headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", strings.Repeat("x", 2<<20))
		},
		"circles":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"nonsense": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x1b[2J\x00{{{") },
		"deep":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("[", 1<<20)) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := served(t, witness{wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if route := wire.ParseRoute(r.Method, r.URL); route.Op == wire.OpBlobGet || route.Op == wire.OpTagsList {
						answer(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			report := run(t, url, conformance.Options{Run: []string{"blob-03", "blob-13", "tag-01", "tag-08"}})
			require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
			var b bytes.Buffer
			require.NoError(t, report.WriteText(&b, conformance.TextOptions{Verbose: true}))
			require.NotContains(t, b.String(), "\x1b")
			require.Less(t, b.Len(), 100_000)
		})
	}
}

// TestDeadline: a run ends when its time is over, and says what it did not look at.
func TestDeadline(t *testing.T) {
	t.Parallel()
	report := run(t, served(t, witness{}), conformance.Options{Deadline: time.Nanosecond})
	require.Equal(t, conformance.ExitBroken, report.ExitCode(conformance.Must))
	require.Equal(t, "the run's time was over", report.Causes()[0].Title)
}

// TestBudget: what a run may not send it does not, and says that it could not look.
func TestBudget(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	url := served(t, witness{wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			next.ServeHTTP(w, r)
		})
	}})
	report := run(t, url, conformance.Options{MaxRequests: 30})
	require.LessOrEqual(t, sent.Load(), int64(30))
	require.Equal(t, conformance.ExitBroken, report.ExitCode(conformance.Must))
	causes := report.Causes()
	require.Len(t, causes, 1)
	require.Equal(t, "the run has sent what it may: 30 requests", causes[0].Title)
}

// TestOneCause: a registry whose ping is broken has one line, and exit code 1.
func TestOneCause(t *testing.T) {
	t.Parallel()
	report := run(t, served(t, witness{wrap: instead(func(r *http.Request, _ wire.Route) bool { return r.URL.Path == "/v2/" }, 500, "")}), conformance.Options{})
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	causes := report.Causes()
	require.Len(t, causes, 1)
	require.Equal(t, []string{"ping-01"}, causes[0].Checks)
	require.GreaterOrEqual(t, len(causes[0].Blocked), len(report.Verdicts)-5, "all but what V1 does")
}

// TestAlone: every check runs alone, and twice with one seed; without -full the last
// of each group does, once.
func TestAlone(t *testing.T) {
	t.Parallel()
	url := served(t, witness{})
	times := 1
	if *full {
		times = 2
	}
	all := conformance.Checks()
	for i, c := range all {
		if !*full && i+1 < len(all) && all[i+1].Group() == c.Group() {
			continue
		}
		for range times {
			report := run(t, url, conformance.Options{Run: []string{c.ID}, Seed: 5})
			require.Empty(t, unmet(report), c.ID)
		}
	}
}

// TestClosed: a port where nobody listens is exit code 3.
func TestClosed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	report := run(t, server.URL, conformance.Options{})
	require.Equal(t, conformance.ExitBroken, report.ExitCode(conformance.Must))
	require.Len(t, report.Causes(), 1)
}

// TestWrong: what cannot be meant is an error before anything is sent.
func TestWrong(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		url  string
		o    conformance.Options
		want error
	}{
		"no scheme":    {"127.0.0.1:5000", conformance.Options{}, conformance.ErrTarget},
		"a password":   {"http://a:s3cret@127.0.0.1", conformance.Options{}, conformance.ErrTarget},
		"and no port":  {"http://a:s3cret@127.0.0.1:x", conformance.Options{}, conformance.ErrTarget},
		"and nothing":  {"a:s3cret@127.0.0.1", conformance.Options{}, conformance.ErrTarget},
		"no host":      {"http://:5000", conformance.Options{}, conformance.ErrTarget},
		"no number":    {"http://127.0.0.1", conformance.Options{Rate: math.NaN()}, conformance.ErrOptions},
		"no end":       {"http://127.0.0.1", conformance.Options{Rate: math.Inf(1)}, conformance.ErrOptions},
		"a slow rate":  {"http://127.0.0.1", conformance.Options{Rate: 1e-12}, conformance.ErrOptions},
		"below 0":      {"http://127.0.0.1", conformance.Options{MaxRequests: -1}, conformance.ErrOptions},
		"a slip":       {"http://127.0.0.1", conformance.Options{Known: []conformance.KnownDeviation{{ID: "mono-99", Reason: "so"}}}, conformance.ErrOptions},
		"known twice":  {"http://127.0.0.1", conformance.Options{Known: []conformance.KnownDeviation{{ID: "mono-01"}, {ID: "mono-01"}}}, conformance.ErrOptions},
		"no check":     {"http://127.0.0.1", conformance.Options{Checks: []*conformance.Check{nil}}, conformance.ErrOptions},
		"no profile":   {"http://127.0.0.1", conformance.Options{Profile: "oci"}, conformance.ErrOptions},
		"no such name": {"http://127.0.0.1", conformance.Options{Run: []string{"blob-99"}}, conformance.ErrOptions},
		"nothing left": {"http://127.0.0.1", conformance.Options{Run: []string{"blob"}, Skip: []string{"*"}}, conformance.ErrOptions},
	} {
		_, err := conformance.Run(t.Context(), conformance.Target{URL: row.url}, row.o)
		require.ErrorIs(t, err, row.want, name)
		require.NotContains(t, err.Error(), "s3cret", name)
	}
	for _, prefix := range []string{"UPPER", "a b", "../..", "/", strings.Repeat("a", 250)} {
		_, err := conformance.Run(t.Context(), conformance.Target{URL: "http://127.0.0.1", Prefix: prefix}, conformance.Options{})
		require.ErrorIs(t, err, conformance.ErrTarget, prefix)
		_, err = conformance.Run(t.Context(), conformance.Target{URL: "http://127.0.0.1", Other: prefix}, conformance.Options{})
		require.ErrorIs(t, err, conformance.ErrTarget, prefix)
	}
}

// TestCleansUp: a run leaves no blob and no manifest behind.
func TestCleansUp(t *testing.T) {
	t.Parallel()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true, ForeignLayers: true})
	report := run(t, serve(t, registry), conformance.Options{Profile: "oci-1.1", Seed: 1})
	require.False(t, report.LeftBehind)
	for _, v := range report.Verdicts {
		repository := report.Prefix + "/" + v.Check.ID
		require.Empty(t, registry.Storage().TagMap(repository), repository)
	}
}
