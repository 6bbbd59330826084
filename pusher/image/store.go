// Package image keeps local images on disk as docker 1.8 kept them: layers with
// an ID, a parent and their V1 JSON, tags, and a digest cache; and loads them
// from archives, layouts, or out of nothing.
//
// A store is one directory:
//
//	graph/<id>/json        the layer's V1 JSON, byte for byte
//	graph/<id>/record      its parent, diff ID, size, and where its tar comes from
//	graph/<id>/checksum    its entry of the digest cache, as docker 1.8 had it
//	graph/<id>/origins     config and manifests, where it is the top of an image
//	blobs/<algorithm>/<hex>  tars, compressed layers, configs and manifests
//	repositories           {name: {tag: id}}
//	contents               {name: {tag: digest}}, of tags that stand for an index or a manifest
//	tmp/                   what is being loaded or deleted at the moment
//	lock                   held by the process that has the store open
package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"
)

// Errors that a Store returns, wrapped with what and where.
var (
	ErrNoLayer      = errors.New("no such layer")
	ErrNoRepository = errors.New("no such repository")
	ErrNoTag        = errors.New("no such tag")
	ErrNoBlob       = errors.New("no such blob")
	ErrNoContent    = errors.New("the image did not come with that content")
	// ErrNoConfig means that the image came without a config: its source was an
	// archive of a docker before 1.10.
	ErrNoConfig = errors.New("the image has no config")
	// ErrNoDigest means that the digest cache has no entry: the layer is uploaded
	// without asking whether it exists (P-194).
	ErrNoDigest = errors.New("digest is not set for layer")
	// ErrInUse means that a tag or another layer needs the layer, or that another
	// process or another Store has the directory open.
	ErrInUse = errors.New("in use")
)

// A Store holds images below one directory, or in memory. It is safe for
// concurrent use by this process. On disk it survives being killed at any moment:
// what was complete is there at the next Open, what was not is gone. It writes
// without waiting for the disk; what a power cut tears is found when it is read, by
// its digest.
type Store struct {
	name    string // for errors: "store /var/lib/images"
	disk    disk
	bound   bounds
	lock    *flock.Flock  // nil in memory
	layout  *layoutFolder // whose blobs are the store's too; nil for none (OpenLayout)
	folders atomic.Int64  // so many were made below tmp, for their names

	// mu guards tags, contents, and graph and blobs on disk: whoever publishes or deletes
	// holds it for writing, whoever opens or reads a few of their files for reading.
	mu       sync.RWMutex
	tags     map[string]map[string]string        // repository → tag → layer ID
	contents map[string]map[string]digest.Digest // repository → tag → index or manifest, where it stands for one
}

// Open opens the store in dir, which is made if it is not there, and clears away
// what a killed process left half done. One Store at a time has a directory open.
//
// Errors: ErrInUse.
func Open(dir string) (*Store, error) { return open(dir, nil) }

func open(dir string, hook func(op, name string) error) (*Store, error) {
	s := &Store{
		name: "store " + dir, bound: defaultBounds,
		disk: disk{files: os.DirFS(dir), changes: directory(dir), hook: hook},
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s.fail(err)
	}
	s.lock = flock.New(filepath.Join(dir, "lock"))
	switch locked, err := s.lock.TryLock(); {
	case err != nil:
		return nil, s.fail(err)
	case !locked:
		return nil, s.fail(fmt.Errorf("%w by another process; wait for it or use another directory", ErrInUse))
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(s.fail(err), s.lock.Close())
	}
	return s, nil
}

// InMemory makes an empty store that lies on no disk and is gone with the process:
// for tests and scenarios with many stores of small images. It holds what is loaded
// into it; made-up layers cost it as little as any store.
func InMemory() *Store {
	m := newMemory()
	s := &Store{name: "store in memory", bound: defaultBounds, disk: disk{files: m, changes: m}}
	_ = s.prepare() // there is nothing that could go wrong with an empty memory
	return s
}

// prepare makes the folders, reads the tags, and finishes interrupted work: as
// long as tmp holds something, blobs may be there that nothing refers to.
func (s *Store) prepare() error {
	for _, name := range []string{"graph", "blobs", "tmp"} {
		if err := s.disk.changes.mkdir(name); err != nil {
			return err
		}
	}
	if err := s.readTags(); err != nil {
		return err
	}
	if err := s.readContents(); err != nil {
		return err
	}
	left, err := fs.ReadDir(s.disk.files, "tmp")
	if err != nil || len(left) == 0 {
		return err
	}
	if err := s.sweep(); err != nil {
		return err
	}
	for _, entry := range left {
		if err := s.disk.removeAll(join("tmp", entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Close lets another process have the directory. Readers that it handed out stay
// valid; the Store's methods are not called afterwards.
func (s *Store) Close() error {
	if s.layout != nil {
		return s.layout.Close()
	}
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// fail is an error of the store itself.
func (s *Store) fail(err error) error { return fmt.Errorf("%s: %w", s.name, err) }

// newFolder makes a folder below tmp. Its name is new: tmp is empty at Open.
func (s *Store) newFolder(what string) (string, error) {
	name := join("tmp", fmt.Sprintf("%s-%d", what, s.folders.Add(1)))
	if err := s.disk.mkdir(name); err != nil {
		return "", s.fail(err)
	}
	return name, nil
}

// validID tells whether id has the form of an image ID: 64 lower case hex digits.
func validID(id string) bool {
	if len(id) != 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
