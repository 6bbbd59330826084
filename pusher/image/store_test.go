package image_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// openAt opens a store in dir for the time of the test.
func openAt(t testing.TB, dir string) *image.Store {
	t.Helper()
	s, err := image.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// loadFiles loads an archive of those files.
func loadFiles(t testing.TB, s *image.Store, f files) []image.Loaded {
	t.Helper()
	loaded, err := s.LoadFrom(t.Context(), strings.NewReader(f.tar(t)))
	require.NoError(t, err)
	return loaded
}

func TestOneStoreHasADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := image.Open(dir)
	require.NoError(t, err)
	_, err = image.Open(dir)
	require.ErrorIs(t, err, image.ErrInUse)
	require.EqualError(t, err, "store "+dir+": in use by another process; wait for it or use another directory")
	require.NoError(t, s.Close())
	s, err = image.Open(dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// A store in memory is a store, but for its end.
func TestInMemory(t *testing.T) {
	t.Parallel()
	s := image.InMemory()
	loaded := loadFiles(t, s, bothForm(t))
	require.Equal(t, "lib/app:latest", loaded[0].Name)
	require.Len(t, see(t, s, topID), 2)
	layout := loadFiles(t, s, layoutForm(t, gzipLayers(t)...))
	require.Len(t, see(t, s, layout[0].Image), 3)
	require.NoError(t, s.SetDigest(topID, "sha256:0a"))
	require.NoError(t, s.SetDigest(topID, "sha256:0b"))
	d, err := s.Digest(topID)
	require.NoError(t, err)
	require.Equal(t, digest.Digest("sha256:0b"), d)
	require.NoError(t, s.ForgetDigest(topID))
	_, err = s.Digest(topID)
	require.Equal(t, image.ErrNoDigest, err)

	made, err := s.Make(t.Context(), image.Recipe{Layers: []int64{8 << 20}})
	require.NoError(t, err)
	require.NoError(t, s.Untag("lib/app", "latest"))
	for _, top := range []string{topID, layout[0].Image} {
		_, err := s.Delete(top)
		require.NoError(t, err)
	}
	left, err := s.Layers()
	require.NoError(t, err)
	require.Equal(t, made, left)
	_, err = s.OpenTar(topID)
	require.ErrorIs(t, err, image.ErrNoLayer)
	_, err = s.LoadFrom(t.Context(), strings.NewReader("hello"))
	require.ErrorContains(t, err, "it is not a tar archive")
	require.NoError(t, s.Close())
}

// The four outcomes of P-194, and what docker 1.8 takes for a digest (P-533).
func TestDigestCache(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0a", 32)
	rows := []struct {
		name, content string
		want          error
	}{
		{"sha256", "sha256:" + hex, nil},
		{"sha512", "sha512:" + hex + hex, nil},
		{"a length that is none", "sha256:0a", nil},
		{"a length that is none of sha512", "sha512:0a", nil},
		{"upper case", "sha256:" + strings.ToUpper(hex), nil},
		{"tarsum", "tarsum+sha256:" + hex, nil},
		{"tarsum of a version", "tarsum.v1+sha256:" + hex, nil},
		{"tarsum in other words", "a tarsum+sha256:0a b", nil},
		{"nothing", "", digest.ErrDigestInvalidFormat},
		{"no hex", "sha256:", digest.ErrDigestInvalidFormat},
		{"words", "not a digest", digest.ErrDigestInvalidFormat},
		{"a line end", "sha256:" + hex + "\n", digest.ErrDigestInvalidFormat},
		{"another algorithm", "md5:0a", digest.ErrDigestUnsupported},
		{"an algorithm of Go's", "sha1:" + hex, digest.ErrDigestUnsupported},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			loadFiles(t, s, oldForm(t))
			_, err := s.Digest(topID)
			require.Equal(t, image.ErrNoDigest, err)
			require.NoError(t, s.SetDigest(topID, digest.Digest(row.content)))
			d, err := s.Digest(topID)
			require.Equal(t, row.want, err)
			if err == nil {
				require.Equal(t, row.content, string(d))
			}
			require.NoError(t, s.ForgetDigest(topID))
			require.NoError(t, s.ForgetDigest(topID))
			_, err = s.Digest(topID)
			require.Equal(t, image.ErrNoDigest, err)
		})
	}
}

func TestDigestCacheIsAFileALayer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, dir)
	loadFiles(t, s, oldForm(t))
	file := filepath.Join(dir, "graph", topID, "checksum")
	require.NoError(t, s.SetDigest(topID, "sha256:0a"))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "sha256:0a", string(data))
	require.NoError(t, os.WriteFile(file, []byte("tarsum+sha256:0b"), 0o600))
	d, err := s.Digest(topID)
	require.NoError(t, err)
	require.Equal(t, digest.Digest("tarsum+sha256:0b"), d)

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700)) // cannot be read
	_, err = s.Digest(topID)
	require.Equal(t, image.ErrNoDigest, err)
	require.ErrorIs(t, s.SetDigest(lostID, "sha256:0a"), image.ErrNoLayer)
	require.ErrorIs(t, s.ForgetDigest(lostID), image.ErrNoLayer)
	_, err = s.Digest("../" + topID)
	require.Equal(t, image.ErrNoDigest, err)
}

// A digest outlives loading the same image again, as in docker.
func TestDigestCacheStaysOverALoad(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	loadFiles(t, s, oldForm(t))
	require.NoError(t, s.SetDigest(topID, "sha256:0a"))
	loadFiles(t, s, oldForm(t))
	d, err := s.Digest(topID)
	require.NoError(t, err)
	require.Equal(t, digest.Digest("sha256:0a"), d)
}

func TestTags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := image.Open(dir)
	require.NoError(t, err)
	loadFiles(t, s, oldForm(t))
	require.NoError(t, s.Tag("127.0.0.1:5000/lib/app", "v1", topID))
	require.NoError(t, s.Tag("127.0.0.1:5000/lib/app", "base", baseID))
	require.ErrorIs(t, s.Tag("lib/app", "v1", lostID), image.ErrNoLayer)
	require.EqualError(t, s.Tag("lib/app", "a\nb", topID), `tag "lib/app":"a\nb": a name and a tag are one line of text each`)
	require.NoError(t, s.Close())

	s = openAt(t, dir)
	if diff := cmp.Diff([]string{"127.0.0.1:5000/lib/app", "lib/app"}, s.Repositories()); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
	tags, err := s.Tags("127.0.0.1:5000/lib/app")
	require.NoError(t, err)
	if diff := cmp.Diff(map[string]string{"v1": topID, "base": baseID}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	tags["v1"] = "mine"
	again, err := s.Tags("127.0.0.1:5000/lib/app")
	require.NoError(t, err)
	require.Equal(t, topID, again["v1"], "the map is a copy")

	require.NoError(t, s.Untag("lib/app", "latest"))
	_, err = s.Tags("lib/app")
	require.ErrorIs(t, err, image.ErrNoRepository)
	require.EqualError(t, err, `repository "lib/app": no such repository`)
	require.ErrorIs(t, s.Untag("lib/app", "latest"), image.ErrNoRepository)
	require.ErrorIs(t, s.Untag("127.0.0.1:5000/lib/app", "latest"), image.ErrNoTag)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir())
	loaded := loadFiles(t, s, oldForm(t))
	require.NoError(t, s.Tag("lib/base", "1", baseID))
	made, err := s.Make(t.Context(), image.Recipe{Layers: []int64{10}})
	require.NoError(t, err)

	_, err = s.Delete(topID)
	require.EqualError(t, err, "layer "+topID+": in use: tag lib/app:latest needs it")
	require.ErrorIs(t, err, image.ErrInUse)
	require.NoError(t, s.Untag("lib/base", "1"))
	_, err = s.Delete(baseID)
	require.EqualError(t, err, "layer "+baseID+": in use: layer "+topID+" needs it")
	_, err = s.Delete(lostID)
	require.ErrorIs(t, err, image.ErrNoLayer)
	_, err = s.Delete("..")
	require.ErrorIs(t, err, image.ErrNoLayer)

	open, err := s.OpenTar(topID)
	require.NoError(t, err)
	require.NoError(t, s.Untag(loaded[0].Repository, loaded[0].Tag))
	gone, err := s.Delete(topID)
	require.NoError(t, err)
	if diff := cmp.Diff([]string{topID, baseID}, gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	require.Equal(t, topTar(t), readAll(t, open, nil), "a reader that is open stays valid")
	left, err := s.Layers()
	require.NoError(t, err)
	if diff := cmp.Diff(made, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	config, err := s.Config(made[0])
	require.NoError(t, err)
	if diff := cmp.Diff([]string{config.Digest.Encoded()}, blobsOf(t, s)); diff != "" {
		t.Errorf("blobs left (-want +got):\n%s", diff)
	}
}

// A parent that a tag or another layer needs stays.
func TestDeleteSparesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	loadFiles(t, s, oldForm(t))
	require.NoError(t, s.Untag("lib/app", "latest"))
	require.NoError(t, s.Tag("lib/base", "1", baseID))
	gone, err := s.Delete(topID)
	require.NoError(t, err)
	if diff := cmp.Diff([]string{topID}, gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	r, err := s.OpenTar(baseID)
	require.Equal(t, baseTar(t), readAll(t, r, err))
}

// What a power cut or somebody's hand did to the store is found when it is read.
func TestDamageIsFoundOnReading(t *testing.T) {
	t.Parallel()
	blob := gzipLayers(t)[1].blob
	rows := []struct {
		name string
		hurt func(t *testing.T, dir string)
		want string
	}{
		{"other bytes", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "blobs", "sha256", hexOf(blob)), []byte(gzipped(t, strings.Repeat("x", len(topTar(t))))), 0o600))
		}, "its bytes in the store have digest"},
		{"cut off", func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "blobs", "sha256", hexOf(blob)), 40))
		}, "unexpected EOF"},
		{"fewer bytes", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "blobs", "sha256", hexOf(blob)), []byte(gzipped(t, "x")), 0o600))
		}, "the store has 1 bytes of 2048; delete it and load it again"},
		{"gone", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "blobs", "sha256", hexOf(blob))))
		}, "no such blob"},
		{"a damaged record", func(t *testing.T, dir string) {
			paths, err := filepath.Glob(filepath.Join(dir, "graph", "*", "record"))
			require.NoError(t, err)
			for _, path := range paths {
				require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
			}
		}, "its record is damaged; delete the layer and load it again"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openAt(t, dir)
			loaded := loadFiles(t, s, layoutForm(t, gzipLayers(t)...))
			row.hurt(t, dir)
			r, err := s.OpenTar(loaded[0].Image)
			if err == nil {
				_, err = readToEnd(r)
			}
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, loaded[0].Image)
		})
	}
}

func TestChainEndsWithAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, dir)
	loadFiles(t, s, oldForm(t))
	base := filepath.Join(dir, "graph", baseID, "record")
	record, err := os.ReadFile(base)
	require.NoError(t, err)
	walk := func() (ids []string, err error) {
		for l, e := range s.Chain(topID) {
			if err = e; err == nil {
				ids = append(ids, l.ID)
			}
		}
		return ids, err
	}
	require.NoError(t, os.WriteFile(base, []byte(`{"parent":"`+topID+`",`+string(record[1:])), 0o600))
	ids, err := walk()
	require.Equal(t, []string{topID, baseID}, ids)
	require.EqualError(t, err, "layer "+baseID+": its ancestors form a cycle through "+topID)

	require.NoError(t, os.RemoveAll(filepath.Dir(base)))
	ids, err = walk()
	require.Equal(t, []string{topID}, ids)
	require.EqualError(t, err, "parent of layer "+topID+": layer "+baseID+": no such layer")
	require.ErrorIs(t, err, image.ErrNoLayer)
}

// sizeOf is what all files below a folder have together, bytes.
func sizeOf(t testing.TB, dir string) int64 {
	t.Helper()
	var size int64
	require.NoError(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	}))
	return size
}
