package pusher

import (
	"encoding/json"

	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// The media types of schema 2 (P-371), and of schema 1 where it is named (P-377).
const (
	mediaSchema2 = mediatype.Schema2
	mediaConfig  = mediatype.Config
	mediaLayer   = mediatype.Layer
	mediaSigned  = mediatype.Schema1Signed
)

// A descriptor is how schema 2 writes one; the order of the fields is that of the
// keys (P-371).
type descriptor struct {
	MediaType string   `json:"mediaType,omitempty"`
	Size      int64    `json:"size,omitempty"`
	Digest    string   `json:"digest,omitempty"`
	URLs      []string `json:"urls,omitempty"`
}

func newDescriptor(d image.Descriptor) descriptor {
	return descriptor{MediaType: d.MediaType, Size: d.Size, Digest: d.Digest.String(), URLs: d.URLs}
}

// encodeSchema2 writes a manifest as docker does, byte for byte (P-371). Layers are
// bottom first.
func encodeSchema2(config image.Descriptor, layers []image.Descriptor) ([]byte, error) {
	m := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{SchemaVersion: 2, MediaType: mediaSchema2, Config: newDescriptor(config), Layers: []descriptor{}}
	for _, l := range layers {
		m.Layers = append(m.Layers, newDescriptor(l))
	}
	return json.MarshalIndent(m, "", "   ")
}
