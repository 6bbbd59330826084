package pusher_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A vanishing is a registry with a token service, without a connection, of which one
// or the other may be gone for good from some request on.
type vanishing struct {
	before func(n int) // called before request n, from 1; may be nil
	// gone is which request, from 1, finds whose host gone, and all after it.
	gone int
	host string // "" counts no requests
	lost bool   // request gone is taken, and its answer lost

	mu        sync.Mutex // guards everything below
	requests  int
	asked     int // of host
	token     int // the one that is good
	uses      int // of it
	sessions  map[string]bool
	opened    int
	blobs     map[string]int64
	manifests map[string][]byte
}

const (
	vanishingHost  = "registry.example"
	vanishingToken = "auth.example"
)

func newVanishing() *vanishing {
	return &vanishing{sessions: map[string]bool{}, blobs: map[string]int64{}, manifests: map[string][]byte{}}
}

// RoundTrip implements http.RoundTripper.
func (v *vanishing) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var body []byte
	var err error
	if r.Body != nil {
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	v.requests++
	if v.before != nil {
		v.before(v.requests)
	}
	if r.URL.Host == v.host {
		v.asked++
	}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	last := v.lost && v.asked == v.gone
	switch {
	case err != nil:
		return nil, err
	case r.URL.Host == v.host && v.asked >= v.gone && !last:
		return nil, refused
	}
	w := httptest.NewRecorder()
	v.answer(w, r, body)
	if r.URL.Host == v.host && last {
		return nil, io.ErrUnexpectedEOF
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// answer is the registry's; a token is good for four requests.
func (v *vanishing) answer(w *httptest.ResponseRecorder, r *http.Request, body []byte) {
	if r.URL.Host == vanishingToken {
		v.token, v.uses = v.token+1, 0
		_, _ = fmt.Fprintf(w, `{"token":"t%d","expires_in":3600}`, v.token)
		return
	}
	if v.uses++; r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", v.token) || v.uses > 4 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+vanishingToken+`/token",service="s",scope="repository:a:pull,push"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, sum := filepath.Base(r.URL.Path), fmt.Sprintf("sha256:%x", sha256.Sum256(body))
	manifest := strings.Contains(r.URL.Path, "/manifests/")
	switch {
	case r.Method == http.MethodPost:
		v.opened++
		session := fmt.Sprintf("/v2/a/blobs/uploads/%d", v.opened)
		v.sessions[session] = true
		w.Header().Set("Location", session)
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut && manifest:
		v.manifests[name] = body
		w.Header().Set("Docker-Content-Digest", sum)
		w.WriteHeader(http.StatusCreated)
	case !manifest && strings.Contains(r.URL.Path, "/uploads/") && !v.sessions[r.URL.Path]:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut && sum == r.URL.Query().Get("digest"):
		delete(v.sessions, r.URL.Path)
		v.blobs[sum] = int64(len(body))
		w.Header().Set("Docker-Content-Digest", sum)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete:
		delete(v.sessions, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet:
		w.Header().Set("Range", "0-0")
		w.WriteHeader(http.StatusNoContent)
	case manifest && v.manifests[name] != nil:
		w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256(v.manifests[name])))
	case !manifest && v.blobs[name] > 0:
		w.Header().Set("Content-Length", fmt.Sprint(v.blobs[name]))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// fiveLayers is a store with an image of five layers that has its manifest, and the
// files of its blobs. The largest is sent while it is read.
func fiveLayers(t *testing.T) (store *image.Store, dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	store, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	made, err := store.MakeStored(t.Context(), image.Recipe{Layers: []int64{64 << 10, 4 << 10, 1 << 10, 2 << 10, 0}}, image.Stored{Media: image.MediaOCI})
	if err == nil {
		err = store.Tag(vanishingHost+"/a", "t", made[0].Image)
	}
	if err == nil {
		files, err = filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	}
	if err != nil || len(files) < 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return store, dir, files
}

// A vanished is how a push ended.
type vanished struct {
	err    error
	result *pusher.Result
	told   int // sessions of which it was said that they stay
}

func (v *vanishing) push(t *testing.T, store *image.Store) vanished {
	t.Helper()
	var end vanished
	client := eraClient(t, pusher.Config{
		Era: pusher.Best(), Images: store, Clock: clock.NewVirtual(time.Time{}), MaxConcurrentUploads: 1,
		Secure:  []string{vanishingHost},
		Through: func(http.RoundTripper) http.RoundTripper { return v },
	})
	end.result, end.err = client.Push(t.Context(), vanishingHost+"/a", "t", pusher.Options{Progress: func(e pusher.Event) {
		if strings.Contains(e.Status, "was not cancelled") {
			end.told++
		}
	}})
	return end
}

var namedBlob = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// judge tells what is not true of an end. unheard is how many sessions the client
// cannot know of; maybe says that the tag may be there though the push failed.
func (v *vanishing) judge(end vanished, unheard int, maybe bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	data := v.manifests["t"]
	published := len(end.result.Published) > 0
	switch {
	case (end.err == nil) != published:
		return fmt.Errorf("published is %t, and the error %w", published, end.err)
	case end.err == nil && data == nil:
		return errors.New("it ended well without a tag")
	case end.err != nil && data != nil && !maybe && !strings.Contains(end.err.Error(), "the registry answered 201"):
		return fmt.Errorf("the tag is there, and the error is %w", end.err)
	}
	for _, d := range namedBlob.FindAllString(string(bytes.ReplaceAll(data, []byte(`"digest":`), nil)), -1) {
		if _, ok := v.blobs[d]; !ok {
			return fmt.Errorf("the tag is there without %s", d)
		}
	}
	if left := len(v.sessions) - unheard; left > end.told {
		return fmt.Errorf("%d sessions are left, and %d told of: %w", left, end.told, end.err)
	}
	return nil
}

// TestTheStoreVanishes: whenever the local store goes away as a whole, or one of its
// files is gone, cut short or unreadable, between any two requests, a push ends
// truthfully: with the whole image and its tag, or with neither, no session open, and
// the blob or the image named.
func TestTheStoreVanishes(t *testing.T) {
	t.Parallel()
	store, dir, files := fiveLayers(t)
	whole := newVanishing()
	if end := whole.push(t, store); end.err != nil {
		t.Fatal(end.err)
	}
	blobs, aside := filepath.Join(dir, "blobs"), filepath.Join(dir, "aside")
	rename := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Error(err)
		}
	}
	kinds := []struct {
		name          string
		strike, amend func(file string)
		each          bool // file, not all
	}{
		{"away", func(string) { rename(blobs, aside) }, func(string) { rename(aside, blobs) }, false},
		{"gone", func(file string) { rename(file, aside) }, func(file string) { rename(aside, file) }, true},
		{"cut", func(file string) {
			data, err := os.ReadFile(file)
			rename(file, aside)
			if err := errors.Join(err, os.WriteFile(file, data[:len(data)-1], 0o600)); err != nil {
				t.Error(err)
			}
		}, func(file string) { rename(aside, file) }, true},
		{"unreadable", func(file string) {
			rename(file, aside)
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Error(err)
			}
		}, func(file string) { _ = os.Remove(file); rename(aside, file) }, true},
	}
	for _, k := range kinds {
		struck := files
		if !k.each {
			struck = []string{blobs}
		}
		for i, file := range struck {
			failed := 0
			for n := 1; n <= whole.requests; n++ {
				if k.each && n > 1 && (n+i)%(2*len(files)) != 0 { // every file at first, and between requests in turn
					continue
				}
				v, hit := newVanishing(), false
				v.before = func(at int) {
					if at == n {
						k.strike(file)
						hit = true
					}
				}
				end := v.push(t, store)
				if hit {
					k.amend(file)
				}
				if err := v.judge(end, 0, false); err != nil {
					t.Errorf("%s: %s before request %d: %v", k.name, filepath.Base(file), n, err)
				}
				if end.err != nil {
					failed++
					if !namedBlob.MatchString(end.err.Error()) {
						t.Errorf("%s before request %d: %v names no blob", k.name, n, end.err)
					}
				}
			}
			if failed == 0 && !k.each {
				t.Errorf("%s: nothing ever failed", k.name)
			}
		}
	}
}

// TestTheRegistryIsGone: a registry, or its token service, that refuses connections for
// good from any request on ends a push truthfully, be the last request lost with its answer or
// not.
func TestTheRegistryIsGone(t *testing.T) {
	t.Parallel()
	store, _, _ := fiveLayers(t)
	for _, host := range []string{vanishingHost, vanishingToken} {
		for _, lost := range []bool{false, true} {
			positions := 0
			for n := 1; ; n++ {
				v := newVanishing()
				v.gone, v.host, v.lost = n, host, lost
				end := v.push(t, store)
				if v.asked < n {
					positions = n - 1
					if end.err != nil {
						t.Errorf("undisturbed: %v", end.err)
					}
					break
				}
				unheard := 0
				if lost && host == vanishingHost {
					unheard = 1 // of a POST or a PUT whose answer was lost
				}
				if err := v.judge(end, unheard, lost && host == vanishingHost); err != nil {
					t.Errorf("%s gone from request %d on, lost %t: %v", host, n, lost, err)
				}
				if end.err == nil || !strings.Contains(end.err.Error(), host) || !errors.Is(end.err, syscall.ECONNREFUSED) && !errors.Is(end.err, io.ErrUnexpectedEOF) {
					t.Errorf("%s gone from request %d on, lost %t: %v", host, n, lost, end.err)
				}
			}
			if least := map[string]int{vanishingHost: 20, vanishingToken: 4}[host]; positions < least {
				t.Errorf("%s was asked %d times, want %d and more", host, positions, least)
			}
		}
	}
}
