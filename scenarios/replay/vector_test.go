package replay_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/schema1"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestManifestsEqualThoseOfOthers: for the image that dockerd and skopeo pushed, each
// era puts the same manifest, byte for byte: docker's as dockerd made it, those of a
// layout as skopeo left them.
func TestManifestsEqualThoseOfOthers(t *testing.T) {
	t.Parallel()
	const save, layout = "testdata/modern/modern-docker-save.tar", "testdata/layout"
	for _, row := range []struct {
		vector, source, tag, mediaType string
		eras                           []pusher.Era
	}{
		{"dockerd-20.10.24-01-clean", save, "", mediaSchema2, []pusher.Era{pusher.Docker112(), pusher.Docker113(), pusher.Docker2010(), pusher.Docker28()}},
		{"skopeo-1.9.3-01-clean", layout, "oci", mediaOCI, []pusher.Era{pusher.Best(), pusher.Containerd()}},
		{"skopeo-1.9.3-v2s2-01-clean", layout, "docker", mediaSchema2, []pusher.Era{pusher.Best(), pusher.Containerd()}},
	} {
		want := vector(t, row.vector)
		for _, era := range row.eras {
			t.Run(row.vector+" "+era.Name, func(t *testing.T) {
				t.Parallel()
				put := pushed(t, era, row.source, row.tag, fakeregistry.V2Options{})
				require.Equal(t, row.mediaType, put.mediaType)
				require.Empty(t, cmp.Diff(string(want), string(put.body)))
			})
		}
	}
}

// TestSchema1EqualsDockerd: the payload of docker 20.10's schema 1 is dockerd's.
func TestSchema1EqualsDockerd(t *testing.T) {
	t.Parallel()
	want, err := schema1.Payload(vector(t, "dockerd-20.10.24-81-schema1-fallback"))
	require.NoError(t, err)
	put := pushed(t, pusher.Docker2010(), "testdata/modern/modern-docker-save.tar", "", fakeregistry.V2Options{Accepts: []fakeregistry.Format{fakeregistry.Schema1}})
	require.Equal(t, schema1.MediaTypeSigned, put.mediaType)
	got, err := schema1.Payload(put.body)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), string(got)))
}

// TestSchema1HistoryEqualsSkopeo: skopeo writes schema 1 in a form of its own, but
// what it says of the layers is what our conversion says of the same blobs.
func TestSchema1HistoryEqualsSkopeo(t *testing.T) {
	t.Parallel()
	theirs, err := schema1.Decode(vector(t, "skopeo-1.9.3-v2s1-01-clean"))
	require.NoError(t, err)
	config, err := os.ReadFile("testdata/layout/blobs/sha256/bf06fea50f8313513ec13b567380b301def57902acb1d7f90363222d105c6a46")
	require.NoError(t, err)
	var blobs []digest.Digest
	for _, l := range theirs.FSLayers {
		blobs = append([]digest.Digest{l.BlobSum}, blobs...)
	}
	ours, err := image.V1FromConfig(config, blobs)
	require.NoError(t, err)
	require.Len(t, ours, len(theirs.History))
	for i, h := range theirs.History { // top first
		l := ours[len(ours)-1-i]
		require.Equal(t, theirs.FSLayers[i].BlobSum, l.Blob)
		require.JSONEq(t, h.V1Compatibility, string(l.V1JSON))
	}
}

const (
	mediaSchema2 = "application/vnd.docker.distribution.manifest.v2+json"
	mediaOCI     = "application/vnd.oci.image.manifest.v1+json"
)

func vector(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "vectors", name+".json"))
	require.NoError(t, err)
	return data
}

type putManifest struct {
	mediaType string
	body      []byte
}

// pushed pushes an image of an archive or a layout, and gives the last manifest that
// the registry was sent and took.
func pushed(t *testing.T, era pusher.Era, source, tag string, o fakeregistry.V2Options) putManifest {
	t.Helper()
	server, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(o)})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	store := image.InMemory()
	loaded, err := store.Load(t.Context(), source)
	require.NoError(t, err)
	repository := server.Host() + "/lib/app"
	for _, l := range loaded {
		if tag == "" || l.Tag == tag {
			require.NoError(t, store.TagContent(repository, "latest", l.Image, l.Content))
		}
	}
	recorder := wire.NewRecorder(clock.Real(), nil)
	client, err := pusher.New(pusher.Config{Era: era, Images: store, TempDir: t.TempDir(), Recorder: recorder, AllowSchema1: true})
	require.NoError(t, err)
	_, err = client.Push(t.Context(), repository, "latest", pusher.Options{})
	require.NoError(t, err)
	var put putManifest
	for _, e := range recorder.Trace() {
		if e.Route.Op == wire.OpManifestPut && e.Response.Status == http.StatusCreated {
			put = putManifest{e.Request.Header.Get("Content-Type"), e.Request.Body.Head}
		}
	}
	require.True(t, json.Valid(put.body), "%s", put.body)
	return put
}
