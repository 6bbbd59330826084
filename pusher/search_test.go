package pusher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// blobOf is a digest that can be read in a test: "a" stands for sha256:aaaa….
func blobOf(letter string) digest.Digest {
	return digest.Digest("sha256:" + strings.Repeat(letter, 64))
}

// TestSearch: what each docker asks a registry about a layer that it knows of old,
// when the registry has nothing and opens a session for every mount (P-356 to
// P-363).
func TestSearch(t *testing.T) {
	t.Parallel()
	entries := []metadata.Entry{
		{Digest: blobOf("a"), SourceRepository: "r.example/lib/app"},
		{Digest: blobOf("b"), SourceRepository: "r.example/other/x"},
		{Digest: blobOf("c"), SourceRepository: "r.example/lib/y"},
		{Digest: blobOf("d"), SourceRepository: "elsewhere.example/lib/z"},
		{Digest: blobOf("e"), SourceRepository: "r.example/other/z"},
	}
	for _, tt := range []struct {
		era    Era
		size   int64
		refuse int      // status of a mount; 0 opens a session
		want   []string // up to the body
		left   string   // entries of which something is known afterwards
	}{
		{Docker110(), 1, 0, []string{"HEAD a", "POST a from lib/app", "PATCH 1"}, "bcdeN"},
		{Docker110(), 1, 500, []string{"HEAD a", "POST a from lib/app"}, "bcde"},
		{Docker112(), 1, 0, []string{"HEAD a", "POST e from other/z", "PATCH 1"}, "abcdeN"},
		{Docker112(), 1, 500, []string{"HEAD a", "POST e from other/z", "POST c from lib/y", "POST b from other/x", "POST", "PATCH 4"}, "adN"},
		{Docker113(), 1, 0, []string{"HEAD a", "POST c from lib/y", "PATCH 1"}, "bdeN"},
		{Docker113(), 1 << 20, 0, []string{"HEAD a", "POST c from lib/y", "POST e from other/z", "DELETE 1", "POST b from other/x", "DELETE 2", "PATCH 3"}, "dN"},
		{Docker2010(), 1, 0, []string{"HEAD a", "POST c from lib/y", "PATCH 1"}, "bdeN"},
		{Docker28(), 11 << 20, 0, []string{
			"HEAD a", "POST c from lib/y", "POST e from other/z", "DELETE 1", "POST b from other/x", "DELETE 2", "HEAD c", "HEAD e", "PATCH 3",
		}, "dN"},
	} {
		t.Run(fmt.Sprintf("%s %d %d", tt.era.Name, tt.size, tt.refuse), func(t *testing.T) {
			t.Parallel()
			p, asked := searching(t, tt.era, tt.size, tt.refuse, entries)
			_, err := p.attempt(t.Context(), func(Event) {})
			require.Equal(t, tt.era.Layers.Search.Fails && tt.refuse > 0, err != nil, err)
			if d := cmp.Diff(tt.want, *asked); d != "" {
				t.Error(d)
			}
			left := ""
			for _, e := range p.job.metadata.Entries(p.layer.DiffID) {
				letter := string(e.Digest[len("sha256:")])
				if e.SourceRepository == "r.example/lib/app" && e.Digest != blobOf("a") {
					letter = "N" // what was just sent
				}
				left += letter
			}
			require.Equal(t, tt.left, left)
		})
	}
}

// searching is a layer of which entries are known, before a registry that has
// nothing but what was sent. asked is what it is asked up to the body.
func searching(t *testing.T, era Era, size int64, refuse int, entries []metadata.Entry) (*layerPush, *[]string) {
	t.Helper()
	store := image.InMemory()
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{100}})
	require.NoError(t, err)
	layer, err := store.Layer(ids[0])
	require.NoError(t, err)
	layer.Size = size // so large it is for the budgets
	known := metadata.InMemory()
	for _, e := range entries {
		require.NoError(t, known.Add(layer.DiffID, e))
	}
	asked, sessions, sent := &[]string{}, 0, false
	serve := trip(func(r *http.Request) (*http.Response, error) {
		resp, q := reply(r, http.StatusAccepted, ""), r.URL.Query()
		resp.Header = http.Header{}
		if r.Body != nil {
			buf := make([]byte, copyBuffer)
			for err := error(nil); err == nil; {
				_, err = r.Body.Read(buf)
			}
			_ = r.Body.Close()
		}
		line := r.Method
		switch r.Method {
		case http.MethodHead:
			line += " " + r.URL.Path[strings.LastIndex(r.URL.Path, ":")+1:][:1]
			if resp.StatusCode = http.StatusNotFound; sent {
				resp.StatusCode = http.StatusOK
				resp.Header.Set("Content-Length", "1")
			}
		case http.MethodPost:
			if q.Has("mount") {
				line += " " + q.Get("mount")[len("sha256:"):][:1] + " from " + q.Get("from")
			}
			if sessions++; q.Has("mount") && refuse > 0 {
				resp.StatusCode, resp.Status = refuse, "no"
			}
			resp.Header.Set("Location", fmt.Sprintf("/v2/lib/app/blobs/uploads/%d", sessions))
		case http.MethodPut:
			resp.StatusCode = http.StatusCreated
		default:
			line += r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]
			line = strings.Replace(line, "/", " ", 1)
			resp.Header.Set("Range", "0-0")
		}
		if !sent {
			*asked = append(*asked, line)
		}
		sent = sent || r.Method == http.MethodPatch
		return resp, nil
	})
	job := &Job{Era: era, Images: store, Clock: clock.Real(), metadata: known, Transport: serve, Log: slog.New(slog.DiscardHandler)}
	job.Name, err = ParseName("r.example/lib/app")
	require.NoError(t, err)
	r := &repository{
		job: job, client: &http.Client{Transport: serve}, root: &url.URL{Scheme: "http", Host: "r.example"},
		remote: map[digest.Digest]image.Descriptor{}, pushed: map[digest.Digest]bool{},
	}
	return &layerPush{repository: r, layer: layer, id: "x", checked: map[digest.Digest]bool{}}, asked
}

// TestTransfers: equal keys share one upload and its events, the limit holds, and
// whoever is released last cancels it (P-340 to P-343, P-583).
func TestTransfers(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	transfers := newTransfers(c, 1)
	var mu sync.Mutex
	heard := map[string][]string{}
	hear := func(who string) func(Event) {
		return func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			heard[who] = append(heard[who], e.Status)
		}
	}
	retained := 0
	retain := func() func() { retained++; return func() { mu.Lock(); retained--; mu.Unlock() } }
	slow := func(ctx context.Context, tell func(Event)) (image.Descriptor, error) {
		tell(Event{Status: "begun"})
		err := c.Sleep(ctx, time.Minute)
		return image.Descriptor{Size: 7}, err
	}
	a := transfers.share(t.Context(), "one", hear("a"), Event{Status: "Waiting"}, retain, slow)
	b := transfers.share(t.Context(), "one", hear("b"), Event{Status: "Waiting"}, retain, nil)
	other := transfers.share(t.Context(), "two", hear("other"), Event{Status: "Waiting"}, retain, slow)
	for _, s := range []*share{a, b, other} {
		d, err := s.wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 7, d.Size)
	}
	require.Equal(t, 2*time.Minute, c.Now().Sub(clock.Epoch), "one at a time")
	require.Equal(t, map[string][]string{"a": {"begun"}, "b": {"begun"}, "other": {"Waiting", "begun"}}, heard)
	releaseAll([]*share{a, b, other})

	again := transfers.share(t.Context(), "one", hear("again"), Event{}, retain, slow)
	both := transfers.share(t.Context(), "one", hear("both"), Event{}, retain, nil)
	releaseAll([]*share{again}) // somebody else still wants it
	_, err := both.wait(t.Context())
	require.NoError(t, err)
	releaseAll([]*share{both})
	before := c.Now()
	alone := transfers.share(t.Context(), "one", hear("alone"), Event{}, retain, slow)
	releaseAll([]*share{alone})
	require.Equal(t, before, c.Now(), "cancelling takes no time")
	_, err = alone.wait(t.Context())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, retained)
}

// TestRetry: five attempts, and seconds counted down between them (P-343).
func TestRetry(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	var said []string
	attempts := 0
	fail := func(context.Context, func(Event)) (image.Descriptor, error) {
		attempts++
		return image.Descriptor{}, fmt.Errorf("failure %d", attempts)
	}
	tell := func(e Event) { said = append(said, e.Status) }
	_, err := Docker2010().Layers.Retry.try(t.Context(), c, "x", tell, fail)
	require.EqualError(t, err, "failure 5")
	require.Equal(t, 50*time.Second, c.Now().Sub(clock.Epoch))
	require.Len(t, said, 50)
	require.Equal(t, []string{"Retrying in 5 seconds", "Retrying in 4 seconds", "Retrying in 3 seconds", "Retrying in 2 seconds", "Retrying in 1 second", "Retrying in 10 seconds"}, said[:6])
	require.Equal(t, "Retrying in 1 seconds", Docker110().Layers.Retry.countdown(1))
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Docker2010().Layers.Retry.try(ctx, c, "x", func(Event) { cancel() }, fail)
	require.ErrorIs(t, err, errCancelledDelay)
}
