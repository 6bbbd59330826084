package fakeregistry_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

var errDisk = errors.New("no space left on device")

// A full disk takes what fits, and the digest is that of what it took.
func TestHookWritesShort(t *testing.T) {
	t.Parallel()
	onStorages(t, func(t *testing.T, s *fakeregistry.Storage) {
		t.Helper()
		const room = 100_000
		ctx := fakeregistry.WithHook(t.Context(), func(_ context.Context, a fakeregistry.Access) error {
			if a.Op == fakeregistry.StorageWrite && a.Offset+a.Length > room {
				return &fakeregistry.ShortWriteError{Keep: room - a.Offset, Err: errDisk}
			}
			return nil
		})
		want := someBytes(300_000)
		u, err := s.Begin(ctx, "a", "", true)
		require.NoError(t, err)
		n, err := u.ReadFrom(ctx, bytes.NewReader(want), int64(len(want)))
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, int64(room), n)
		require.Equal(t, int64(room), u.Size())
		require.Equal(t, digest.FromBytes(want[:room]), u.Digest())
		_, err = u.Write(ctx, []byte("x"))
		require.ErrorIs(t, err, errDisk)
		require.NoError(t, u.Commit(ctx, digest.FromBytes(want[:room])))
		require.True(t, bytes.Equal(want[:room], readBlob(t, s, "a", digest.FromBytes(want[:room]))))
	})
}

// A hook hears of everything, the request's before the storage's, and decides.
func TestHooks(t *testing.T) {
	t.Parallel()
	s, err := fakeregistry.NewStorage("")
	require.NoError(t, err)
	var heard []string
	note := func(who string, answer error) fakeregistry.Hook {
		return func(_ context.Context, a fakeregistry.Access) error {
			heard = append(heard, who+" "+a.Op.String())
			return answer
		}
	}
	s.SetHook(note("storage", nil))
	ctx := fakeregistry.WithHook(fakeregistry.WithHook(t.Context(), note("outer", nil)), note("inner", nil))
	d := digest.FromString("x")
	u, err := s.Begin(ctx, "a", "", true)
	require.NoError(t, err)
	_, err = u.Write(ctx, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, u.Commit(ctx, d))
	require.Equal(t, []string{
		"inner begin", "outer begin", "storage begin", "inner write", "outer write", "storage write",
		"inner commit", "outer commit", "storage commit",
	}, heard)

	s.SetHook(note("storage", fakeregistry.ErrPretend))
	require.NoError(t, s.PutContent(t.Context(), digest.FromString("m"), []byte("m")))
	require.NoError(t, s.Link(t.Context(), "b", d, d))
	require.NoError(t, s.LinkManifest(t.Context(), "b", d, fakeregistry.ManifestInfo{}))
	require.NoError(t, s.Tag(t.Context(), "b", "latest", d))
	require.NoError(t, s.Unlink(t.Context(), "a", d))
	u, err = s.Begin(t.Context(), "a", "", true)
	require.NoError(t, err)
	_, err = u.Write(t.Context(), []byte("lost"))
	require.NoError(t, err)
	require.NoError(t, u.Commit(t.Context(), digest.FromString("")), "nothing was written")
	s.SetHook(nil)
	require.Equal(t, 0, s.OpenUploads(""))
	require.Empty(t, cmp.Diff([]digest.Digest{d}, s.Blobs("a")))
	require.Empty(t, s.Blobs("b"))
	require.Empty(t, s.Manifests("b"))
	require.Empty(t, s.TagMap("b"))
	_, err = s.StatContent(t.Context(), digest.FromString("m"))
	require.ErrorIs(t, err, fakeregistry.ErrNotStored)

	boom := errors.New("boom")
	s.SetHook(note("storage", boom))
	for what, do := range map[string]func() error{
		"begin":    func() error { _, err := s.Begin(t.Context(), "a", "", true); return err },
		"upload":   func() error { _, err := s.Upload(t.Context(), "a", "x"); return err },
		"stat":     func() error { _, err := s.StatContent(t.Context(), d); return err },
		"open":     func() error { _, _, err := s.OpenContent(t.Context(), d); return err },
		"put":      func() error { return s.PutContent(t.Context(), d, nil) },
		"link":     func() error { return s.Link(t.Context(), "a", d, d) },
		"linked":   func() error { _, err := s.Linked(t.Context(), "a", d); return err },
		"unlink":   func() error { return s.Unlink(t.Context(), "a", d) },
		"manifest": func() error { return s.LinkManifest(t.Context(), "a", d, fakeregistry.ManifestInfo{}) },
		"tag":      func() error { return s.Tag(t.Context(), "a", "t", d) },
		"tagged":   func() error { _, err := s.Tagged(t.Context(), "a", "t"); return err },
		"untag":    func() error { return s.Untag(t.Context(), "a", "t") },
		"tags":     func() error { _, err := s.Tags(t.Context(), "a"); return err },
	} {
		require.ErrorIs(t, do(), boom, what)
	}
}

// failOn fails one kind of access.
func failOn(op fakeregistry.StorageOp) fakeregistry.Hook {
	return func(_ context.Context, a fakeregistry.Access) error {
		if a.Op == op {
			return errDisk
		}
		return nil
	}
}
