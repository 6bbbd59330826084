package pusher_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// referring is a store whose image at repository:t refers to a subject, and the tag
// under which referrers of it are kept.
func referring(t *testing.T, repository string) (store *image.Store, tag string) {
	t.Helper()
	store = image.InMemory()
	made, err := store.MakeStored(t.Context(), image.Recipe{Layers: []int64{3}}, image.Stored{Media: image.MediaOCI, Subject: "base", Annotations: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(repository, "t", made[0].Image); err != nil {
		t.Fatal(err)
	}
	subject, _ := image.Subject("base")
	return store, strings.Replace(subject.Digest.String(), ":", "-", 1)
}

// putManifest puts a manifest as another client would.
func (p *peer) putManifest(t *testing.T, repository, tag, mediaType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.URL+"/v2/"+repository+"/manifests/"+tag, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT of %s: %s", tag, resp.Status)
	}
}

func (p *peer) manifest(t *testing.T, repository, tag string) string {
	t.Helper()
	resp, err := http.Get(p.URL + "/v2/" + repository + "/manifests/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET of %s: %s %v", tag, resp.Status, err)
	}
	return string(data)
}

// theirs puts manifests of others, and gives a list of referrers with them and with
// what we know nothing of.
func (p *peer) theirs(t *testing.T, names ...string) string {
	t.Helper()
	var entries []string
	for _, name := range names {
		body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],"annotations":{"of":"` + name + `"}}`
		d := digest.FromString(body).String()
		p.putManifest(t, "a", d, v1.MediaTypeImageManifest, body)
		entries = append(entries, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"extra":{"x":1}}`, d, len(body)))
	}
	return `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(entries, ",") + `],"more":true}`
}

// TestReferrersRace: another client writes the list over between our writing and our
// looking; in the end it has everybody's entries.
func TestReferrersRace(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	store, tag := referring(t, p.host()+"/a")
	p.putManifest(t, "a", tag, v1.MediaTypeImageIndex, p.theirs(t, "alice"))
	var gets atomic.Int32
	p.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, tag) && gets.Add(1) == 2 {
			p.putManifest(t, "a", tag, v1.MediaTypeImageIndex, p.theirs(t, "alice", "bob"))
		}
		return false
	}
	client := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store, Clock: clock.NewVirtual(time.Time{})})
	result, err := client.Push(t.Context(), p.host()+"/a", "t", pusher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Manifests []struct {
			v1.Descriptor
			Extra map[string]int `json:"extra"`
		}
		More bool `json:"more"`
	}
	if err := json.Unmarshal([]byte(p.manifest(t, "a", tag)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Manifests) != 3 || list.Manifests[0].Extra["x"] != 1 || !list.More {
		t.Fatalf("%+v", list)
	}
	ours := list.Manifests[2]
	if ours.Digest.String() != result.Published[0].Digest || ours.ArtifactType != v1.MediaTypeImageConfig || ours.Annotations["a"] != "b" {
		t.Errorf("%+v", ours)
	}
}

// TestReferrersTagIsNoList: what is no list of referrers is left as it is, and said.
func TestReferrersTagIsNoList(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	store, tag := referring(t, p.host()+"/a")
	const other = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}`
	p.putManifest(t, "a", tag, v1.MediaTypeImageManifest, other)
	_, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store}).Push(t.Context(), p.host()+"/a", "t", pusher.Options{})
	if err == nil || !strings.Contains(err.Error(), "names something that is no list of them") {
		t.Error(err)
	}
	if got := p.manifest(t, "a", tag); got != other {
		t.Errorf("it was changed to %s", got)
	}
}

// TestReferrersPromised: a registry that says OCI-Subject and has no list of
// referrers loses none: the list is kept under the tag.
func TestReferrersPromised(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	store, tag := referring(t, p.host()+"/a")
	subject, _ := image.Subject("base")
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/t") {
			w.Header().Set("OCI-Subject", subject.Digest.String())
		}
		return false
	}
	if _, err := eraClient(t, pusher.Config{Era: pusher.Best(), Images: store}).Push(t.Context(), p.host()+"/a", "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if list := p.manifest(t, "a", tag); strings.Count(list, `"digest"`) != 1 {
		t.Error(list)
	}
}
