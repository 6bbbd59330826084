package conformance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// TestUnreachable: what keeps the run from seeing a registry is no failing of that
// registry, and is one cause that says how to go on.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(ok), httptest.NewUnstartedServer(ok)
	t.Cleanup(plain.Close)
	shutUp(secure)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	choosy := httptest.NewUnstartedServer(ok)
	shutUp(choosy)
	choosy.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	choosy.StartTLS()
	t.Cleanup(choosy.Close)
	for name, row := range map[string]struct {
		target conformance.Target
		want   string
	}{
		"no certificate":   {conformance.Target{URL: choosy.URL, Transport: choosy.Client().Transport}, "without a certificate that it knows; show it one"},
		"no TLS":           {conformance.Target{URL: strings.Replace(plain.URL, "http", "https", 1)}, "write http:// for https://"},
		"TLS":              {conformance.Target{URL: strings.Replace(secure.URL, "https", "http", 1)}, "write https:// for http://"},
		"a stranger's CA":  {conformance.Target{URL: secure.URL}, "name the authority that is to be believed"},
		"a scoped address": {conformance.Target{URL: "http://[fe80::1%25none]:1"}, "[fe80::1%none]:1 cannot be reached: "},
		"a wrong password": {with(guarded(t, basic(), nil), pusher.Credentials{Username: "alice", Password: "wrong-horse"}), "look at the name and the password"},
		"no such user":     {with(guarded(t, bearer(), nil), pusher.Credentials{Username: "eve", Password: "wrong-horse"}), "look at the name and the password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := conformance.Run(t.Context(), row.target, brisk(conformance.Options{}))
			require.NoError(t, err)
			causes := report.Causes()
			require.Len(t, causes, 1)
			require.Contains(t, causes[0].Title, row.want)
			require.Equal(t, conformance.ExitBroken, report.ExitCode(conformance.Must))
			require.NotContains(t, everything(t, report), "wrong-horse")
		})
	}
}

func with(t conformance.Target, c pusher.Credentials) conformance.Target {
	t.Credentials = c
	return t
}

// shutUp keeps a server from printing what clients do to it.
func shutUp(s *httptest.Server) {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
}

// everything is every report, in one text.
func everything(t *testing.T, r *conformance.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b, conformance.TextOptions{}))
	require.NoError(t, r.WriteText(&b, conformance.TextOptions{Verbose: true}))
	require.NoError(t, r.WriteJSON(&b))
	require.NoError(t, r.WriteJUnit(&b, conformance.Should))
	require.NoError(t, r.WriteHTML(&b, "", conformance.Should))
	return b.String()
}

// A roundTripper is one function.
type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestItsOwnPort: a Location with the port that the scheme has anyway, or with capital
// letters, is at the registry, and so are the credentials.
func TestItsOwnPort(t *testing.T) {
	t.Parallel()
	target := guarded(t, basic(), edit(func(a *reply) {
		if u, err := url.Parse(a.Header().Get("Location")); err == nil && u.Path != "" {
			a.Header().Set("Location", "http://Registry.EXAMPLE:80"+u.RequestURI())
		}
	}))
	at, err := url.Parse(target.URL)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	target.URL, target.Transport = "http://registry.example", roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Host = at.Host
		return transport.RoundTrip(r)
	})
	report, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Run: []string{"mono-03", "chunk-01"}}))
	require.NoError(t, err)
	require.Empty(t, unmet(report))
}

// TestTooMany: an era's push waits for a registry that got too many requests, as all
// else of a run does; one that never takes it could not be looked at.
func TestTooMany(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		at    wire.Op
		times int64
		want  conformance.Word
	}{
		"for a while":         {wire.OpUploadStart, 2, conformance.Pass},
		"in a body":           {wire.OpManifestPut, 2, conformance.Pass},
		"in a body on the go": {wire.OpUploadPatch, 2, conformance.Pass},
		"always":              {wire.OpUploadStart, math.MaxInt64, conformance.Errored},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			url := served(t, witness{wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if wire.ParseRoute(r.Method, r.URL).Op == row.at && strings.HasPrefix(r.Header.Get("User-Agent"), "docker/") && asked.Add(1) <= row.times {
						w.Header().Set("Retry-After", "0")
						w.WriteHeader(http.StatusTooManyRequests)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			v := run(t, url, conformance.Options{Run: []string{"era-docker-20.10"}, Skip: []string{"conc", "chunk", "mount"}}).Verdict("era-docker-20.10")
			require.Equal(t, row.want, v.Word, v.Reason)
		})
	}
}

// TestEraShowsTheRefusal: of a push that was refused the refusal is shown, not what the
// client gave up for it.
func TestEraShowsTheRefusal(t *testing.T) {
	t.Parallel()
	url := served(t, witness{wrap: instead(func(r *http.Request, route wire.Route) bool {
		return route.Op == wire.OpUploadPut && strings.Contains(r.URL.Path, "/era-")
	}, http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"the quota is used up"}]}`)})
	report := run(t, url, conformance.Options{Run: []string{"era-containerd", "era-docker-28", "era-best"}, Skip: []string{"conc", "chunk", "mount"}})
	for _, id := range []string{"era-containerd", "era-docker-28", "era-best"} {
		v := report.Verdict(id)
		require.NotNil(t, v.Violation, id)
		require.Contains(t, v.Violation.Got, "403 DENIED", id)
		require.Equal(t, http.StatusForbidden, v.Violation.Exchange.Response.Status, id)
	}
}

// TestOnceForAll: what hangs is looked at again under control, once and not for every
// check that meets it.
func TestOnceForAll(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var again []string
	hang := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wire.ParseRoute(r.Method, r.URL).Op != wire.OpTagsList {
				next.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			if strings.Contains(r.URL.Path, "/again/") {
				again = append(again, r.URL.Path)
			}
			mu.Unlock()
			<-r.Context().Done()
		})
	}
	report, err := conformance.Run(t.Context(), conformance.Target{URL: served(t, witness{wrap: hang})}, conformance.Options{
		Run: []string{"tag-01", "tag-11", "tag-15"}, Timeout: 300 * time.Millisecond, Patience: time.Millisecond,
	})
	require.NoError(t, err)
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, again, 1)
}

// TestInterrupted: a run that is ended in the middle deletes what it pushed before it
// returns, and cancels the uploads that it began.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var put, deleted, began, cancelled atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := wire.ParseRoute(r.Method, r.URL)
		if route.Op == wire.OpBlobGet {
			interrupt()
			<-r.Context().Done()
			return
		}
		recorder := httptest.NewRecorder()
		recorder.Header().Set("Connection", "close")
		registry.ServeHTTP(recorder, r)
		for op, n := range map[wire.Op]*atomic.Int64{wire.OpUploadPut: &put, wire.OpBlobDelete: &deleted, wire.OpUploadStart: &began, wire.OpUploadCancel: &cancelled} {
			if route.Op == op && recorder.Code/100 == 2 {
				n.Add(1)
			}
		}
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorder.Code)
		_, _ = io.Copy(w, recorder.Body) // the client may be gone
	}))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, registry.Close())
	})
	o := brisk(conformance.Options{Run: []string{"mono-01", "mono-03", "blob-03"}, Skip: []string{"blob-01"}})
	o.Parallel = 1
	_, err := conformance.Run(ctx, conformance.Target{URL: server.URL}, o)
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, put.Load())
	require.Equal(t, put.Load(), deleted.Load())
	require.Equal(t, began.Load(), put.Load()+cancelled.Load())
}

// TestNothingStaysOpen: a run that came to its end has cancelled each upload that it
// began and did not close.
func TestNothingStaysOpen(t *testing.T) {
	t.Parallel()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true})
	run(t, serve(t, registry), conformance.Options{Run: []string{"mono", "chunk", "dig"}, Seed: 1})
	for _, repository := range registry.Storage().Repositories() {
		require.Zero(t, registry.Storage().OpenUploads(repository), repository)
	}
}

// TestLeftBehind: a registry that fails to delete still has what was pushed, and the
// report says so.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	url := served(t, witness{wrap: instead(func(_ *http.Request, route wire.Route) bool { return route.Op == wire.OpBlobDelete }, 500, "")})
	require.True(t, run(t, url, conformance.Options{Run: []string{"mono-03"}}).LeftBehind)
}

// TestOneScreen: of many checks that one thing breaks, one is shown with all that shows
// it, and the summary names a few.
func TestOneScreen(t *testing.T) {
	t.Parallel()
	url := served(t, witness{wrap: instead(func(r *http.Request, route wire.Route) bool {
		return route.Op == wire.OpUploadPut && !strings.Contains(r.URL.Path, "/mono-03/")
	}, http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"the quota is used up"}]}`)})
	report := run(t, url, conformance.Options{Run: []string{"blob", "man", "dig", "tag"}})
	require.Greater(t, report.Count(conformance.Fail), 10)
	var b strings.Builder
	require.NoError(t, report.WriteText(&b, conformance.TextOptions{}))
	require.LessOrEqual(t, strings.Count(b.String(), "\nFAIL "), len(report.Causes()))
	require.Contains(t, b.String(), "\n  also   ")
	_, summary, _ := strings.Cut(b.String(), "\n"+url+"\n")
	require.Regexp(t, ` and \d+ more: `, summary)
	require.Less(t, strings.Count(summary, "\n"), 40)
}

// TestALongSecret: a message that a long password was cut off in has nothing of it.
func TestALongSecret(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("aBcD1-eFgH2_", 12)
	guard := &fakeregistry.Basic{Users: fakeregistry.Passwords(map[string]string{"alice": long})}
	target := guarded(t, guard, edit(func(a *reply) {
		if a.route.Op != wire.OpPing && a.r.Header.Get("Authorization") != "" {
			a.set(400, `{"errors":[{"code":"`+long+`","message":"`+a.r.Header.Get("Authorization")+`"}]}`)
		}
	}))
	target.Credentials.Password = long
	report, err := conformance.Run(t.Context(), target, brisk(conformance.Options{Run: []string{"mono-01", "mono-02", "era-best", "blob-01"}}))
	require.NoError(t, err)
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	text := everything(t, report)
	for _, v := range report.Verdicts {
		text += v.Reason + report.Detail(v.Check.ID)
		if v.Violation != nil {
			text += v.Violation.Error() + v.Violation.Curl
		}
	}
	require.NotContains(t, text, long[:16])
	require.NotContains(t, text, "YWxpY2U6YUJj") // alice:aBc
}

// TestV1Alone: a registry of V1 alone fails as one of V2, and is looked at as what it is.
func TestV1Alone(t *testing.T) {
	t.Parallel()
	report := run(t, serve(t, fakeregistry.NewV1(fakeregistry.V1Options{})), conformance.Options{})
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	require.Len(t, report.Causes(), 1)
	require.Equal(t, []string{"ping-01"}, report.Causes()[0].Checks)
	require.Equal(t, conformance.Pass, report.Verdict("era-docker-1.8-v1").Word, report.Verdict("era-docker-1.8-v1").Reason)
}

// TestALookThatFails: what a registry says instead of the image that was given harms
// nobody who reads it, and has no password in it.
func TestALookThatFails(t *testing.T) {
	t.Parallel()
	target := guarded(t, basic(), edit(func(a *reply) {
		if a.route.Op == wire.OpManifestGet && a.r.Header.Get("Authorization") != "" {
			a.set(400, `{"errors":[{"code":"\u001b[31m`+password+`"}]}`)
		}
	}))
	_, err := conformance.Run(t.Context(), target, conformance.Options{Profile: "pull-only", Given: "team/app:v1"})
	require.ErrorContains(t, err, "team/app:v1 cannot be looked at")
	require.NotContains(t, err.Error(), password)
	require.NotContains(t, err.Error(), "\x1b")
	require.Empty(t, new(conformance.Report).Detail("mono-01"))
}

// TestScreen: what is prose ends at the edge of a screen and loses no word; wires and
// commands stay as they are, to be copied.
func TestScreen(t *testing.T) {
	t.Parallel()
	report := run(t, served(t, witness{wrap: status(201, 500, wire.OpUploadPut)}), conformance.Options{Profile: "docker-push", Skip: costly(), Seed: 1})
	var wide, narrow strings.Builder
	require.NoError(t, report.WriteText(&wide, conformance.TextOptions{}))
	require.NoError(t, report.WriteText(&narrow, conformance.TextOptions{Columns: 80}))
	require.Equal(t, strings.Fields(wide.String()), strings.Fields(narrow.String()))
	require.NotEqual(t, wide.String(), narrow.String())
	for line := range strings.Lines(narrow.String()) {
		if line = strings.TrimRight(line, "\n"); len([]rune(line)) > 80 {
			require.Regexp(t, "^  (\\||spec|try|again|      ) ?", line)
		}
	}
}

// TestReadOnly: a registry that takes no push at all has one cause.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{http.StatusMethodNotAllowed: "UNSUPPORTED", http.StatusForbidden: "DENIED"} {
		report := run(t, served(t, witness{wrap: instead(func(r *http.Request, _ wire.Route) bool {
			return r.Method != http.MethodGet && r.Method != http.MethodHead
		}, status, `{"errors":[{"code":"`+code+`"}]}`)}), conformance.Options{})
		require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
		require.Len(t, report.Causes(), 1)
		require.Equal(t, []string{"mono-01"}, report.Causes()[0].Checks)
	}
}

// TestNoRegistry: a site that has a page for every address is no registry, and that is
// all there is to say.
func TestNoRegistry(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>Welcome!</html>") // the client may be gone
	}))
	t.Cleanup(server.Close)
	report := run(t, server.URL, conformance.Options{})
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	require.Equal(t, 1, report.Count(conformance.Fail))
	require.Equal(t, "want a registry, got a page, as for whatever is asked", report.Causes()[0].Title)

	home := instead(func(r *http.Request, _ wire.Route) bool { return r.URL.Path == "/v2/" }, 200, "<html>Welcome!</html>")
	require.Empty(t, unmet(run(t, served(t, witness{wrap: home}), conformance.Options{Run: []string{"mono-03", "ping-01"}})), "a registry may have a page")
}

// TestASlowRegistry: an era that a slow registry gave no time to end has not found
// anything wrong.
func TestASlowRegistry(t *testing.T) {
	t.Parallel()
	slow := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("User-Agent"), "docker/") {
				time.Sleep(200 * time.Millisecond)
			}
			next.ServeHTTP(w, r)
		})
	}
	report, err := conformance.Run(t.Context(), conformance.Target{URL: served(t, witness{wrap: slow})}, conformance.Options{
		Run: []string{"era-docker-20.10"}, Skip: []string{"conc", "chunk", "mount", "blob", "man", "dig", "err", "sec", "mono-03", "mono-05"}, Timeout: 1500 * time.Millisecond, Seed: 1,
	})
	require.NoError(t, err)
	v := report.Verdict("era-docker-20.10")
	require.Equal(t, conformance.Errored, v.Word, v.Reason)
	require.Contains(t, v.Reason, "had not pushed the image within")
}
