package fakeregistry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
)

// onV2 starts our own V2 with faults, and a pusher to it.
func onV2(t *testing.T, faults ...fakeregistry.Fault) (*fakeregistry.Server, *fakeregistry.Storage, *pusher) {
	t.Helper()
	return on(t, fakeregistry.NewV2(fakeregistry.V2Options{}), faults...)
}

func on(t *testing.T, r fakeregistry.Registry, faults ...fakeregistry.Fault) (*fakeregistry.Server, *fakeregistry.Storage, *pusher) {
	t.Helper()
	s := start(t, fakeregistry.Config{Registry: r, Faults: faults})
	return s, r.Storage(), newPusher(t, s)
}

// onEachV2 runs a test on our own V2 and on distribution: storage faults strike in both.
func onEachV2(t *testing.T, test func(t *testing.T, r fakeregistry.Registry)) {
	t.Helper()
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		test(t, fakeregistry.NewV2(fakeregistry.V2Options{}))
	})
	t.Run("distribution", func(t *testing.T) {
		t.Parallel()
		test(t, distregistry.New(distregistry.Options{}))
	})
}

func TestCommitFakeIsBelievedByTheClientAndStoredNowhere(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		s, store, p := on(t, r, fault(t, "commit-fake", "upload.put", "times=1"), fault(t, "commit-fake", "manifest.put"))
		layer := content("layer", 5000)
		if !p.blob(layer) {
			t.Fatalf("the blob was refused: %v", p.log)
		}
		if n := len(store.Blobs("lib/app")); n != 0 || store.OpenUploads("") != 0 {
			t.Errorf("%d blobs and %d sessions, want none", n, store.OpenUploads(""))
		}
		if got := p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(layer).String(), nil); got.Status != http.StatusNotFound {
			t.Errorf("HEAD of it gives %d, want 404", got.Status)
		}
		if !p.blob(layer) || !p.manifest("v1", layer) {
			t.Fatalf("the rest was refused: %v %s", p.log, p.last.Body)
		}
		if tags := store.TagMap("lib/app"); len(tags) != 0 || len(store.Manifests("lib/app")) != 0 {
			t.Errorf("tags %v, manifests %v, want none", tags, store.Manifests("lib/app"))
		}
		if n := len(s.Fired()); n != 2 {
			t.Errorf("%d firings, want 2", n)
		}
	})
}

func TestCommitLostIsStored(t *testing.T) {
	t.Parallel()
	s, store, p := onV2(t, fault(t, "commit-lost", "manifest.put"))
	layer := content("layer", 5000)
	if p.manifest("v1", layer) || p.last.Status != http.StatusNotFound && p.last.Status != http.StatusBadRequest {
		t.Errorf("a manifest that is refused anyway gave %d, want the registry's answer", p.last.Status)
	}
	if len(s.Fired()) != 0 {
		t.Errorf("fired %v although nothing was committed", s.Fired())
	}
	p.blob(layer)
	if p.manifest("v1", layer) || !errors.Is(p.last.Err, syscall.ECONNRESET) {
		t.Errorf("the client saw %d %v, want a reset", p.last.Status, p.last.Err)
	}
	if len(store.TagMap("lib/app")) != 1 {
		t.Error("the tag is not there")
	}
	waitFor(t, "the exchange to end", func() bool { return !s.Trace()[len(s.Trace())-1].Open })
	if f := s.Fired(); len(f) != 1 || !f[0].Done {
		t.Errorf("fired %+v, want one that is Done", f)
	}
}

func TestGatewayTimeoutCommitsUnlessTold(t *testing.T) {
	t.Parallel()
	for _, commit := range []string{"true", "false"} {
		s, store, p := onV2(t, fault(t, "gateway-timeout", "upload.put", "commit="+commit))
		if p.blob(content("layer", 10)) || p.last.Status != http.StatusGatewayTimeout {
			t.Errorf("commit=%s: status %d, want 504", commit, p.last.Status)
		}
		if want := commit == "true"; (len(store.Blobs("lib/app")) == 1) != want || s.Fired()[0].Done != want {
			t.Errorf("commit=%s: blobs %v, fired %+v", commit, store.Blobs("lib/app"), s.Fired())
		}
	}
}

func TestHeadLies(t *testing.T) {
	t.Parallel()
	here, gone := content("here", 100), content("gone", 200)
	lie := fault(t, "head-lies", "", "digest="+digestOf(gone).String(), "size=200B")
	s, _, p := onV2(t, lie, fault(t, "head-lies", "", "say=absent", "digest="+digestOf(here).String()))
	p.blob(here)
	got := p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(gone).String(), nil)
	if got.Status != http.StatusOK || got.Header.Get("Content-Length") != "200" || got.Header.Get("Docker-Content-Digest") != digestOf(gone).String() {
		t.Errorf("a blob that is not there: %d %v", got.Status, got.Header)
	}
	if got := p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(here).String(), nil); got.Status != http.StatusNotFound {
		t.Errorf("a blob that is there: %d, want 404", got.Status)
	}
	if got := p.send(http.MethodGet, "/v2/lib/app/blobs/"+digestOf(here).String(), nil); got.Status != http.StatusOK {
		t.Errorf("GET of it: %d, want 200", got.Status)
	}
	if p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(content("other", 9)).String(), nil).Status != http.StatusNotFound {
		t.Errorf("a blob that nobody lies about: %d, want 404", p.last.Status)
	}
	p.blob(gone)
	if got := p.send(http.MethodHead, "/v2/lib/app/blobs/"+digestOf(gone).String(), nil); got.Status != http.StatusOK || len(s.Fired()) != 2 {
		t.Errorf("a blob that is there after all: %d, fired %+v", got.Status, s.Fired())
	}
}

func TestGarbageCollectionStrikesBeforeTheManifest(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		one, two := content("one", 100), content("two", 100)
		s, store, p := on(t, r, fault(t, "gc-strikes", "", "what="+digestOf(one).String()))
		p.blob(one)
		p.blob(two)
		if p.manifest("v1", one) || !strings.Contains(p.last.Body, "MANIFEST_BLOB_UNKNOWN") {
			t.Errorf("the manifest got %d %s, want MANIFEST_BLOB_UNKNOWN", p.last.Status, p.last.Body)
		}
		if diff := cmp.Diff([]string{digestOf(two).String()}, texts(store.Blobs("lib/app"))); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		if f := s.Fired(); len(f) != 1 || f[0].Done || f[0].Op != "manifest.put" {
			t.Errorf("fired %+v", f)
		}
	})
}

func TestStorageFaultsWaitForTheirEvent(t *testing.T) {
	t.Parallel()
	s, store, p := onV2(t, fault(t, "gc-strikes", "", "at=night"), fault(t, "upload-purged", "", "at=night"))
	p.blob(content("one", 100))
	p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	s.Event("noon")
	if len(store.Blobs("lib/app")) != 1 || store.OpenUploads("") != 1 || len(s.Idle()) != 2 {
		t.Fatal("something happened at noon")
	}
	s.Event("night")
	if len(store.Blobs("lib/app")) != 0 || store.OpenUploads("") != 0 || len(s.Idle()) != 0 {
		t.Errorf("at night %d blobs, %d sessions are left; idle %v", len(store.Blobs("lib/app")), store.OpenUploads(""), s.Idle())
	}
	if got := s.Trace()[len(s.Trace())-1].Event(); got != "night" {
		t.Errorf("the last event of the trace is %q", got)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		s, store, p := on(t, r, fault(t, "disk-full", "upload.patch", "after=1KiB", "times=1"), fault(t, "disk-full", "upload.put"))
		for _, want := range [][]string{
			{"upload.start 202", "upload.patch 500"},
			{"upload.start 202", "upload.patch 202", "upload.put 500"},
		} {
			p.log = nil
			p.blob(content("layer", 4096))
			if diff := cmp.Diff(want, p.log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(p.last.Body, "no space left on device") {
				t.Errorf("body %q, want the kernel's words", p.last.Body)
			}
		}
		if f := s.Fired(); len(f) != 2 || f[0].Done || f[1].Done || len(store.Blobs("lib/app")) != 0 {
			t.Errorf("fired %+v, stored %v", f, store.Blobs("lib/app"))
		}
	})
}

func TestWriteErrorTellsWhatTheStoreSays(t *testing.T) {
	t.Parallel()
	onEachV2(t, func(t *testing.T, r fakeregistry.Registry) {
		_, store, p := on(t, r, fault(t, "write-error", "upload.patch", "text=the disk is sulking", "times=1"))
		layer := content("layer", 1000)
		if p.blob(layer) || p.last.Status != 500 || !strings.Contains(p.last.Body, "the disk is sulking") {
			t.Errorf("got %d %s", p.last.Status, p.last.Body)
		}
		if !p.blob(layer) || len(store.Blobs("lib/app")) != 1 {
			t.Errorf("after that: %v", p.log)
		}
	})
}

func TestBitRotChangesWhatIsStored(t *testing.T) {
	t.Parallel()
	s, store, p := onV2(t, fault(t, "bit-rot", "", "at=rot"))
	layer := content("layer", 1000)
	p.blob(layer)
	s.Event("rot")
	r, size, err := store.Blob("lib/app", digestOf(layer))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || size != 1000 || bytes.Equal(got, layer) || len(s.Idle()) != 0 {
		t.Errorf("%d bytes, the same: %v, %v", size, bytes.Equal(got, layer), err)
	}
}

func TestRestartForgetsSessionsAndRefusesConnections(t *testing.T) {
	t.Parallel()
	v := virtual(t)
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{})
	bearer := &fakeregistry.Bearer{Users: fakeregistry.Passwords(map[string]string{"alice": "secret"})}
	s := start(t, fakeregistry.Config{
		Registry: v2, Guard: bearer, Clock: v,
		Faults: []fakeregistry.Fault{fault(t, "restart", "", "at=upload.patch", "down=2s", "times=1")},
	})
	p := newPusher(t, s)
	p.http = timed(t, v, s)
	p.login("alice", "secret")
	p.blob(content("layer", 1000))
	if p.last.Err == nil || v2.Storage().OpenUploads("") != 0 {
		t.Errorf("the PATCH got %d, %d sessions are open", p.last.Status, v2.Storage().OpenUploads(""))
	}
	p.send(http.MethodGet, "/v2/", nil)
	if !errors.Is(p.last.Err, syscall.ECONNREFUSED) {
		t.Errorf("while it is down: %v, want connection refused", p.last.Err)
	}
	if err := v.Sleep(t.Context(), 2*time.Second); err != nil {
		t.Fatal(err)
	}
	p.send(http.MethodGet, "/v2/", nil)
	if p.last.Status != http.StatusUnauthorized || !strings.Contains(p.last.Header.Get("Www-Authenticate"), "invalid_token") {
		t.Errorf("back again: %d %v, want the token unknown", p.last.Status, p.last.Header)
	}
	p.login("alice", "secret")
	if !p.blob(content("layer", 1000)) {
		t.Errorf("after all: %v", p.log)
	}
}

func TestQuotaCountsWhatWasTaken(t *testing.T) {
	t.Parallel()
	_, store, p := onV2(t, fault(t, "quota", "", "bytes=1500B"))
	if !p.blob(content("one", 1000)) {
		t.Fatalf("the first blob was refused: %v", p.log)
	}
	if p.blob(content("two", 1000)) || p.last.Status != http.StatusForbidden || !strings.Contains(p.last.Body, "quota") {
		t.Errorf("the second blob got %d %s", p.last.Status, p.last.Body)
	}
	if len(store.Blobs("lib/app")) != 1 {
		t.Errorf("blobs are %v", store.Blobs("lib/app"))
	}
}

func TestImmutableTagLooksFirst(t *testing.T) {
	t.Parallel()
	s, _, p := onV2(t, fault(t, "immutable-tag", "", "status=409"))
	one, two := content("one", 10), content("two", 10)
	p.blob(one)
	p.blob(two)
	if !p.manifest("v1", one) {
		t.Fatalf("a new tag got %d %s", p.last.Status, p.last.Body)
	}
	if p.manifest("v1", two) || p.last.Status != http.StatusConflict || !strings.Contains(p.last.Body, "tag v1 exists") {
		t.Errorf("a tag that exists got %d %s", p.last.Status, p.last.Body)
	}
	if f := s.Fired(); len(f) != 1 || f[0].Done {
		t.Errorf("fired %+v", f)
	}
}

func TestMinChunkHoldsClientsToIt(t *testing.T) {
	t.Parallel()
	_, _, p := onV2(t, fault(t, "min-chunk", "", "size=100B"))
	started := p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	first := p.send(http.MethodPatch, p.location(started).String(), content("x", 50))
	if first.Status != http.StatusAccepted {
		t.Fatalf("a small chunk, which may be the last, got %d", first.Status)
	}
	if second := p.send(http.MethodPatch, p.location(first).String(), content("y", 50)); second.Status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("the chunk after a small one got %d, want 416", second.Status)
	}
}

func TestCorruptIsCaughtByTheDigest(t *testing.T) {
	t.Parallel()
	_, store, p := onV2(t, fault(t, "corrupt", "upload.patch", "bits=3"))
	if p.blob(content("layer", 1000)) || !strings.Contains(p.last.Body, "DIGEST_INVALID") || len(store.Blobs("lib/app")) != 0 {
		t.Errorf("got %v %s", p.log, p.last.Body)
	}
}

func TestTooManyWithEnforceRefusesWhoReturnsEarly(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{
		fault(t, "too-many", "ping", "retry-after=3s", "enforce=true", "times=1", "form=date"),
	}})
	p := newPusher(t, s)
	p.http = timed(t, v, s)
	p.send(http.MethodGet, "/v2/", nil)
	if got := p.last.Header.Get("Retry-After"); got != "Mon, 12 Oct 2015 12:00:03 GMT" {
		t.Errorf("Retry-After is %q", got)
	}
	for _, wait := range []time.Duration{time.Second, 3 * time.Second} {
		if err := v.Sleep(t.Context(), wait); err != nil {
			t.Fatal(err)
		}
		p.send(http.MethodGet, "/v2/", nil)
	}
	if diff := cmp.Diff([]string{"ping 429", "ping 429", "ping 202"}, p.log); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
