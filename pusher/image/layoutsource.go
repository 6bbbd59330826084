package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ErrNotLayout means that a folder is no OCI layout, or more than one: a "docker
// save" archive that was unpacked names its images twice. Load takes both.
var ErrNotLayout = errors.New("not an OCI layout")

// OpenLayout opens the images of the OCI layout in a folder where they lie: nothing
// is copied, and of what they are made of only the JSON is read and verified. Whoever
// sends a layer verifies it (OpenUnverified), or reads it through OpenBlob, which does.
// The store is in memory and is for those who send images as they are stored: an image
// in it has one layer that holds nothing, not a chain of what its config names.
// It belongs to the caller, who closes it after the last read from it.
//
// Errors: ErrNotLayout; *LoadError when something is wrong with the layout; ctx's.
func OpenLayout(ctx context.Context, folderPath string) (*Store, []Loaded, error) {
	root, err := os.OpenRoot(folderPath)
	if err != nil {
		return nil, nil, err
	}
	m := newMemory()
	o := over{m, &layoutFolder{Root: root, blobs: map[string]*os.Root{}}}
	s := &Store{name: "layout " + folderPath, bound: defaultBounds, layout: o.layout, disk: disk{files: o, changes: m}}
	_ = s.prepare() // there is nothing that could go wrong with an empty memory
	loaded, err := s.loadLayoutInPlace(ctx, folderPath)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, loaded, nil
}

func (s *Store) loadLayoutInPlace(ctx context.Context, name string) ([]Loaded, error) {
	_, indexErr := s.layout.Stat(v1.ImageIndexFile)
	_, savedErr := s.layout.Stat("manifest.json")
	if indexErr != nil || savedErr == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNotLayout)
	}
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	return s.loadTree(ctx, &source{name: name, batch: b, tree: &folder{source: name, root: s.layout.Root, batch: b, files: map[string]stagedFile{}}})
}

// A layoutFolder is the folder of a layout. It is safe for concurrent use.
type layoutFolder struct {
	*os.Root
	mu    sync.Mutex          // guards blobs
	blobs map[string]*os.Root // of each algorithm, once it was asked for
}

// at is a root that is near to a blob, and the blob's name in it: to walk there from
// the top takes three steps for every blob.
func (f *layoutFolder) at(name string) (*os.Root, string) {
	dir, file := path.Split(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	near, ok := f.blobs[dir]
	if !ok {
		near, _ = f.OpenRoot(path.Clean(dir)) // where there is none, the top says why
		f.blobs[dir] = near
	}
	if near == nil {
		return f.Root, name
	}
	return near, file
}

// Close implements io.Closer.
func (f *layoutFolder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.Root.Close()
	for _, near := range f.blobs {
		if near != nil {
			err = errors.Join(err, near.Close())
		}
	}
	return err
}

// blob opens a blob by its name in the layout, and stat looks at it.
func (f *layoutFolder) blob(name string) (*os.File, error) {
	near, file := f.at(name)
	return near.Open(file)
}

func (f *layoutFolder) stat(name string) (fs.FileInfo, error) {
	near, file := f.at(name)
	return near.Stat(file)
}

// over is a memory over the blobs of a layout.
type over struct {
	*memory
	layout *layoutFolder
}

// Open implements fs.FS. What comes from the layout is an *os.File.
func (o over) Open(name string) (fs.File, error) {
	f, err := o.memory.Open(name)
	if err == nil || !strings.HasPrefix(name, "blobs/") {
		return f, err
	}
	file, err := o.layout.blob(name)
	if err != nil { // a nil *os.File would be an fs.File
		return nil, err
	}
	return file, nil
}

// Stat implements fs.StatFS.
func (o over) Stat(name string) (fs.FileInfo, error) {
	if strings.HasPrefix(name, "blobs/") {
		if info, err := o.layout.stat(name); err == nil {
			return info, nil
		}
	}
	f, err := o.memory.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// unread is a layer that stays where it is: it is there, and as long as its
// descriptor says.
//
// Errors: *absentError.
func (l *layoutLoad) unread(manifest string, d Descriptor, diffID digest.Digest) (part, error) {
	for _, one := range []digest.Digest{d.Digest, diffID} {
		if err := l.checkDigest(manifest, one); err != nil {
			return part{}, err
		}
	}
	name := blobName(d.Digest)
	info, err := l.batch.store.layout.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return part{}, l.absent(manifest, d.Digest)
	case err != nil:
		return part{}, &LoadError{Source: l.name, Entry: name, Problem: "it cannot be read", Advice: "make it a file within the folder that you may read", Err: err}
	case !info.Mode().IsRegular():
		return part{}, l.fail(name, fmt.Sprintf("it is not a file: its mode is %s", info.Mode()), adviceRebuild)
	case info.Size() != d.Size:
		return part{}, l.fail(name, fmt.Sprintf("it has %d bytes, but %s says %d", info.Size(), manifest, d.Size), adviceAgain)
	}
	return part{diffID: diffID, blob: &d}, nil
}

// addUnread adds an image of a layout that stays where it is, under an ID of its own.
// Which layers it has is in its manifest; nothing has to be kept for it.
func (l *layoutLoad) addUnread(o Origin) []string {
	o.Layers = nil
	return []string{l.batch.addWhole(o.Manifest.Digest, o)}
}
