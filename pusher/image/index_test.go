package image_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"

// manyForm is a layout whose index names two images, one of them with a layer that
// lives elsewhere, an attestation, an index with an artifact that has a subject, and
// an image that is not there. It returns the index as well.
func manyForm(t testing.TB) (f files, index string) {
	f = files{}
	amd := f.addManifest(t, configJSON(t, baseTar(t), topTar(t)), gzipLayers(t)...)
	config := strings.Replace(configJSON(t, baseTar(t), topTar(t)), `"amd64"`, `"arm64"`, 1)
	f[blobName(config)] = config
	foreign := descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzipped(t, baseTar(t)+"more"))
	foreign["urls"] = list{"https://layers.example/base"}
	own := gzipLayers(t)[1]
	arm := jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociManifest, "config": descriptor(ociConfig, config),
		"layers": list{foreign, descriptor(own.media, own.blob)}, "annotations": obj{"org.example": "arm"},
	})
	f[blobName(arm)] = arm
	statement, statementConfig := `{"_type":"statement"}`, `{"architecture":"unknown","os":"unknown"}`
	attestation := jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociManifest, "config": descriptor(ociConfig, statementConfig),
		"layers": list{descriptor("application/vnd.in-toto+json", statement)},
	})
	artifact := jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociManifest, "artifactType": "application/vnd.example", "subject": descriptor(ociManifest, amd),
		"config": descriptor("application/vnd.oci.empty.v1+json", "{}"), "layers": list{descriptor("text/plain", "sbom")},
	})
	for _, body := range []string{statement, statementConfig, attestation, artifact, "{}", "sbom", "a cache of buildkit lists its layers"} {
		f[blobName(body)] = body
	}
	inner := jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociIndex, "manifests": list{descriptor(ociManifest, artifact)}})
	f[blobName(inner)] = inner
	about := descriptor(ociManifest, attestation)
	about["platform"] = obj{"os": "unknown", "architecture": "unknown"}
	about["annotations"] = obj{"vnd.docker.reference.type": "attestation-manifest"}
	index = jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociIndex, "annotations": obj{"org.example": "index"},
		"manifests": list{
			descriptor(ociManifest, arm), about, descriptor(ociManifest, amd), descriptor(ociIndex, inner), descriptor(ociManifest, "lost"),
			descriptor(ociLayer, "a cache of buildkit lists its layers"),
		},
	})
	f[blobName(index)] = index
	return f.index(t, named(descriptor(ociIndex, index), "lib/app:many")), index
}

// blobsOf are the digests of the blobs of a layout, sorted.
func (f files) blobsOf() []digest.Digest {
	var all []digest.Digest
	for name := range f {
		if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			all = append(all, digest.NewDigestFromEncoded(digest.SHA256, hex))
		}
	}
	slices.Sort(all)
	return all
}

// TestIndexIsKept: an index stays with everything below it, byte for byte, for as
// long as its image does.
func TestIndexIsKept(t *testing.T) {
	t.Parallel()
	f, index := manyForm(t)
	dir := t.TempDir()
	s := openAt(t, dir)
	loaded := loadFiles(t, s, f)
	require.Len(t, loaded, 2)
	for _, l := range loaded {
		assert.Equal(t, digestOf(index), l.Content)
	}
	require.NoError(t, s.Close())
	s = openAt(t, dir)

	kept, err := s.Index("lib/app", "many")
	require.NoError(t, err)
	require.NotNil(t, kept)
	assert.Equal(t, image.Descriptor{MediaType: ociIndex, Digest: digestOf(index), Size: int64(len(index))}, kept.Descriptor)
	all := f.blobsOf()
	assert.Equal(t, slices.DeleteFunc(slices.Clone(all), func(d digest.Digest) bool { return d == kept.Digest }), kept.Blobs)
	for _, d := range all {
		r, err := s.OpenBlob(d)
		assert.Equal(t, f["blobs/sha256/"+d.Encoded()], readAll(t, r, err))
	}
	assert.False(t, s.HasBlob(digestOf("lost")))

	// It outlives the deletion of what else is there, and goes with its images.
	require.NoError(t, s.Untag("lib/app", "many"))
	_, err = s.Index("lib/app", "many")
	require.ErrorIs(t, err, image.ErrNoRepository)
	assert.Empty(t, s.Content("lib/app", "many"))
	_, err = s.Delete(loaded[0].Image)
	require.NoError(t, err)
	assert.True(t, s.HasBlob(digestOf("sbom")))
	_, err = s.Delete(loaded[1].Image)
	require.NoError(t, err)
	assert.False(t, s.HasBlob(digestOf("sbom")))
	left, err := s.Files()
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, "blobs/sha256/") }), left)
}

// TestIndexInPlace: a layout that is pushed from where it lies has its index too.
func TestIndexInPlace(t *testing.T) {
	t.Parallel()
	f, index := manyForm(t)
	s, loaded, err := image.OpenLayout(t.Context(), f.write(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Len(t, loaded, 2)
	require.NoError(t, s.TagContent("here/app", "v1", loaded[0].Image, loaded[0].Content))
	kept, err := s.Index("here/app", "v1")
	require.NoError(t, err)
	assert.Equal(t, digestOf(index), kept.Digest)
	assert.Len(t, kept.Blobs, len(f.blobsOf())-1)
	r, err := s.OpenBlob(digestOf("sbom"))
	assert.Equal(t, "sbom", readAll(t, r, err))
}

// TestForeignLayer: a layer that lives elsewhere keeps its URLs, whether its bytes
// came or not.
func TestForeignLayer(t *testing.T) {
	t.Parallel()
	f, _ := manyForm(t)
	s := openStore(t)
	loaded := loadFiles(t, s, f)
	i := slices.IndexFunc(loaded, func(l image.Loaded) bool { return l.Platform == "linux/arm64" })
	var base image.Layer
	for l, err := range s.Chain(loaded[i].Image) {
		require.NoError(t, err)
		base = l
	}
	assert.True(t, base.Absent)
	require.NotNil(t, base.Blob)
	assert.Equal(t, []string{"https://layers.example/base"}, base.Blob.URLs)
	_, err := s.OpenTar(base.ID)
	require.ErrorIs(t, err, image.ErrNoBlob)
	require.ErrorContains(t, err, "it lives at https://layers.example/base")

	made, err := s.MakeStored(t.Context(), image.Recipe{Layers: []int64{5, 7}}, image.Stored{Media: image.MediaDocker, Foreign: []int{0}})
	require.NoError(t, err)
	for l, err := range s.Chain(made[0].Image) {
		require.NoError(t, err)
		base = l
	}
	assert.False(t, base.Absent)
	assert.Equal(t, []string{"https://layers.example/linux/amd64/layer1"}, base.Blob.URLs)
	r, err := s.OpenTar(base.ID)
	assert.NotEmpty(t, readAll(t, r, err))
}

// TestTagContent: a tag stands for an index only with an image that came with it, and
// Tag makes it stand for one image again.
func TestTagContent(t *testing.T) {
	t.Parallel()
	f, index := manyForm(t)
	s := openStore(t)
	loaded := loadFiles(t, s, f)
	other, err := s.Make(t.Context(), image.Recipe{Layers: []int64{1}})
	require.NoError(t, err)
	require.ErrorIs(t, s.TagContent("a", "t", other[0], digestOf(index)), image.ErrNoContent)
	require.NoError(t, s.TagContent("a", "t", loaded[1].Image, digestOf(index)))
	kept, err := s.Index("a", "t")
	require.NoError(t, err)
	assert.NotNil(t, kept)
	require.NoError(t, s.Tag("a", "t", loaded[1].Image))
	kept, err = s.Index("a", "t")
	require.NoError(t, err)
	assert.Nil(t, kept)
	_, err = s.Index("a", "u")
	require.ErrorIs(t, err, image.ErrNoTag)
}

// TestDamagedIndex: what an index names is held against its descriptor, statements
// and artifacts too.
func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	f, _ := manyForm(t)
	f = maps.Clone(f)
	f[blobName("sbom")] = "sbon"
	_, err := openStore(t).LoadFrom(t.Context(), strings.NewReader(f.tar(t)))
	require.ErrorContains(t, err, blobName("sbom")+": its digest is "+digestOf("sbon").String())
}

// TestMadeList: a made-up manifest list is the same each time, and docker's own.
func TestMadeList(t *testing.T) {
	t.Parallel()
	as := image.Stored{Media: image.MediaDocker, Platforms: []string{"linux/amd64", "linux/arm/v7"}, Missing: []string{"linux/arm/v7"}}
	var first digest.Digest
	for range 2 {
		s := openStore(t)
		made, err := s.MakeStored(t.Context(), image.Recipe{Layers: []int64{3}, Seed: 4}, as)
		require.NoError(t, err)
		require.Len(t, made, 1)
		require.NoError(t, s.TagContent("a", "t", made[0].Image, made[0].Content))
		kept, err := s.Index("a", "t")
		require.NoError(t, err)
		assert.Equal(t, dockerList, kept.MediaType)
		if first != "" {
			assert.Equal(t, first, kept.Digest)
		}
		first = kept.Digest
	}
}

// TestIndexAfterAKill: whatever a kill left of the two files of the tags, a tag
// never stands for an index that its image did not come with.
func TestIndexAfterAKill(t *testing.T) {
	t.Parallel()
	f, index := manyForm(t)
	dir := t.TempDir()
	s := openAt(t, dir)
	loadFiles(t, s, f)
	other, err := s.Make(t.Context(), image.Recipe{Layers: []int64{1}})
	require.NoError(t, err)
	require.NoError(t, s.Tag("a", "t", other[0]))
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "contents"), []byte(jsonOf(t, obj{"a": obj{"t": digestOf(index)}})), 0o600))
	s = openAt(t, dir)
	kept, err := s.Index("a", "t")
	require.NoError(t, err)
	assert.Nil(t, kept)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "contents"), []byte("{"), 0o600))
	_, err = image.Open(dir)
	require.ErrorContains(t, err, "file contents is damaged")
	require.NotErrorIs(t, err, fs.ErrNotExist)
}
