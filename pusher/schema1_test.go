package pusher

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/docker/libtrust"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// The manifest built of docker 1.8.3's layers has the payload, digest and size
// that docker 1.8.3 pushed and Debian's registry answered.
func TestSignSchema1(t *testing.T) {
	t.Parallel()
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	for tag, want := range map[string]struct {
		digest digest.Digest
		size   int64
	}{
		"latest": {"sha256:87ebe2d3daff342a83fda09bf68f55bf43d48b12bf2a4b445b79fb34ab880f26", 4544},
		"two":    {"sha256:dc80706b40c43715903a980625570458a2b1488fe3433efee462f9818bbda012", 3257},
	} {
		payload, err := os.ReadFile("../internal/schema1/testdata/docker-1.8.3-" + tag + ".payload.json")
		require.NoError(t, err)
		recorded, err := schema1.Decode(payload)
		require.NoError(t, err)
		var layers []schema1Layer
		for i, l := range recorded.FSLayers {
			layers = append(layers, schema1Layer{Digest: l.BlobSum, V1JSON: []byte(recorded.History[i].V1Compatibility)})
		}

		got, err := signSchema1("lib/app", tag, layers, key)
		require.NoError(t, err)
		require.Equal(t, want.digest, got.Digest)
		require.Equal(t, want.size, got.Size)
		recovered, err := schema1.Payload(got.Bytes)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(payload), string(recovered)))
	}
}

// An image that names no architecture has an empty one in its manifest (P-220).
func TestSignSchema1WithoutArchitecture(t *testing.T) {
	t.Parallel()
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	for _, top := range []string{`{"id":"aa"}`, `no JSON`} {
		got, err := signSchema1("a", "b", []schema1Layer{
			{V1JSON: []byte(top)}, {V1JSON: []byte(`{"architecture":"arm"}`)},
		}, key)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(got.Bytes, &m))
		require.Empty(t, m["architecture"])
		require.Len(t, m["history"], 2)
	}
}
