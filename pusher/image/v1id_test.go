package image_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// The manifest is the one that dockerd 20.10.24 made of that config.
func TestGoldenV1FromConfig(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile(filepath.Join("testdata", "dockerd-20.10.24", "config.json"))
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join("testdata", "dockerd-20.10.24", "schema1.json"))
	require.NoError(t, err)
	var manifest struct {
		FSLayers []struct{ BlobSum digest.Digest }
		History  []struct{ V1Compatibility string }
	}
	require.NoError(t, json.Unmarshal(data, &manifest))
	var blobs []digest.Digest
	var want []string
	for i := range manifest.FSLayers {
		blobs = append(blobs, manifest.FSLayers[i].BlobSum)
		want = append(want, manifest.History[i].V1Compatibility)
	}
	slices.Reverse(blobs)
	slices.Reverse(want)
	layers, err := image.V1FromConfig(config, blobs)
	require.NoError(t, err)
	var got []string
	for _, l := range layers {
		got = append(got, string(l.V1JSON))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("V1 JSON, bottom first (-dockerd +ours):\n%s", diff)
	}
}

func TestV1FromConfigOfEmptyEntries(t *testing.T) {
	t.Parallel()
	config := `{"os":"linux","rootfs":{"type":"layers","diff_ids":["` + string(digestOf("tar")) + `"]},"history":[` +
		`{"created":"2020-01-02T03:04:05Z","created_by":"ENV","empty_layer":true,"comment":"c"},` +
		`{"created":"2020-01-02T03:04:05Z","created_by":"ADD"},` +
		`{"created":"2020-01-02T03:04:05Z","created_by":"CMD","empty_layer":true}]}`
	layers, err := image.V1FromConfig([]byte(config), []digest.Digest{digestOf("blob")})
	require.NoError(t, err)
	first := hexOf(image.EmptyLayerBlob.Encoded() + " ")
	second := hexOf(hexOf("blob") + " " + first)
	third := hexOf(image.EmptyLayerBlob.Encoded() + " " + second + " " + config)
	want := []image.V1Layer{
		{ID: first, Blob: image.EmptyLayerBlob, Empty: true, V1JSON: []byte(`{"id":"` + first +
			`","comment":"c","created":"2020-01-02T03:04:05Z","container_config":{"Cmd":["ENV"]},"throwaway":true}`)},
		{ID: second, Parent: first, Blob: digestOf("blob"), V1JSON: []byte(`{"id":"` + second + `","parent":"` + first +
			`","created":"2020-01-02T03:04:05Z","container_config":{"Cmd":["ADD"]}}`)},
		{ID: third, Parent: second, Blob: image.EmptyLayerBlob, Empty: true, V1JSON: []byte(`{"id":"` + third +
			`","os":"linux","parent":"` + second + `","throwaway":true}`)},
	}
	if diff := cmp.Diff(want, layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestV1FromConfigRefuses(t *testing.T) {
	t.Parallel()
	one := []digest.Digest{digestOf("blob")}
	rows := []struct{ name, config, want string }{
		{"no history", `{"rootfs":{"diff_ids":["x"]}}`, "empty history when trying to create schema1 manifest"},
		{"more layers than blobs", `{"rootfs":{"diff_ids":["x","y"]},"history":[{}]}`, "number of descriptors and number of layers in rootfs must match"},
		{"more history than layers", `{"rootfs":{"diff_ids":["x"]},"history":[{},{}]}`, "too many non-empty layers in History section"},
	}
	for _, row := range rows {
		_, err := image.V1FromConfig([]byte(row.config), one)
		require.EqualError(t, err, row.want, row.name)
	}
}
