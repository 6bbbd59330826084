package image_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"
)

// A layout may name its blobs by another algorithm than the store's own.
func TestLayoutOfSHA512(t *testing.T) {
	t.Parallel()
	f := files{}
	add := func(media, s string) obj {
		d := digest.SHA512.FromString(s)
		f["blobs/sha512/"+d.Encoded()] = s
		return obj{"mediaType": media, "digest": d, "size": len(s)}
	}
	config, plain, packed := configJSON(t, baseTar(t), topTar(t)), baseTar(t), gzipped(t, topTar(t))
	manifest := jsonOf(t, obj{
		"schemaVersion": 2, "config": add(ociConfig, config),
		"layers": list{add(ociLayer, plain), add(ociLayer+"+gzip", packed)},
	})
	s := openStore(t)
	loaded := loadFiles(t, s, f.index(t, add(ociManifest, manifest)))
	want := []seenLayer{{"top", "oci.image.layer.v1.tar+gzip"}, {Tar: "empty"}, {Tar: "base"}}
	r, err := s.OpenBlob(digest.SHA512.FromString(manifest))
	require.Equal(t, manifest, readAll(t, r, err))
	r, err = s.OpenBlob(digest.SHA512.FromString(plain))
	require.Equal(t, plain, readAll(t, r, err))
	requireConsistent(t, s)
	var got []seenLayer
	for l, err := range s.Chain(loaded[0].Image) {
		require.NoError(t, err)
		r, err := s.OpenTar(l.ID)
		require.Equal(t, l.DiffID, digestOf(readAll(t, r, err)))
		one := seenLayer{Tar: map[digest.Digest]string{digestOf(plain): "base", digestOf(topTar(t)): "top"}[l.DiffID]}
		if l.Blob != nil {
			one.Blob = l.Blob.MediaType[len("application/vnd."):]
			require.Equal(t, digest.SHA512, l.Blob.Digest.Algorithm())
		}
		if one.Tar == "" {
			one.Tar = "empty"
		}
		got = append(got, one)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
}
