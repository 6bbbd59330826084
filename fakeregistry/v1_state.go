package fakeregistry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// A V1Image is the state of one image in a V1 registry.
type V1Image struct {
	ID       string
	Parent   string // "" of a base image
	JSON     []byte // as it was pushed; not to be changed
	Size     int64  // of the layer, in bytes
	Checksum string // payload checksum that the registry computed: "sha256:…"; "" before the layer
	Tarsum   string // that the client sent and the registry verified; "" if none
	Complete bool   // JSON, layer and a checksum that fits
}

// Image is the state of an image; ok is false when its JSON was never pushed.
func (v *V1) Image(id string) (image V1Image, ok bool) {
	i, err := v.image(id)
	if err != nil {
		return V1Image{}, false
	}
	return V1Image{
		ID: i.id, Parent: i.parent, JSON: i.json, Size: i.size,
		Checksum: i.checksum, Tarsum: i.tarsum, Complete: !i.uploading,
	}, true
}

// Images lists the IDs of all images whose JSON was pushed, in order.
func (v *V1) Images() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.images))
}

// Tags is a copy of a repository's tags, each with its image's ID; nil when the
// repository was never heard of.
func (v *V1) Tags(repository string) map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.repos[v1Name(repository)]
	if r == nil {
		return nil
	}
	return maps.Clone(r.tags)
}

// Verify checks that a tag's image and all its ancestors are complete and that the
// stored layers have their checksums.
//
// Errors: every image that is not as it should be, joined.
func (v *V1) Verify(repository, tag string) error {
	id, ok := v.Tags(repository)[tag]
	if !ok {
		return fmt.Errorf("v1 repository %s has no tag %s", repository, tag)
	}
	var errs []error
	for seen := map[string]bool{}; id != "" && !seen[id]; {
		seen[id] = true
		i, ok := v.Image(id)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("v1 image %s is not there", id))
		case !i.Complete:
			errs = append(errs, fmt.Errorf("v1 image %s is not complete", id))
		default:
			if err := v.verifyLayer(i); err != nil {
				errs = append(errs, err)
			}
		}
		id = i.Parent
	}
	return errors.Join(errs...)
}

func (v *V1) verifyLayer(i V1Image) error {
	known, err := v.image(i.ID)
	if err != nil {
		return err
	}
	layer, _, err := v.storage.Blob(LayerRepository(i.ID), known.layer)
	if err != nil {
		return fmt.Errorf("layer of v1 image %s: %w", i.ID, err)
	}
	defer layer.Close()
	sum := sha256.New()
	sum.Write(i.JSON)
	sum.Write([]byte("\n"))
	if _, err := io.Copy(sum, layer); err != nil {
		return fmt.Errorf("layer of v1 image %s: %w", i.ID, err)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != i.Checksum {
		return fmt.Errorf("layer of v1 image %s has checksum %s, want %s", i.ID, got, i.Checksum)
	}
	return nil
}

// PutImage stores a complete image, as if it had been pushed, for what is already
// there before a push begins. Its parent need not exist. The JSON must have an id.
//
// Errors: a JSON without one; layer's; the storage's.
func (v *V1) PutImage(document []byte, layer io.Reader) error {
	id, parent, err := imageIdentity(document)
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(document)
	sum.Write([]byte("\n"))
	d, size, err := v.storage.PutBlob(LayerRepository(id), io.TeeReader(layer, sum))
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.images[id] = &v1Image{
		id: id, parent: parent, json: document, pushed: v.clock.Now(),
		layer: d, size: size, checksum: "sha256:" + hex.EncodeToString(sum.Sum(nil)),
	}
	return nil
}

// PutTag sets a tag to an image, which need not exist.
func (v *V1) PutTag(repository, tag, imageID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.repository(repository).tags[tag] = imageID
}
