package conformance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

const password = "correct-horse-battery"

func alice() pusher.Credentials { return pusher.Credentials{Username: "alice", Password: password} }

// guarded serves the fake behind a guard, and a wrapping before that.
func guarded(t *testing.T, guard fakeregistry.Guard, wrap func(http.Handler) http.Handler) conformance.Target {
	t.Helper()
	server, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{Delete: true}), Guard: guard, Seed: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	to, err := url.Parse(server.URL())
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	var h http.Handler = proxy
	if wrap != nil {
		h = wrap(h)
	}
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	return conformance.Target{URL: front.URL, Credentials: alice()}
}

func bearer() fakeregistry.Guard {
	return &fakeregistry.Bearer{Users: fakeregistry.Passwords(map[string]string{"alice": password})}
}

func basic() fakeregistry.Guard {
	return &fakeregistry.Basic{Users: fakeregistry.Passwords(map[string]string{"alice": password})}
}

// TestAuth: behind either guard everything passes that passes without, and the
// checks of the guard do too.
func TestAuth(t *testing.T) {
	t.Parallel()
	for name, guard := range map[string]func() fakeregistry.Guard{"bearer": bearer, "basic": basic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := guarded(t, guard(), nil)
			report, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Run: []string{"auth", "mono", "mount", "del-03", "man-03", "sec-01", "sec-12"}, Seed: 3}))
			require.NoError(t, err)
			require.Empty(t, unmet(report))
			require.Equal(t, conformance.Pass, report.Verdict("auth-01").Word)
			require.Equal(t, conformance.Pass, report.Verdict("auth-06").Word)
		})
	}
}

func authWitnesses() []witness {
	anonymous := func(r *http.Request) bool { return r.Header.Get("Authorization") == "" }
	challenge := func(change func(value string) string) func(http.Handler) http.Handler {
		return edit(func(a *reply) {
			if v := a.Header().Get("WWW-Authenticate"); v != "" && a.route.Op == wire.OpUploadStart && strings.Contains(a.r.URL.Path, "/auth-") {
				a.Header().Set("WWW-Authenticate", change(v))
			}
		})
	}
	token := func(status int, body string) func(http.Handler) http.Handler {
		return edit(func(a *reply) {
			if user, _, _ := a.r.BasicAuth(); a.r.URL.Path == "/token" && user == "pushcheck-nobody" {
				a.set(status, body)
			}
		})
	}
	return []witness{
		{id: "auth-01", wrap: instead(func(r *http.Request, route wire.Route) bool {
			return route.Op == wire.OpUploadStart && anonymous(r) && strings.Contains(route.Repository, "/auth-")
		}, 202, "")},
		{id: "auth-02", wrap: challenge(func(string) string { return "Negotiate" })},
		{id: "auth-03", wrap: edit(func(a *reply) {
			if a.route.Op == wire.OpUploadStart && strings.HasSuffix(a.route.Repository, "auth-03") && !anonymous(a.r) {
				a.set(403, "")
			}
		})},
		{id: "auth-05", wrap: challenge(func(v string) string { before, _, _ := strings.Cut(v, ",scope="); return before })},
		{id: "auth-06", wrap: token(200, `{"token":"T"}`)},
		{id: "auth-06", wrap: token(500, "")},
		{id: "auth-07", wrap: opens("auth-07")},
		{id: "auth-09", wrap: opens("other/auth-09")},
		{id: "auth-10", wrap: opens("auth-10")},
		{id: "sec-14", wrap: edit(func(a *reply) {
			if !anonymous(a.r) && strings.Contains(a.r.URL.Path, "/sec-14/") {
				a.set(400, a.r.Header.Get("Authorization"))
			}
		})},
		{id: "auth-14", wrap: edit(func(a *reply) {
			if a.r.URL.Path == "/token" && strings.Contains(a.r.URL.RawQuery, "auth-14") {
				jsonOf(a, func(m map[string]any) { m["expires_in"] = 10 })
			}
		})},
	}
}

// opens lets every token in, in one repository.
func opens(id string) func(http.Handler) http.Handler {
	return instead(func(r *http.Request, route wire.Route) bool {
		return route.Op == wire.OpUploadStart && strings.HasSuffix(route.Repository, id) && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
	}, 202, "")
}

func TestAuthWitnesses(t *testing.T) { //nolint:tparallel // its count waits for them
	t.Parallel()
	all := append(authWitnesses(), rightsWitnesses()...)
	var noticed atomic.Int64
	t.Run("each", func(t *testing.T) { eachAuthWitness(t, all, &noticed) })
	if *full {
		fmt.Printf("mutation score behind a guard: %d of %d planted defects noticed\n", noticed.Load(), len(all))
	}
}

func eachAuthWitness(t *testing.T, all []witness, noticed *atomic.Int64) {
	t.Helper()
	for _, w := range all {
		t.Run(w.id, func(t *testing.T) {
			t.Parallel()
			look := []string{"auth", "sec-12", "sec-14", "mount-04", "mount-07"}
			if !*full {
				look = append([]string{w.id}, w.also...)
			}
			report, err := conformance.Run(t.Context(), guarded(t, bearer(), w.wrap), brisk(conformance.Options{Run: look, Seed: 3}))
			require.NoError(t, err)
			var got []string
			for _, v := range report.Verdicts {
				if v.Violation != nil {
					got = append(got, v.Check.ID)
				}
			}
			if diff := cmp.Diff(append([]string{w.id}, w.also...), got); diff == "" {
				noticed.Add(1)
			} else {
				t.Errorf("noticed by (-want +got):\n%s%v", diff, unmet(report))
			}
		})
	}
}

// TestSecrets: a registry that sends a password back does not get it into a report.
func TestSecrets(t *testing.T) {
	t.Parallel()
	target := guarded(t, basic(), edit(func(a *reply) {
		a.Header().Set("X-Echo", a.r.Header.Get("Authorization"))
		if a.r.Header.Get("Authorization") != "" {
			a.set(400, `{"errors":[{"code":"`+password+`","message":"`+password+`"}]}`)
		}
	}))
	report, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Profile: "all", Skip: costly()}))
	require.NoError(t, err)
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	var b bytes.Buffer
	require.NoError(t, report.WriteText(&b, conformance.TextOptions{Verbose: true}))
	require.NoError(t, report.WriteJSON(&b))
	require.NoError(t, report.WriteJUnit(&b, conformance.Should))
	require.NoError(t, report.WriteHTML(&b, "", conformance.Should))
	require.Contains(t, b.String(), "X-Echo")
	require.NotContains(t, b.String(), password)
	require.NotContains(t, b.String(), "YWxpY2U6")
}

// TestElsewhere: a Location at another host gets no credentials, whatever that
// host asks for.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	var asked, leaked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="give"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer elsewhere.Close()
	for name, guard := range map[string]func() fakeregistry.Guard{"bearer": bearer, "basic": basic} {
		target := guarded(t, guard(), edit(func(a *reply) {
			if u, err := url.Parse(a.Header().Get("Location")); err == nil && u.Path != "" {
				a.Header().Set("Location", elsewhere.URL+u.RequestURI())
			}
		}))
		_, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Profile: "all", Skip: costly()}))
		require.NoError(t, err, name)
	}
	require.Positive(t, asked.Load())
	require.Zero(t, leaked.Load())
}

// TestRealm: credentials do not go to a realm that is less safe than the registry.
func TestRealm(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int64
	realm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	defer realm.Close()
	registry := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm.URL+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer registry.Close()
	target := conformance.Target{URL: registry.URL, Credentials: alice(), Transport: registry.Client().Transport}
	report, err := conformance.Run(t.Context(), target, conformance.Options{})
	require.NoError(t, err)
	require.Equal(t, conformance.ExitBroken, report.ExitCode(conformance.Must))
	require.Contains(t, report.Verdict("ping-01").Reason, "credentials stay here")
	require.Zero(t, leaked.Load())
	require.True(t, slices.ContainsFunc(report.Causes(), func(c conformance.Cause) bool { return len(c.Blocked) > 50 }))
}
