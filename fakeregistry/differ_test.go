package fakeregistry_test

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
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
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
	if len(body) > 0 {
		a.Body = digest.FromBytes(body)
	}
	return a
}

// likeDistribution are the quirks that distribution has.
var likeDistribution = fakeregistry.Quirks{NoSinglePost: true, NoReferrers: true}

// Our own V2 answers as distribution does: status, error codes and what a client
// builds on, for some hundred requests, in order, over real connections.
func TestV2AnswersAsDistribution(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		ours := newSide(t, fakeregistry.NewV2(fakeregistry.V2Options{Delete: true, Seed: seed, Quirks: likeDistribution}))
		theirs := newSide(t, distregistry.New(distregistry.Options{Delete: true}))
		g := newGenerator(t, seed)
		for i := range 250 {
			compare(t, fmt.Sprintf("seed %d, request %d", seed, i), g.next(), ours, theirs)
		}
	}
}

// So it does under other configurations.
func TestV2AnswersAsDistributionConfigured(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]distregistry.Options{
		"read-only":         {ReadOnly: true, Delete: true},
		"no delete":         {},
		"foreign layers":    {ForeignLayers: true, Delete: true},
		"relative location": {RelativeLocation: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quirks := likeDistribution
			quirks.RelativeLocation = o.RelativeLocation
			ours := newSide(t, fakeregistry.NewV2(fakeregistry.V2Options{
				Delete: o.Delete, ReadOnly: o.ReadOnly, ForeignLayers: o.ForeignLayers, Quirks: quirks,
			}))
			theirs := newSide(t, distregistry.New(o))
			g := newGenerator(t, 7)
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
	theirs := newSide(t, distregistry.New(distregistry.Options{}))
	for _, a := range oddRequests() {
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
		"single-post": {{method: "POST", path: "/v2/a/blobs/uploads/?digest=" + digest.FromString("x").String(), body: []byte("x")}},
		"referrers":   {{method: "GET", path: "/v2/a/referrers/" + digest.FromString("x").String()}},
		"catalog":     {{method: "GET", path: "/v2/_catalog"}},
		"long-name":   {{method: "GET", path: long}},
		"digest-as-asked": {
			{method: "POST", path: "/v2/a/blobs/uploads/", opens: 1},
			{method: "PUT", session: 1, body: []byte("x"), edit: func(u *url.URL) { u.RawQuery += "&digest=" + d512 }},
		},
	}
	for _, d := range fakeregistry.Differences() {
		requests := asks[d.Name]
		require.NotEmpty(t, requests, d.Name)
		ours := newSide(t, fakeregistry.NewV2(fakeregistry.V2Options{}))
		theirs := newSide(t, distregistry.New(distregistry.Options{}))
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
func explained(got, want said) bool {
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
	if diff == "" || explained(got, want) || strings.HasPrefix(a.path, "/v2/_catalog") {
		return
	}
	t.Errorf("%s: %s\n%s %s %v\n%.300s\ndistribution (-), ours (+):\n%s", where, a.doc, a.method, a.path, a.header, a.body, diff)
}
