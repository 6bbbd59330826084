package fakeregistry_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// onStorages runs a test on a storage in memory and on one on disk.
func onStorages(t *testing.T, test func(t *testing.T, s *fakeregistry.Storage)) {
	t.Helper()
	for _, name := range []string{"memory", "disk"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := ""
			if name == "disk" {
				dir = t.TempDir()
			}
			s, err := fakeregistry.NewStorage(dir)
			require.NoError(t, err)
			test(t, s)
			require.NoError(t, s.Close())
			require.NoError(t, s.Close(), "a second time")
			if dir != "" {
				left, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, left, "Close leaves files")
			}
		})
	}
}

// someBytes are n bytes that differ from place to place.
func someBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

func readBlob(t *testing.T, s *fakeregistry.Storage, repository string, d digest.Digest) []byte {
	t.Helper()
	r, size, err := s.Blob(repository, d)
	require.NoError(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, b, int(size))
	return b
}

// Whatever comes in, in whatever pieces, comes out.
func TestUploadKeepsBytes(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		for _, size := range []int{0, 1, 4095, 32 << 10, 32<<10 + 1, 1<<20 - 1, 3<<20 + 17} {
			want := someBytes(size)
			d := digest.FromBytes(want)
			for how, read := range map[string]func(u *fakeregistry.Upload) error{
				"known length": func(u *fakeregistry.Upload) error {
					_, err := u.ReadFrom(t.Context(), bytes.NewReader(want), int64(size))
					return err
				},
				"unknown length": func(u *fakeregistry.Upload) error {
					_, err := u.ReadFrom(t.Context(), iotest.HalfReader(bytes.NewReader(want)), -1)
					return err
				},
				"data with EOF": func(u *fakeregistry.Upload) error {
					_, err := u.ReadFrom(t.Context(), iotest.DataErrReader(bytes.NewReader(want)), -1)
					return err
				},
				"pieces": func(u *fakeregistry.Upload) error {
					for rest := want; len(rest) > 0; {
						n := min(len(rest), 100_003)
						if _, err := u.ReadFrom(t.Context(), bytes.NewReader(rest[:n]), int64(n)); err != nil {
							return err
						}
						rest = rest[n:]
					}
					return nil
				},
				"writes": func(u *fakeregistry.Upload) error {
					for rest := want; len(rest) > 0; {
						n := min(len(rest), 77_777)
						if _, err := u.Write(t.Context(), rest[:n]); err != nil {
							return err
						}
						rest = rest[n:]
					}
					return nil
				},
			} {
				name := fmt.Sprintf("%d bytes, %s", size, how)
				u, err := s.Begin(t.Context(), how, "", true)
				require.NoError(t, err, name)
				require.NoError(t, read(u), name)
				require.Equal(t, int64(size), u.Size(), name)
				require.Equal(t, d, u.Digest(), name)
				require.NoError(t, u.Commit(t.Context(), d), name)
				require.True(t, bytes.Equal(want, readBlob(t, s, how, d)), name)
			}
			require.Equal(t, 0, s.OpenUploads(""))
		}
	})
}

// Readers seek, several at a time.
func TestContentSeeks(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		want := someBytes(100_005) // three chunks in memory
		d, size, err := s.PutBlob("a", iotest.HalfReader(bytes.NewReader(want)))
		require.NoError(t, err)
		require.Equal(t, int64(len(want)), size)
		r, n, err := s.OpenContent(t.Context(), d)
		require.NoError(t, err)
		defer r.Close()
		require.Equal(t, size, n)
		require.NoError(t, iotest.TestReader(r, want))
		_, err = r.Seek(-1, io.SeekStart)
		require.Error(t, err)
	})
}

func TestCommitChecksDigest(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		u, err := s.Begin(t.Context(), "a", "", true)
		require.NoError(t, err)
		_, err = u.Write(t.Context(), []byte("abc"))
		require.NoError(t, err)
		require.ErrorIs(t, u.Commit(t.Context(), digest.FromString("abd")), fakeregistry.ErrDigestMismatch)
		require.ErrorIs(t, u.Commit(t.Context(), digest.SHA512.FromString("abd")), fakeregistry.ErrDigestMismatch)
		require.ErrorIs(t, u.Commit(t.Context(), "nonsense"), digest.ErrDigestInvalidFormat)
		require.Equal(t, 1, s.OpenUploads("a"), "the session stays")
		d := digest.SHA512.FromString("abc")
		require.NoError(t, u.Commit(t.Context(), d))
		require.Equal(t, "abc", string(readBlob(t, s, "a", d)))
		stored, err := s.Linked(t.Context(), "a", d)
		require.NoError(t, err)
		require.Equal(t, digest.FromString("abc"), stored)
		_, err = u.Write(t.Context(), []byte("d"))
		require.ErrorIs(t, err, fakeregistry.ErrClosed)
		require.ErrorIs(t, u.Commit(t.Context(), d), fakeregistry.ErrClosed)
	})
}

// A stuckReader gives a few bytes, and is then stuck until it is let go.
type stuckReader struct {
	reads       int
	stuck, free chan struct{}
}

func (r *stuckReader) Read(p []byte) (int, error) {
	if r.reads++; r.reads > 1 {
		close(r.stuck)
		<-r.free
	}
	return copy(p, "bytes"), nil
}

// Sessions end at once, even when somebody is waiting for their next bytes.
func TestDropUploadsDoesNotWait(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		u, err := s.Begin(t.Context(), "a", "", true)
		require.NoError(t, err)
		r := &stuckReader{stuck: make(chan struct{}), free: make(chan struct{})}
		done := make(chan error)
		go func() {
			_, err := u.ReadFrom(t.Context(), r, -1)
			done <- err
		}()
		<-r.stuck
		require.Equal(t, 0, s.DropUploads("other"))
		require.Equal(t, 1, s.DropUploads(""))
		require.Equal(t, 0, s.OpenUploads(""))
		_, err = s.Upload(t.Context(), "a", u.ID())
		require.ErrorIs(t, err, fakeregistry.ErrNotStored)
		close(r.free)
		require.ErrorIs(t, <-done, fakeregistry.ErrClosed)
		require.ErrorIs(t, u.Commit(t.Context(), digest.FromString("bytes")), fakeregistry.ErrClosed)
	})
}

// On disk there is one file for each blob, and none of sessions that ended.
func TestDiskFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := fakeregistry.NewStorage(dir)
	require.NoError(t, err)
	begin := func() *fakeregistry.Upload {
		u, err := s.Begin(t.Context(), "a", "", true)
		require.NoError(t, err)
		_, err = u.Write(t.Context(), []byte("x"))
		require.NoError(t, err)
		return u
	}
	files := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		require.NoError(t, err)
		return len(found)
	}
	d := digest.FromString("x")
	require.NoError(t, begin().Commit(t.Context(), d))
	require.Equal(t, 1, files())
	require.NoError(t, begin().Commit(t.Context(), d), "once more")
	begin().Cancel()
	u := begin()
	require.NoError(t, u.Keep(t.Context(), d))
	u.Cancel()
	require.Equal(t, 1, files())
	require.True(t, s.Delete("a", d))
	require.Equal(t, 0, files())
	require.NoError(t, s.Close())
}

// Garbage collection takes a blob from one repository and leaves it to others.
func TestDelete(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		d, _, err := s.PutBlob("a", strings.NewReader("blob"))
		require.NoError(t, err)
		_, _, err = s.PutBlob("b", strings.NewReader("blob"))
		require.NoError(t, err)
		require.Equal(t, int64(4), s.Stored())
		m, err := s.PutManifest("a", "latest", fakeregistry.ManifestInfo{MediaType: "x/y"}, []byte("{}"))
		require.NoError(t, err)

		require.True(t, s.Delete("a", d))
		require.False(t, s.Delete("a", d), "twice")
		_, _, err = s.Blob("a", d)
		require.ErrorIs(t, err, fakeregistry.ErrNotStored)
		require.Equal(t, "blob", string(readBlob(t, s, "b", d)))
		require.True(t, s.Delete("b", d))
		_, err = s.StatContent(t.Context(), d)
		require.ErrorIs(t, err, fakeregistry.ErrNotStored, "the bytes are gone with the last link")

		info, body, err := s.Manifest("a", m)
		require.NoError(t, err)
		require.Equal(t, "x/y", info.MediaType)
		require.Equal(t, "{}", string(body))
		require.True(t, s.Delete("a", m))
		require.Empty(t, s.TagMap("a"), "and its tags")
		require.Equal(t, int64(0), s.Stored())
	})
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		want := someBytes(1<<20 + 9)
		d, _, err := s.PutBlob("a", bytes.NewReader(want))
		require.NoError(t, err)
		before, _, err := s.Blob("a", d)
		require.NoError(t, err)
		defer before.Close()
		require.False(t, s.Corrupt("b", d))
		require.True(t, s.Corrupt("a", d))
		got := readBlob(t, s, "a", d)
		require.Len(t, got, len(want))
		changed := 0
		for i := range got {
			if got[i] != want[i] {
				changed++
			}
		}
		require.Equal(t, 1, changed, "bytes that differ")
		if strings.HasSuffix(t.Name(), "memory") {
			old, err := io.ReadAll(before)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, old), "whoever had it open reads on")
		}
	})
}

// Equal seeds give equal names of sessions.
func TestSessionNames(t *testing.T) {
	t.Parallel()
	names := func(seed uint64) (all []string) {
		s, err := fakeregistry.NewStorage("")
		require.NoError(t, err)
		s.SetSeed(seed)
		for range 100 {
			u, err := s.Begin(t.Context(), "a", "", false)
			require.NoError(t, err)
			require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, u.ID())
			require.NotContains(t, all, u.ID())
			all = append(all, u.ID())
		}
		return all
	}
	first := names(1)
	require.Equal(t, first, names(1))
	require.NotEqual(t, first, names(2))
}

// After Close nothing can be stored any more, and nothing breaks.
func TestClosedStorage(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		s, err := fakeregistry.NewStorage(dir)
		require.NoError(t, err)
		u, err := s.Begin(t.Context(), "a", "", true)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = u.Write(t.Context(), []byte("x"))
		require.ErrorIs(t, err, fakeregistry.ErrClosed)
		require.ErrorIs(t, u.Commit(t.Context(), digest.FromString("")), fakeregistry.ErrClosed)
		d := digest.FromString("x")
		require.ErrorIs(t, s.Link(t.Context(), "a", d, d), fakeregistry.ErrClosed)
		require.ErrorIs(t, s.Tag(t.Context(), "a", "t", d), fakeregistry.ErrClosed)
		require.Error(t, s.PutContent(t.Context(), d, []byte("x")))
		_, _, err = s.PutBlob("a", strings.NewReader("x"))
		require.Error(t, err)
		_, err = s.PutManifest("a", "", fakeregistry.ManifestInfo{}, []byte("x"))
		require.Error(t, err)
		_, err = s.Begin(t.Context(), "a", "", true)
		require.Error(t, err)
	}
	_, err := fakeregistry.NewStorage("/nowhere/at/all")
	require.Error(t, err)
}

// Many at once, of the same blob among others, end with every blob whole.
func TestConcurrentUploads(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				want := someBytes(200_000 + i%4)
				u, err := s.Begin(t.Context(), fmt.Sprint(i%3), "", true)
				if err == nil {
					_, err = u.ReadFrom(t.Context(), bytes.NewReader(want), -1)
				}
				if err == nil {
					err = u.Commit(t.Context(), digest.FromBytes(want))
				}
				if err != nil {
					t.Errorf("upload %d: %v", i, err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 0, s.OpenUploads(""))
		for i := range 16 {
			want := someBytes(200_000 + i%4)
			require.True(t, bytes.Equal(want, readBlob(t, s, fmt.Sprint(i%3), digest.FromBytes(want))))
		}
		require.Equal(t, int64(4*200_000+0+1+2+3), s.Stored(), "each blob once")
	})
}
