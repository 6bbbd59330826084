package fakeregistry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Blob opens a blob of a repository, whatever faults are set. The caller closes it.
//
// Errors: ErrNotStored.
func (s *Storage) Blob(repository string, d digest.Digest) (io.ReadCloser, int64, error) {
	s.mu.RLock()
	var c *content
	if r := s.repos[repository]; r != nil {
		c = s.content[r.blobs[d]]
	}
	s.mu.RUnlock()
	if c == nil {
		return nil, 0, notStored("blob", d.String(), repository)
	}
	r, err := c.bytes.open()
	return r, c.size, err
}

// Blobs lists the digests that a repository links to as blobs, in order.
func (s *Storage) Blobs(repository string) []digest.Digest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		return slices.Sorted(maps.Keys(r.blobs))
	}
	return nil
}

// PutBlob stores what r gives as a blob of a repository, whatever faults are set:
// it is how a blob is already there before a push begins. Repository and blob
// may exist.
//
// Errors: r's; ErrClosed; the operating system's when blobs are on disk.
func (s *Storage) PutBlob(repository string, r io.Reader) (digest.Digest, int64, error) {
	f, err := s.newFile()
	if err != nil {
		return "", 0, err
	}
	digester := digest.SHA256.Digester()
	var size int64
	for {
		buf := f.next(-1)
		n, rerr := r.Read(buf)
		digester.Hash().Write(buf[:n])
		size += int64(n)
		if n > 0 {
			if err := f.grow(n); err != nil {
				return "", size, err
			}
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			f.remove()
			return "", size, rerr
		}
	}
	if err := f.finish(); err != nil {
		return "", size, err
	}
	d := digester.Digest()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", 0, ErrClosed
	}
	if s.content[d] == nil {
		s.content[d] = &content{bytes: f, size: size}
	} else {
		f.remove()
	}
	s.repository(repository).blobs[d] = d
	return d, size, nil
}

// StatContent is the size of the bytes of d, whoever links to them.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) StatContent(ctx context.Context, d digest.Digest) (int64, error) {
	if err := s.ask(ctx, Access{Op: StorageStat, Digest: d}); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.content[d]; c != nil {
		return c.size, nil
	}
	return 0, notStored("content", d.String(), "")
}

// OpenContent reads the bytes of d, whoever links to them. The caller closes it.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) OpenContent(ctx context.Context, d digest.Digest) (io.ReadSeekCloser, int64, error) {
	if err := s.ask(ctx, Access{Op: StorageRead, Digest: d}); err != nil {
		return nil, 0, err
	}
	s.mu.RLock()
	c := s.content[d]
	s.mu.RUnlock()
	if c == nil {
		return nil, 0, notStored("content", d.String(), "")
	}
	r, err := c.bytes.open()
	return r, c.size, err
}

// PutContent stores the bytes of a manifest, or of an empty blob, under d without
// checking that this is their digest and without linking to them. Bytes that are
// there already stay.
//
// Errors: the hook's; ErrClosed.
func (s *Storage) PutContent(ctx context.Context, d digest.Digest, b []byte) error {
	if settled, err := s.settle(ctx, Access{Op: StorageManifest, Digest: d, Length: int64(len(b))}); settled {
		return err
	}
	return s.putContent(d, b)
}

func (s *Storage) putContent(d digest.Digest, b []byte) error {
	if err := s.reserve(len(b)); err != nil {
		return err
	}
	f, err := s.newFile()
	if err != nil {
		return err
	}
	for rest := b; len(rest) > 0; {
		n := copy(f.next(int64(len(rest))), rest)
		if err := f.grow(n); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := f.finish(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.content[d] != nil {
		f.remove()
		return nil
	}
	s.content[d] = &content{bytes: f, size: int64(len(b))}
	return nil
}

// readContent is a manifest's bytes.
func (s *Storage) readContent(ctx context.Context, d digest.Digest) ([]byte, error) {
	if err := s.ask(ctx, Access{Op: StorageRead, Digest: d}); err != nil {
		return nil, err
	}
	return s.loadContent(d)
}

// loadContent is readContent without asking hooks.
func (s *Storage) loadContent(d digest.Digest) ([]byte, error) {
	s.mu.RLock()
	c := s.content[d]
	s.mu.RUnlock()
	if c == nil {
		return nil, notStored("content", d.String(), "")
	}
	r, err := c.bytes.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(c.size))
	_, err = r.WriteTo(&b)
	return b.Bytes(), err
}

// Link makes the bytes of stored a blob of a repository under the name d, which
// is the same unless d is of another algorithm.
//
// Errors: the hook's; ErrClosed.
func (s *Storage) Link(ctx context.Context, repository string, d, stored digest.Digest) error {
	if settled, err := s.settle(ctx, Access{Op: StorageLink, Repository: repository, Digest: d}); settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.repository(repository).blobs[d] = stored
	return nil
}

// Linked resolves a blob of a repository to the digest of its bytes. The bytes
// may be gone: see StatContent.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) Linked(ctx context.Context, repository string, d digest.Digest) (digest.Digest, error) {
	if err := s.ask(ctx, Access{Op: StorageStat, Repository: repository, Digest: d}); err != nil {
		return "", err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		if stored, ok := r.blobs[d]; ok {
			return stored, nil
		}
	}
	return "", notStored("blob", d.String(), repository)
}

// Unlink takes a blob out of a repository; its bytes stay.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) Unlink(ctx context.Context, repository string, d digest.Digest) error {
	if settled, err := s.settle(ctx, Access{Op: StorageUnlink, Repository: repository, Digest: d}); settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[repository]; r != nil {
		if _, ok := r.blobs[d]; ok {
			delete(r.blobs, d)
			return nil
		}
	}
	return notStored("blob", d.String(), repository)
}
