package pusher_test

import (
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// v1Push pushes an image of two layers, of 3000 and of no bytes, as lib/app.
func v1Push(t *testing.T, g *v1Registry, o pusher.Options) (result *pusher.Result, ids, lines []string, err error) {
	t.Helper()
	name := g.host() + "/lib/app"
	store, ids := storeWith(t, image.Recipe{Layers: []int64{3000, 0}, Seed: 1}, name+":latest")
	o.Progress = statuses(&lines)
	result, err = newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "latest", o)
	return result, ids, lines, err
}

func TestPushV1(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	result, ids, lines, err := v1Push(t, g, pusher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	base, top := ids[0], ids[1]
	lookups := []string{"GET /v1/images/" + base[:4] + "/json", "GET /v1/images/" + top[:4] + "/json"}
	slices.Sort(lookups)
	want := append([]string{"GET /v2/", "PUT /v1/repositories/lib/app/"}, lookups...)
	for _, id := range []string{base[:4], top[:4]} {
		want = append(want, "PUT /v1/images/"+id+"/json", "PUT /v1/images/"+id+"/layer", "PUT /v1/images/"+id+"/checksum")
	}
	want = append(want, "PUT /v1/repositories/lib/app/tags/latest", "PUT /v1/repositories/lib/app/images")
	if diff := cmp.Diff(want, g.seen()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantList := []map[string]string{{"id": base}, {"id": top, "Tag": "latest"}}
	if diff := cmp.Diff(wantList, g.list(t, "/v1/repositories/lib/app/")); diff != "" {
		t.Errorf("image list (-want +got):\n%s", diff)
	}
	if got := g.bodies["PUT /v1/repositories/lib/app/images"]; got != "[]" {
		t.Errorf("checksum list %q", got)
	}
	if got := g.bodies["PUT /v1/repositories/lib/app/tags/latest"]; got != `"`+top+`"` {
		t.Errorf("tag %q", got)
	}
	url := "http://" + g.host() + "/v1/"
	wantLines := []string{
		"The push refers to a repository [" + g.host() + "/lib/app] (len: 1)",
		"Sending image list",
		"Pushing repository " + g.host() + "/lib/app (1 tags)",
		base[:4] + " Pushing", base[:4] + " Buffering to disk", base[:4] + " Pushing", base[:4] + " Image successfully pushed",
		top[:4] + " Pushing", top[:4] + " Buffering to disk", top[:4] + " Pushing", top[:4] + " Image successfully pushed",
		"Pushing tag for rev [" + top[:12] + "] on {" + url + "repositories/lib/app/tags/latest}",
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]pusher.Published{{Tag: "latest"}}, result.Published); diff != "" || result.Via != pusher.V1 {
		t.Errorf("via %s, published (-want +got):\n%s", result.Via, diff)
	}
	if got := g.header("PUT /v1/repositories/lib/app/images", "X-Docker-Endpoints"); got[0] != url {
		t.Errorf("endpoints %q, want %s", got, url)
	}
	for _, sum := range g.header("PUT /v1/images/"+base+"/checksum", "X-Docker-Checksum") {
		if !regexp.MustCompile(`^tarsum\+sha256:[0-9a-f]{64}$`).MatchString(sum) {
			t.Errorf("tarsum %q", sum)
		}
	}
}

// TestPushV1Again: what the registry has is skipped; its tags are not (P-429).
func TestPushV1Again(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	if _, _, _, err := v1Push(t, g, pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	before := len(g.seen())
	_, ids, lines, err := v1Push(t, g, pusher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.seen()[before:]; len(got) != 6 || got[4] != "PUT /v1/repositories/lib/app/tags/latest" {
		t.Errorf("requests %q", got)
	}
	want := []string{"Image " + ids[0][:12] + " already pushed, skipping", "Image " + ids[1][:12] + " already pushed, skipping"}
	if diff := cmp.Diff(want, lines[3:5]); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// TestPushV1AllTags: one list for all tags, parents first and none twice (P-421);
// an image is there once for each of its tags, and digest references count but
// are not pushed (P-044).
func TestPushV1AllTags(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	name := g.host() + "/lib/app"
	store, ids := storeWith(t, image.Recipe{Layers: []int64{0, 0, 0}})
	for tag, id := range map[string]string{"b": ids[2], "a": ids[1], "c": ids[1], "sha256:" + strings.Repeat("0", 64): ids[0]} {
		if err := store.Tag(name, tag, id); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	result, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "", pusher.Options{Progress: statuses(&lines)})
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{{"id": ids[0]}, {"id": ids[1], "Tag": "a"}, {"id": ids[1], "Tag": "c"}, {"id": ids[2], "Tag": "b"}}
	if diff := cmp.Diff(want, g.list(t, "/v1/repositories/lib/app/")); diff != "" {
		t.Errorf("image list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]pusher.Published{{Tag: "a"}, {Tag: "c"}, {Tag: "b"}}, result.Published); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if lines[0] != "The push refers to a repository ["+name+"] (len: 4)" || lines[2] != "Pushing repository "+name+" (4 tags)" {
		t.Errorf("progress %q", lines[:3])
	}
}

// TestV1LookUp: an image is there if the look-up is answered 200, and for no other
// reason (P-425, P-592).
func TestV1LookUp(t *testing.T) {
	t.Parallel()
	for status, pushed := range map[int]int{200: 0, 201: 2, 204: 2, 304: 2, 404: 2, 503: 2} {
		g := startV1(t, false)
		g.fault = v1Answer("GET", "/json", status, "")
		if _, _, _, err := v1Push(t, g, pusher.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := len(g.header("PUT /v1/images/", "Host")); got != 3*pushed {
			t.Errorf("%d: %d requests for images, want %d", status, got, 3*pushed)
		}
	}
}

// TestV1Endpoints: the push goes to every endpoint that the index names, in any of
// the forms in which it may name them (P-424, P-591).
func TestV1Endpoints(t *testing.T) {
	t.Parallel()
	other, third := startV1(t, false), startV1(t, false)
	g := startV1(t, false)
	g.endpoints = []string{g.host() + ",  " + other.host(), third.host()}
	result, _, _, err := v1Push(t, g, pusher.Options{Credentials: pusher.Credentials{Username: "alice", Password: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*v1Registry{other, third} {
		if got := len(r.seen()); got != 9 {
			t.Errorf("%d requests to another endpoint: %q", got, r.seen())
		}
		if got := r.header("PUT /v1/repositories/lib/app/tags", "Authorization"); got[0] != `Token signature=1,repository="lib/app",access=write` {
			t.Errorf("another endpoint is sent %q", got)
		}
	}
	if len(result.Published) != 1 {
		t.Errorf("published %+v", result.Published)
	}
	if got := g.heads[len(g.heads)-1].Values("X-Docker-Endpoints"); len(got) != 3 {
		t.Errorf("endpoints %q", got)
	}
}

// TestV1Workers: five look-ups go out at once, and no more (P-425).
func TestV1Workers(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	var now, most atomic.Int32
	five := make(chan struct{})
	g.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/json") {
			return false
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 5 {
			close(five) // nobody goes on before five are here, and a sixth would show
		}
		<-five
		return false
	}
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: make([]int64, 9)}, name+":t")
	if _, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if most.Load() != 5 {
		t.Errorf("%d look-ups at once, want 5", most.Load())
	}
}

// TestV1VirtualTime: slow look-ups and layers cost nothing on virtual time.
func TestV1VirtualTime(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	g := startV1(t, false)
	g.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/json") || strings.HasSuffix(r.URL.Path, "/layer") {
			_ = c.Hold(r.Context(), r.RemoteAddr, time.Hour)
		}
		return false
	}
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0, 0, 0, 0, 0, 0}}, name+":t")
	begin := c.Now()
	if _, err := newClient(t, pusher.Config{Images: store, Clock: c}).Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := c.Now().Sub(begin); got != 14*time.Hour { // 5 and 1 look-ups at once, 6 × 2 requests in turn
		t.Errorf("it took %s, want 14h", got)
	}
}

// TestV1Memory: over V1 too a layer costs the same memory whatever its size. It is
// not parallel: it counts every allocation of the process.
func TestV1Memory(t *testing.T) { //nolint:paralleltest // see above
	allocated := func(size int64) int64 {
		g := startV1(t, false)
		name := g.host() + "/a"
		store, _ := storeWith(t, image.Recipe{Layers: []int64{size}}, name+":t")
		client := newClient(t, pusher.Config{Images: store})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := client.Push(t.Context(), name, "t", pusher.Options{}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	small := allocated(4 << 10)
	large := allocated(8 << 20)
	if more := large - small; more > 1<<20 {
		t.Errorf("8 MiB cost %d bytes more than 4 KiB did (%d)", more, small)
	}
}
