package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

// Media types of what images are made of.
const (
	mediaDockerIndex    = mediatype.List
	mediaDockerManifest = mediatype.Schema2
	mediaDockerConfig   = mediatype.Config
	mediaDockerLayer    = mediatype.Layer
	mediaOCIIndex       = "application/vnd.oci.image.index.v1+json"
	mediaOCIArtifact    = "application/vnd.oci.artifact.manifest.v1+json" // drafted for image-spec 1.1, and dropped
	mediaOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	mediaOCIConfig      = "application/vnd.oci.image.config.v1+json"
	mediaOCILayer       = "application/vnd.oci.image.layer.v1.tar"
	mediaDockerForeign  = mediatype.ForeignLayer
	mediaOCIForeign     = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
)

// An Origin is an image as it was where it came from. All its bytes can be had
// from Store.OpenBlob as they were.
type Origin struct {
	Config   Descriptor   `json:"config"`
	Manifest *Descriptor  `json:"manifest,omitempty"` // nil when the source had none
	Layers   []Descriptor `json:"layers,omitempty"`   // of Manifest, bottom first
	Platform string       `json:"platform,omitempty"` // "linux/amd64", "linux/arm64/v8"; "" when nothing says
	Index    *Index       `json:"index,omitempty"`    // that it came with; nil when it came alone
	Artifact bool         `json:"artifact,omitempty"` // it is no image: Loaded.Artifact
}

// Origins are the ways in which the image with that top layer came into the
// store, oldest first: more than one when the same image came with a docker and
// with an OCI manifest. Empty when it came without a config.
//
// Errors: ErrNoLayer.
func (s *Store) Origins(id string) ([]Origin, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.record(id); err != nil {
		return nil, err
	}
	return s.origins(id)
}

// Config is the config of the image with that top layer. Open it with OpenBlob.
//
// Errors: ErrNoLayer, ErrNoConfig.
func (s *Store) Config(id string) (Descriptor, error) {
	origins, err := s.Origins(id)
	if err != nil {
		return Descriptor{}, err
	}
	if len(origins) == 0 {
		return Descriptor{}, fmt.Errorf("layer %s: %w", id, ErrNoConfig)
	}
	return origins[0].Config, nil
}

// origins reads the origins of a layer that is there. The caller holds mu.
func (s *Store) origins(id string) ([]Origin, error) {
	data, err := fs.ReadFile(s.disk.files, join("graph", id, "origins"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", id, err)
	}
	var origins []Origin
	if err := json.Unmarshal(data, &origins); err != nil {
		return nil, fmt.Errorf("layer %s: its origins are damaged; delete the layer and load it again: %w", id, err)
	}
	return origins, nil
}

// refer adds the blobs that an origin needs.
func (o Origin) refer(need map[digest.Digest]bool) {
	if o.Config.Digest != "" { // an artifact may have none
		need[o.Config.Digest] = true
	}
	if o.Manifest != nil {
		need[o.Manifest.Digest] = true
	}
	for _, l := range o.Layers {
		if len(l.URLs) == 0 {
			need[l.Digest] = true
		}
	}
	if o.Index != nil {
		need[o.Index.Digest] = true
		for _, d := range o.Index.Blobs {
			need[d] = true
		}
	}
}

// refer adds the blob that a layer's tar is read from, if any.
func (r record) refer(need map[digest.Digest]bool) {
	switch {
	case r.Made != nil:
	case r.Blob != nil && r.Absent: // it lives elsewhere
	case r.Blob != nil:
		need[r.Blob.Digest] = true
	default:
		need[r.DiffID] = true
	}
}
