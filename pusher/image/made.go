package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/opencontainers/go-digest"
)

// emptyTar is the length of a tar without entries, bytes: two blocks of zeros.
const emptyTar = 1024

// A Recipe says what a made-up image is made of. The same recipe gives the same
// bytes on every machine.
type Recipe struct {
	Layers []int64 // tar payload sizes in bytes, bottom first; 0 is a layer without changes
	Seed   uint64
	// Same, when not nil, gives for layer i the index of an earlier layer whose
	// content it repeats; -1 for content of its own.
	Same []int
}

// A content is what a made-up layer's tar holds: one file of so many bytes that
// do not compress. Size 0 is the tar without entries.
type content struct {
	Seed  uint64 `json:"seed"`
	Index int    `json:"index"` // of the layer whose content it is, bottom 0
	Size  int64  `json:"size"`  // bytes
}

// Make makes an image up and returns the IDs of its layers, bottom first. Large
// layers are produced when they are read, not kept. It takes the time of hashing
// them once.
//
// The image has a config, of the docker media type, and no manifest.
func (s *Store) Make(ctx context.Context, r Recipe) ([]string, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("made-up image: %w", err)
	}
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	var parts []part
	for i := range r.Layers {
		c := r.content(i, i, parts)
		hash := sha256.New()
		n, err := io.Copy(hash, contextReader{ctx, c.tar()})
		if err != nil {
			return nil, fmt.Errorf("made-up image: %w", err)
		}
		parts = append(parts, part{diffID: digest.NewDigest(digest.SHA256, hash), size: n, made: &c})
	}
	config, err := r.config(parts)
	if err != nil {
		return nil, err
	}
	file, err := b.keep(ctx, config)
	if err != nil {
		return nil, err
	}
	descriptor := Descriptor{MediaType: mediaDockerConfig, Digest: file.digest, Size: file.size}
	ids, err := b.addImage(imageSource{config: config, origin: Origin{Config: descriptor}, parts: parts})
	if err != nil {
		return nil, fmt.Errorf("made-up image: %w", err)
	}
	return ids, b.publish(ctx)
}

// content is that of layer i, which has one of its own of that index unless it repeats
// that of a layer below.
func (r Recipe) content(i, index int, below []part) content {
	if r.Same != nil && r.Same[i] >= 0 {
		return *below[r.Same[i]].made
	}
	return content{Seed: r.Seed, Index: index, Size: r.Layers[i]}
}

func (r Recipe) check() error {
	if len(r.Layers) == 0 {
		return fmt.Errorf("it has no layers; give at least one size")
	}
	if r.Same != nil && len(r.Same) != len(r.Layers) {
		return fmt.Errorf("%d layers, but Same has %d entries", len(r.Layers), len(r.Same))
	}
	for i, size := range r.Layers {
		if size < 0 {
			return fmt.Errorf("layer %d: its size is %d bytes", i, size)
		}
		if r.Same == nil {
			continue
		}
		if same := r.Same[i]; same >= i || same < -1 {
			return fmt.Errorf("layer %d: it repeats layer %d; only an earlier one can be repeated, -1 is none", i, same)
		}
	}
	return nil
}

// madeAt is when made-up images were created: the release of docker 1.8.3.
var madeAt = time.Date(2015, 10, 12, 10, 0, 0, 0, time.UTC)

// config is the image config of a made-up image.
func (r Recipe) config(parts []part) ([]byte, error) {
	c := imageConfig{Architecture: "amd64", OS: "linux", Created: madeAt}
	c.RootFS.Type = "layers"
	for i, p := range parts {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, p.diffID)
		c.History = append(c.History, historyEntry{
			Created:   madeAt,
			CreatedBy: fmt.Sprintf("pushcheck: %d bytes of seed %d, layer %d", p.made.Size, r.Seed, i),
		})
	}
	return json.Marshal(c)
}

// tar is the content as a tar. It costs the same memory whatever its size.
func (c content) tar() io.Reader {
	if c.Size == 0 {
		return bytes.NewReader(make([]byte, emptyTar))
	}
	var header bytes.Buffer
	w := tar.NewWriter(&header)
	// Nothing can go wrong: the name is short, the buffer takes all.
	_ = w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: fmt.Sprintf("layer-%d", c.Index), Size: c.Size, Mode: 0o644, ModTime: madeAt,
	})
	return io.MultiReader(&header, io.LimitReader(c.bytes(), c.Size),
		bytes.NewReader(make([]byte, -c.Size&511+emptyTar)))
}

// bytes are the endless bytes that a layer's file is cut from.
func (c content) bytes() io.Reader {
	var seed [32]byte
	copy(seed[:], "pushcheck")
	binary.BigEndian.PutUint64(seed[16:], c.Seed)
	binary.BigEndian.PutUint64(seed[24:], uint64(c.Index))
	return rand.NewChaCha8(seed)
}
