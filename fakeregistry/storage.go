package fakeregistry

import (
	"io"

	"github.com/opencontainers/go-digest"
)

// A Storage keeps a registry's bytes in chunks, in memory or on disk, under
// both our own V2 and distribution's. Storage faults strike in it. It is safe
// for concurrent use.
type Storage struct{}

// NewStorage makes a storage; dir "" keeps everything in memory.
func NewStorage(dir string) (*Storage, error) { return nil, nil }

// Delete removes what is stored of a blob in a repository, behind everybody's
// back, as garbage collection does. It reports whether anything was there.
func (s *Storage) Delete(repository string, d digest.Digest) bool { return false }

// OpenUploads counts the upload sessions that were neither committed nor
// cancelled, in a repository or, with "", in all.
func (s *Storage) OpenUploads(repository string) int { return 0 }

// Blob opens a blob of a repository, whatever faults are set.
func (s *Storage) Blob(repository string, d digest.Digest) (io.ReadCloser, int64, error) {
	return nil, 0, nil
}
