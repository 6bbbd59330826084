package fakeregistry

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
)

// A Storage keeps a registry's bytes in chunks, in memory or on disk, under
// both our own V2 and distribution's. Storage faults strike in it. It is safe
// for concurrent use.
//
// Bytes are kept once per digest; a repository links to them. What nothing links
// to any more is kept until Delete, Close, or forever in a registry that never
// collects garbage.
//
// Make one with NewStorage. Whoever made it closes it.
type Storage struct {
	dir  string // own folder; "" in memory
	hook atomic.Pointer[Hook]
	seed atomic.Uint64
	ids  atomic.Uint64 // upload sessions so far

	mu      sync.RWMutex // guards the maps, and what the repositories hold
	content map[digest.Digest]*content
	repos   map[string]*repository
	bounds  bounds
	closed  bool
}

// content is bytes that are complete and never change, but for Corrupt.
type content struct {
	bytes file
	size  int64
}

// A repository is what one name links to.
type repository struct {
	blobs     map[digest.Digest]digest.Digest // as named → as stored (sha512 names link to sha256 bytes)
	manifests map[digest.Digest]*ManifestInfo
	tags      map[string]digest.Digest
	tagged    bool // whether anything was ever tagged
	uploads   map[string]*Upload
}

// NewStorage makes a storage; dir "" keeps everything in memory. Otherwise blobs
// are files in a new folder below dir, which must exist; Close removes it.
func NewStorage(dir string) (*Storage, error) {
	s := newMemoryStorage()
	if dir == "" {
		return s, nil
	}
	own, err := os.MkdirTemp(dir, "storage-")
	if err != nil {
		return nil, err
	}
	s.dir = own
	return s, nil
}

func newMemoryStorage() *Storage {
	return &Storage{content: map[digest.Digest]*content{}, repos: map[string]*repository{}}
}

// SetSeed decides the names of upload sessions: storages with equal seeds give
// out the same names in the same order.
func (s *Storage) SetSeed(seed uint64) { s.seed.Store(seed) }

// Close forgets everything and removes the storage's files. Upload sessions
// fail from then on. It may be called more than once.
func (s *Storage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, r := range s.repos {
		for _, u := range r.uploads {
			u.ended.Store(true) // its last request, if any, lets go of the file
		}
	}
	s.content, s.repos = map[digest.Digest]*content{}, map[string]*repository{}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// repository finds or makes a repository. s.mu is held for writing.
func (s *Storage) repository(name string) *repository {
	r := s.repos[name]
	if r == nil {
		r = &repository{
			blobs:     map[digest.Digest]digest.Digest{},
			manifests: map[digest.Digest]*ManifestInfo{},
			tags:      map[string]digest.Digest{},
			uploads:   map[string]*Upload{},
		}
		s.repos[name] = r
	}
	return r
}

// Repositories lists the names of all repositories in which something was ever
// stored, in order.
func (s *Storage) Repositories() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.repos))
	for name := range s.repos {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Delete removes what is stored of a blob or manifest in a repository, behind
// everybody's back, as garbage collection does: bytes, link and, of a manifest,
// tags. Bytes that another repository links to stay for that one. It reports
// whether anything was there.
func (s *Storage) Delete(repository string, d digest.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	if r == nil {
		return false
	}
	stored, isBlob := r.blobs[d]
	_, isManifest := r.manifests[d]
	if !isBlob && !isManifest {
		return false
	}
	if !isBlob {
		stored = d
	}
	delete(r.blobs, d)
	delete(r.manifests, d)
	for tag, td := range r.tags {
		if td == d {
			delete(r.tags, tag)
		}
	}
	s.dropUnlinked(stored)
	return true
}

// dropUnlinked forgets bytes that no repository links to. s.mu is held for writing.
func (s *Storage) dropUnlinked(d digest.Digest) {
	for _, r := range s.repos {
		if _, ok := r.manifests[d]; ok {
			return
		}
		for _, stored := range r.blobs {
			if stored == d {
				return
			}
		}
	}
	if c := s.content[d]; c != nil {
		delete(s.content, d)
		c.bytes.remove()
	}
}

// Corrupt changes one bit of the stored bytes of a blob, as a bad disk does. It
// reports whether there was one to change.
func (s *Storage) Corrupt(repository string, d digest.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	if r == nil {
		return false
	}
	stored, ok := r.blobs[d]
	if _, isManifest := r.manifests[d]; isManifest && !ok {
		stored = d
	}
	c := s.content[stored]
	if c == nil || c.size == 0 {
		return false
	}
	changed, err := c.bytes.flip(c.size / 2)
	if err != nil {
		return false
	}
	s.content[stored] = &content{bytes: changed, size: c.size}
	return true
}

// OpenUploads counts the upload sessions that were neither committed nor
// cancelled, in a repository or, with "", in all.
func (s *Storage) OpenUploads(repository string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := 0
	for name, r := range s.repos {
		if repository == "" || name == repository {
			n += len(r.uploads)
		}
	}
	return n
}

// DropUploads ends upload sessions behind everybody's back, in a repository or,
// with "", in all: as a restart does, or a purge of stale uploads. It returns
// how many there were.
func (s *Storage) DropUploads(repository string) int {
	s.mu.RLock()
	var open []*Upload
	for name, r := range s.repos {
		if repository == "" || name == repository {
			open = slices.AppendSeq(open, maps.Values(r.uploads))
		}
	}
	s.mu.RUnlock()
	for _, u := range open {
		u.Cancel()
	}
	return len(open)
}

// Stored is how many bytes the blobs and manifests have, each digest once.
func (s *Storage) Stored() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var n int64
	for _, c := range s.content {
		n += c.size
	}
	return n
}
