package distregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// An ask is one generated request, in words that both registries understand: what
// each of them said before, such as the location of a session, is filled in for
// each.
type ask struct {
	doc     string
	method  string
	path    string // of a request that needs no session
	session int    // number of a session, from 1; 0 for none
	stale   bool   // the session's location before the last one
	edit    func(u *url.URL)
	header  http.Header
	body    []byte
	opens   int // number that the session gets which this starts
}

// A said is what is compared of two answers.
type said struct {
	Status      int
	Codes       []string // of the error envelope
	Digest      string
	ContentType string
	Range       string
	Link        string
	Allow       string
	Located     string // how a location begins
	Length      int64
	Body        digest.Digest // of other answers than errors
}

// A side is one of the two registries.
type side struct {
	url      string
	client   *http.Client
	now, was map[int]string // locations of sessions
}

func newSide(t *testing.T, r fakeregistry.Registry) *side {
	t.Helper()
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // distribution writes some headers twice
	server.Start()
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, r.Close())
	})
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &side{url: server.URL, client: client, now: map[int]string{}, was: map[int]string{}}
}

// preload stores a generator's blobs in a registry.
func preload(t *testing.T, r fakeregistry.Registry, g *generator) fakeregistry.Registry {
	t.Helper()
	for _, blob := range g.blobs {
		_, _, err := r.Storage().PutBlob("lib/a", bytes.NewReader(blob))
		require.NoError(t, err)
	}
	return r
}

func (s *side) ask(t *testing.T, a ask) said {
	t.Helper()
	target := s.url + a.path
	if a.session != 0 {
		target = s.now[a.session]
		if old := s.was[a.session]; a.stale && old != "" {
			target = old
		}
		if target == "" { // it was never opened here
			target = s.url + "/v2/lib/a/blobs/uploads/00000000-0000-4000-8000-000000000000?_state=x"
		}
	}
	u, err := url.Parse(target)
	require.NoError(t, err)
	if a.edit != nil {
		a.edit(u)
	}
	req, err := http.NewRequestWithContext(t.Context(), a.method, u.String(), bytes.NewReader(a.body))
	require.NoError(t, err)
	req.Header = a.header.Clone()
	resp, err := s.client.Do(req)
	require.NoError(t, err, a.doc)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err, a.doc)
	n := a.opens
	if n == 0 {
		n = a.session
	}
	if l := resp.Header.Get("Location"); n != 0 && strings.Contains(l, "/blobs/uploads/") {
		next, err := u.Parse(l)
		require.NoError(t, err)
		s.was[n], s.now[n] = s.now[n], next.String()
	}
	return hear(resp, body)
}

func hear(resp *http.Response, body []byte) said {
	a := said{
		Status: resp.StatusCode, Located: resp.Header.Get("Location")[:min(4, len(resp.Header.Get("Location")))],
		Digest: resp.Header.Get("Docker-Content-Digest"), Range: resp.Header.Get("Range"),
		Link: resp.Header.Get("Link"), Allow: resp.Header.Get("Allow"),
		ContentType: resp.Header.Get("Content-Type"), Length: resp.ContentLength,
	}
	var envelope struct {
		Errors []struct{ Code string }
	}
	if json.Unmarshal(body, &envelope) == nil && envelope.Errors != nil {
		a.Length = 0 // details are worded differently
		for _, e := range envelope.Errors {
			a.Codes = append(a.Codes, e.Code)
		}
		return a
	}
	if resp.StatusCode >= 400 {
		a.Length = 0
		return a
	}
	if kind, _, several := strings.Cut(a.ContentType, "; boundary="); several {
		a.ContentType, body = kind, nil // the boundary is random
	}
	if len(body) > 0 {
		a.Body = digest.FromBytes(body)
	}
	return a
}

// likeDistribution are the quirks that distribution has.
var likeDistribution = fakeregistry.Quirks{NoSinglePost: true, NoReferrers: true, DistributionErrors: true}

// Our own V2 answers as distribution does: status, error codes and what a client
// builds on, for some hundred requests, in order, over real connections.
func TestV2AnswersAsDistribution(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		g := newGenerator(t, seed)
		ours := newSide(t, preload(t, fakeregistry.NewV2(fakeregistry.V2Options{Delete: true, Seed: seed, Quirks: likeDistribution}), g))
		theirs := newSide(t, preload(t, New(Options{Delete: true}), g))
		for i := range 200 {
			compare(t, fmt.Sprintf("seed %d, request %d", seed, i), g.next(), ours, theirs)
		}
	}
}

// Distribution answers over our storage as it does over plain files.
func TestStorageDriver(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		g := newGenerator(t, 100+seed)
		g.modern = true
		ours := newSide(t, New(Options{Delete: true, NoSchema1: true}))
		theirs := newSide(t, plainDistribution())
		for i := range g.blobs {
			compare(t, "preload", ask{method: "POST", path: "/v2/lib/a/blobs/uploads/", opens: 1}, ours, theirs)
			compare(t, "preload", ask{method: "PUT", session: 1, body: g.blobs[i], edit: func(u *url.URL) {
				u.RawQuery += "&digest=" + digest.FromBytes(g.blobs[i]).String()
			}}, ours, theirs)
		}
		for i := range 200 {
			compare(t, fmt.Sprintf("seed %d, request %d", seed, i), g.next(), ours, theirs)
		}
		compare(t, "the catalogue", ask{method: "GET", path: "/v2/_catalog"}, ours, theirs)
		compare(t, "the catalogue", ask{method: "GET", path: "/v2/_catalog?n=1&last=b"}, ours, theirs)
	}
}

// So it does under other configurations.
func TestV2AnswersAsDistributionConfigured(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"read-only":         {ReadOnly: true, Delete: true},
		"no delete":         {},
		"foreign layers":    {ForeignLayers: true, Delete: true},
		"relative location": {RelativeLocation: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quirks := likeDistribution
			quirks.RelativeLocation = o.RelativeLocation
			g := newGenerator(t, 7)
			ours := newSide(t, preload(t, fakeregistry.NewV2(fakeregistry.V2Options{
				Delete: o.Delete, ReadOnly: o.ReadOnly, ForeignLayers: o.ForeignLayers, Quirks: quirks,
			}), g))
			theirs := newSide(t, preload(t, New(o), g))
			for i := range 120 {
				compare(t, fmt.Sprintf("request %d", i), g.next(), ours, theirs)
			}
		})
	}
}

// And to requests that no client should make.
func TestV2AnswersOddRequestsAsDistribution(t *testing.T) {
	t.Parallel()
	ours := newSide(t, fakeregistry.NewV2(fakeregistry.V2Options{Quirks: likeDistribution}))
	theirs := newSide(t, New(Options{}))
	for _, a := range oddRequests() {
		if a.path == "/v2/_catalog" {
			continue // see Differences
		}
		compare(t, "odd request", a, ours, theirs)
	}
}

// What is documented to differ does, and the quirks that end it, where there are
// some, do that.
func TestDifferencesFromDistribution(t *testing.T) {
	t.Parallel()
	d512 := digest.SHA512.FromString("x").String()
	long := "/v2/" + strings.Repeat("n", 256) + "/tags/list"
	asks := map[string][]ask{
		"single-post":     {{method: "POST", path: "/v2/a/blobs/uploads/?digest=" + digest.FromString("x").String(), body: []byte("x")}},
		"errors":          {{method: "GET", path: "/v2/a/tags/list?n=-1"}},
		"referrers":       {{method: "GET", path: "/v2/a/referrers/" + digest.FromString("x").String()}},
		"catalog":         {{method: "GET", path: "/v2/_catalog"}},
		"long-name":       {{method: "GET", path: long}},
		"last-of-nothing": {{method: "GET", path: "/v2/a/tags/list?last=x"}},
		"digest-as-asked": {
			{method: "POST", path: "/v2/a/blobs/uploads/", opens: 1},
			{method: "PUT", session: 1, body: []byte("x"), edit: func(u *url.URL) { u.RawQuery += "&digest=" + d512 }},
		},
	}
	for _, d := range fakeregistry.Differences() {
		requests := asks[d.Name]
		require.NotEmpty(t, requests, d.Name)
		ours := newSide(t, fakeregistry.NewV2(fakeregistry.V2Options{}))
		theirs := newSide(t, New(Options{}))
		var got, want said
		for _, a := range requests {
			got, want = ours.ask(t, a), theirs.ask(t, a)
		}
		if cmp.Equal(got, want) {
			t.Errorf("the difference %s is documented and did not show: %+v", d.Name, got)
		}
		delete(asks, d.Name)
	}
	require.Empty(t, asks, "differences that are not documented")
}

// explained are the differences that show in generated requests.
func explained(a ask, got, want said) bool {
	if strings.Contains(a.path, "last=") && slices.Equal(got.Codes, []string{"NAME_UNKNOWN"}) && want.Status == 200 {
		return true // last-of-nothing
	}
	if got.Status == 400 && slices.Equal(got.Codes, []string{"NAME_INVALID"}) && want.Status == 500 {
		return true // long-name
	}
	if strings.HasPrefix(got.Digest, "sha512:") && strings.HasPrefix(want.Digest, "sha256:") {
		got.Digest = want.Digest // digest-as-asked
		return cmp.Equal(got, want)
	}
	return false
}

func compare(t *testing.T, where string, a ask, ours, theirs *side) {
	t.Helper()
	got, want := ours.ask(t, a), theirs.ask(t, a)
	diff := cmp.Diff(want, got)
	if diff == "" || explained(a, got, want) {
		return
	}
	t.Errorf("%s: %s\n%s %s %v\n%.300s\ndistribution (-), ours (+):\n%s", where, a.doc, a.method, a.path, a.header, a.body, diff)
}
