package fakeregistry_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

const otherManifest = "application/vnd.oci.image.index.v1+json"

// patched starts a session and sends it one chunk.
func (p *pusher) patched(chunk []byte, header ...string) outcome {
	p.t.Helper()
	started := p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	return p.send(http.MethodPatch, p.location(started).String(), chunk, header...)
}

func TestSessionDoubles(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		s, _, p := on(t, r, fault(t, "session-doubles", "", "times=1"))
		layer := content("layer", 1000)
		started := p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
		at := p.location(started).String()
		if got := p.send(http.MethodPatch, at, layer); !errors.Is(got.Err, syscall.ECONNRESET) {
			t.Fatalf("the first chunk got %d %v, want a reset", got.Status, got.Err)
		}
		again := p.send(http.MethodPatch, at, layer)
		if again.Status != http.StatusAccepted || again.Header.Get("Range") != "0-1999" {
			t.Errorf("sent again it got %d, Range %q; want 202 and all of it twice", again.Status, again.Header.Get("Range"))
		}
		u := p.location(again)
		q := u.Query()
		q.Set("digest", digestOf(layer).String())
		u.RawQuery = q.Encode()
		if p.send(http.MethodPut, u.String(), nil).Status != http.StatusBadRequest || !strings.Contains(p.last.Body, "DIGEST_INVALID") {
			t.Errorf("the commit got %d %s", p.last.Status, p.last.Body)
		}
		if !p.blob(content("other", 10)) || len(s.Idle()) != 0 {
			t.Errorf("another session: %v", p.log)
		}
	})
}

func TestSessionOffset(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]string{"by=-100": "0-899", "by=+1": "0-1000", "by=-5000": ""} {
		s, _, p := onV2(t, fault(t, "session-offset", "", by))
		got := p.patched(content("layer", 1000))
		if want == "" {
			want = got.Header.Get("Range")
			if !strings.HasPrefix(want, "0-0") && want != "" {
				t.Errorf("%s: Range %q although nothing is left", by, want)
			}
		}
		if got.Status != http.StatusAccepted || got.Header.Get("Range") != want || len(s.Fired()) != 1 {
			t.Errorf("%s: %d, Range %q, want %q; fired %+v", by, got.Status, got.Header.Get("Range"), want, s.Fired())
		}
		for _, row := range []struct {
			first, want int
		}{{0, http.StatusRequestedRangeNotSatisfiable}, {1000, http.StatusRequestedRangeNotSatisfiable}} {
			req, err := http.NewRequest(http.MethodPatch, p.location(got).String(), bytes.NewReader(content("rest", 10)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", row.first, row.first+9))
			resp, err := p.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != row.want && by != "by=-5000" {
				t.Errorf("%s: a chunk from %d on got %d, want %d", by, row.first, resp.StatusCode, row.want)
			}
		}
	}
	s, _, p := onV2(t, fault(t, "session-offset", "upload.start"))
	p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	if len(s.Fired()) != 0 {
		t.Error("it struck a request without a body")
	}
	if _, err := fakeregistry.NewFault("session-offset", "", "by=0"); err == nil {
		t.Error("an offset of 0 is taken")
	}
}

func TestCommitLater(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		v := virtual(t)
		guard := &fakeregistry.Basic{Users: people()}
		s := start(t, fakeregistry.Config{Registry: r, Clock: v, Guard: guard, Faults: []fakeregistry.Fault{fault(t, "commit-later", "", "by=3s")}})
		p := newPusher(t, s)
		p.http, p.token = timed(t, v, s), "Basic YWxpY2U6c2VjcmV0"
		layer := content("layer", 100)
		if p.manifest("v1", layer) || len(s.Fired()) != 0 {
			t.Fatalf("a manifest that is refused anyway: %v, fired %+v", p.log, s.Fired())
		}
		p.blob(layer)
		if !p.manifest("v1", layer) || !s.Fired()[0].Done {
			t.Fatalf("%v, fired %+v", p.log, s.Fired())
		}
		for _, want := range []int{0, 1} {
			if got := len(r.Storage().TagMap("lib/app")); got != want {
				t.Errorf("there are %d tags, want %d", got, want)
			}
			if err := v.Sleep(t.Context(), 4*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.Storage().Manifests("lib/app")) != 1 {
			t.Error("the manifest is not there")
		}
	})
}

func TestCommitUnchecked(t *testing.T) {
	t.Parallel()
	s, store, p := onV2(t, fault(t, "commit-unchecked", ""))
	right, wrong := content("layer", 1000), content("other", 900)
	patched := p.patched(wrong)
	u := p.location(patched)
	q := u.Query()
	q.Set("digest", digestOf(right).String())
	u.RawQuery = q.Encode()
	if p.send(http.MethodPut, u.String(), nil).Status != http.StatusCreated {
		t.Fatalf("the commit got %d %s", p.last.Status, p.last.Body)
	}
	if got := p.send(http.MethodGet, "/v2/lib/app/blobs/"+digestOf(right).String(), nil); got.Body != string(wrong) {
		t.Errorf("GET gave %d and %d bytes, want the wrong ones", got.Status, len(got.Body))
	}
	if n := len(store.Blobs("lib/app")); n != 1 || len(s.Fired()) != 1 {
		t.Errorf("%d blobs, fired %+v", n, s.Fired())
	}
	p.blob(right)
	if len(s.Fired()) != 1 {
		t.Error("it struck content that is right")
	}
}

func TestPullThroughLag(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		v := virtual(t)
		s := start(t, fakeregistry.Config{Registry: r, Clock: v, Faults: []fakeregistry.Fault{fault(t, "pull-through-lag", "", "by=5s", "times=1")}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		layer := content("layer", 100)
		p.blob(layer)
		p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(layer).String(), nil)
		if p.last.Status != http.StatusOK || p.manifest("v1", layer) || !strings.Contains(p.last.Body, "BLOB_UNKNOWN") {
			t.Errorf("%v %s, want the manifest refused", p.log, p.last.Body)
		}
		if err := v.Sleep(t.Context(), 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if !p.manifest("v1", layer) || len(s.Fired()) != 2 {
			t.Errorf("later: %v %s; fired %+v", p.log, p.last.Body, s.Fired())
		}
	})
	s, _, p := onV2(t, fault(t, "pull-through-lag", ""))
	p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(content("none", 1)).String(), nil)
	if p.last.Status != http.StatusNotFound || len(s.Fired()) != 0 {
		t.Errorf("a blob that is nowhere: %d, fired %+v", p.last.Status, s.Fired())
	}
}

func TestManifestRewritten(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		s, store, p := on(t, r, fault(t, "manifest-rewritten", ""))
		layer := content("layer", 100)
		p.blob(layer)
		if !p.manifest("v1", layer) {
			t.Fatalf("%v %s", p.log, p.last.Body)
		}
		told := p.last.Header.Get("Docker-Content-Digest")
		got := p.send(http.MethodGet, "/v2/lib/app/manifests/v1", nil, "Accept: application/vnd.oci.image.manifest.v1+json")
		if !strings.HasPrefix(got.Body, "{\n ") || digestOf([]byte(got.Body)).String() != told || store.TagMap("lib/app")["v1"].String() != told {
			t.Errorf("stored is %.40q as %v, told was %s", got.Body, store.TagMap("lib/app"), told)
		}
		spaced := []byte(`{ "schemaVersion":2, "mediaType":"` + otherManifest + `", "manifests":[] }`)
		p.send(http.MethodPut, "/v2/lib/app/manifests/v2", spaced, "Content-Type: "+otherManifest)
		p.send(http.MethodGet, "/v2/lib/app/manifests/v2", nil, "Accept: "+otherManifest)
		if p.last.Body != strings.ReplaceAll(string(spaced), " ", "") {
			t.Errorf("one with blanks is stored as %q", p.last.Body)
		}
		before := len(s.Fired())
		p.send(http.MethodPut, "/v2/lib/app/manifests/"+digestOf(spaced).String(), spaced, "Content-Type: "+otherManifest)
		p.send(http.MethodPut, "/v2/lib/app/manifests/v3", []byte("no JSON"), "Content-Type: "+otherManifest)
		p.send(http.MethodPut, "/v2/lib/app/manifests/v3", bytes.Repeat([]byte(" "), 5<<20), "Content-Type: "+otherManifest)
		refused := p.last.Status == http.StatusBadRequest || p.last.Status == http.StatusRequestEntityTooLarge
		if diff := cmp.Diff([]any{true, before}, []any{refused, len(s.Fired())}); diff != "" {
			t.Errorf("what must not be rewritten (-want +got):\n%s", diff)
		}
	})
}

func TestTagRace(t *testing.T) {
	t.Parallel()
	for by, after := range map[string]time.Duration{"by=0s": 0, "by=2s": 3 * time.Second} {
		v := virtual(t)
		r := fakeregistry.NewV2(fakeregistry.V2Options{})
		s := start(t, fakeregistry.Config{Registry: r, Clock: v, Faults: []fakeregistry.Fault{fault(t, "tag-race", "", by)}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		layer := content("layer", 100)
		if p.manifest("v1", layer) || len(s.Fired()) != 0 {
			t.Errorf("%s: a manifest that is refused: fired %+v", by, s.Fired())
		}
		p.blob(layer)
		if !p.manifest("v1", layer) {
			t.Fatalf("%s: %v", by, p.log)
		}
		own := p.last.Header.Get("Docker-Content-Digest")
		if moved := r.Storage().TagMap("lib/app")["v1"].String() != own; moved != (after == 0) {
			t.Errorf("%s: the tag moved at once: %v", by, moved)
		}
		if err := v.Sleep(t.Context(), after); err != nil {
			t.Fatal(err)
		}
		got := p.send(http.MethodGet, "/v2/lib/app/manifests/v1", nil, "Accept: application/vnd.oci.image.manifest.v1+json")
		if got.Status != http.StatusOK || got.Header.Get("Docker-Content-Digest") == own || len(s.Fired()) != 1 {
			t.Errorf("%s: the tag gives %d %v", by, got.Status, got.Header)
		}
	}
}

func TestReadAfterWrite(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		v := virtual(t)
		s := start(t, fakeregistry.Config{Registry: r, Clock: v, Faults: []fakeregistry.Fault{fault(t, "read-after-write", "", "by=2s")}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		layer := content("layer", 100)
		p.blob(layer)
		head := func() int {
			return p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(layer).String(), nil).Status
		}
		if got := head(); got != http.StatusNotFound || p.manifest("v1", layer) {
			t.Errorf("just written: HEAD %d, then %v", got, p.log)
		}
		if err := v.Sleep(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := head(); got != http.StatusOK || !p.manifest("v1", layer) || len(s.Fired()) != 2 {
			t.Errorf("later: HEAD %d, then %v; fired %+v", got, p.log, s.Fired())
		}
	})
}

func TestRateLimitCountsRequests(t *testing.T) {
	t.Parallel()
	v := virtual(t)
	s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{
		fault(t, "rate-limit", "ping", "allow=2", "in=4s"), fault(t, "rate-limit", "tags.list", "allow=1", "in=10s", "key=repo"),
		fault(t, "rate-limit", "upload.start", "allow=1", "in=10s", "key=ip"),
	}})
	p := newPusher(t, s)
	p.http = timed(t, v, s)
	var got []string
	ask := func(method, target, as string) {
		p.token = as
		o := p.send(method, target, nil)
		got = append(got, fmt.Sprintf("%d %s", o.Status, o.Header.Get("Retry-After")))
	}
	for range 3 {
		ask("GET", "/v2/", "")
	}
	ask("GET", "/v2/", "Basic eA==")
	if err := v.Sleep(t.Context(), 2*time.Second); err != nil {
		t.Fatal(err)
	}
	ask("GET", "/v2/", "")
	ask("GET", "/v2/", "")
	ask("GET", "/v2/a/tags/list", "")
	ask("GET", "/v2/a/tags/list", "Basic eA==")
	ask("GET", "/v2/b/tags/list", "")
	ask("POST", "/v2/a/blobs/uploads/", "")
	ask("POST", "/v2/b/blobs/uploads/", "Basic eA==")
	want := []string{"202 ", "202 ", "429 2", "202 ", "202 ", "429 2", "202 ", "429 10", "202 ", "202 ", "429 10"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if n := len(s.Fired()); n != 4 {
		t.Errorf("%d firings, want 4", n)
	}
	if _, err := fakeregistry.NewFault("rate-limit", "", "allow=0"); err == nil {
		t.Error("a limit of none is taken")
	}
}

func TestClockJumpEndsTokens(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"upload.start", "noon"} {
		v := virtual(t)
		s := start(t, fakeregistry.Config{
			Registry: fakeregistry.NewV2(fakeregistry.V2Options{}), Guard: newBearer(), Clock: v,
			Faults: []fakeregistry.Fault{fault(t, "clock-jump", "", "at="+at, "by=24h", "times=1")},
		})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		p.login("alice", "secret")
		if at == "noon" {
			if p.send(http.MethodPost, upload, nil).Status != http.StatusAccepted {
				t.Fatal("before noon", p.last.Status)
			}
			s.Event("noon")
		}
		if p.send(http.MethodPost, upload, nil).Status != http.StatusUnauthorized || !strings.Contains(p.challenge(), "invalid_token") {
			t.Errorf("%s: with the old token %d %v", at, p.last.Status, p.last.Header)
		}
		p.login("alice", "secret")
		got := p.send(http.MethodPost, upload, nil)
		if got.Status != http.StatusAccepted || got.Header.Get("Date") != "Tue, 13 Oct 2015 12:00:00 GMT" || len(s.Fired()) != 1 {
			t.Errorf("%s: with a new one %d at %s; fired %+v", at, got.Status, got.Header.Get("Date"), s.Fired())
		}
	}
}
