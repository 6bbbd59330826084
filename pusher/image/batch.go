package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"reflect"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// A batch is what a load or Make is about to bring into the store. It lies in a
// folder of its own below tmp until publish moves it, so that whatever fails
// before leaves the store as it was.
//
// publish moves blobs first, then layers from the base up, then tags: at any
// moment a layer that is there has all it needs, and so has a tag. While the
// folder is there, the next Open looks for blobs that nothing refers to.
type batch struct {
	store    *Store
	dir      string
	files    int                      // so many were made, for their names
	staged   map[digest.Digest]string // blob → path in dir
	layers   []stagedLayer            // parents before children
	byID     map[string]int           // index in layers
	origins  map[string][]Origin      // by ID of the top layer
	taggings []tagging
}

// A stagedLayer is a layer of a batch.
type stagedLayer struct {
	id      string
	v1      []byte
	rec     record
	derived bool // its ID was made here, of its content: other V1 JSON is no conflict
}

// A stagedFile is a file of a batch.
type stagedFile struct {
	path   string
	digest digest.Digest // sha256
	size   int64         // bytes
}

// A part is the content of a layer that a config names.
type part struct {
	diffID digest.Digest
	size   int64       // of the uncompressed tar, bytes
	blob   *Descriptor // nil for a plain tar
	made   *content    // nil unless made up
	absent bool        // blob has URLs, and the source not its bytes
}

// An imageSource is an image that has a config.
type imageSource struct {
	config []byte
	origin Origin
	parts  []part // bottom first, one per diff ID
}

func (s *Store) begin() (*batch, error) {
	dir, err := s.newFolder("load")
	if err != nil {
		return nil, err
	}
	return &batch{
		store: s, dir: dir,
		staged: map[digest.Digest]string{}, byID: map[string]int{}, origins: map[string][]Origin{},
	}, nil
}

// discard removes the batch's folder.
func (b *batch) discard() { _ = b.store.disk.removeAll(b.dir) }

// newPath is a path in the batch's folder that nobody else uses.
func (b *batch) newPath() string {
	b.files++
	return join(b.dir, strconv.Itoa(b.files))
}

// spool copies r into a file of the batch and hashes it.
func (b *batch) spool(ctx context.Context, r io.Reader) (stagedFile, error) {
	name := b.newPath()
	f, err := b.store.disk.create(name)
	if err != nil {
		return stagedFile{}, err
	}
	hash := sha256.New()
	n, err := copyBuffered(io.MultiWriter(f, hash), contextReader{ctx, r})
	if err := errors.Join(err, f.Close()); err != nil {
		return stagedFile{}, err
	}
	file := stagedFile{path: name, digest: digest.NewDigest(digest.SHA256, hash), size: n}
	b.staged[file.digest] = name
	return file, nil
}

// keep is spool of a few bytes.
func (b *batch) keep(ctx context.Context, data []byte) (stagedFile, error) {
	return b.spool(ctx, bytes.NewReader(data))
}

// addImage adds an image's layers, with the V1 IDs that its config and its parts
// give, and returns the IDs, bottom first. A layer that its source had plain
// takes part with the digest of its tar: the digest of a compressed form would
// differ from one version of the compressor to the next, and the ID with it.
func (b *batch) addImage(src imageSource) ([]string, error) {
	digests := make([]digest.Digest, len(src.parts))
	for i, p := range src.parts {
		digests[i] = p.diffID
		if p.blob != nil {
			digests[i] = p.blob.Digest
		}
	}
	v1, err := localV1(src.config, digests)
	if err != nil {
		return nil, err
	}
	var ids []string
	parts := src.parts
	for _, l := range v1 {
		p := part{diffID: emptyDiffID, size: emptyTar, made: &content{}}
		if !l.Empty {
			p, parts = parts[0], parts[1:]
		}
		b.addLayer(stagedLayer{id: l.ID, v1: l.V1JSON, derived: true, rec: p.record(l.Parent)})
		ids = append(ids, l.ID)
	}
	b.addOrigin(ids[len(ids)-1], src.origin)
	return ids, nil
}

func (p part) record(parent string) record {
	return record{Parent: parent, DiffID: p.diffID, Size: p.size, Blob: p.blob, Made: p.made, Absent: p.absent}
}

// addLayer adds a layer unless the batch has it.
func (b *batch) addLayer(l stagedLayer) {
	if _, ok := b.byID[l.id]; ok {
		return
	}
	b.byID[l.id] = len(b.layers)
	b.layers = append(b.layers, l)
}

func (b *batch) addOrigin(id string, o Origin) {
	b.origins[id] = appendOrigin(b.origins[id], o)
}

// appendOrigin adds an origin unless it is there.
func appendOrigin(origins []Origin, o Origin) []Origin {
	for _, other := range origins {
		if reflect.DeepEqual(other, o) {
			return origins
		}
	}
	return append(origins, o)
}
