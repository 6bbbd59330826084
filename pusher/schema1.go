package pusher

import (
	"encoding/json"
	"fmt"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// A schema1Layer is what a schema 1 manifest says of one layer.
type schema1Layer struct {
	Digest digest.Digest // of the blob as the registry has it
	V1JSON []byte        // the layer's v1Compatibility, byte for byte
}

// A schema1Signed is a signed manifest, with the digest and the length in bytes
// of its payload (P-287).
type schema1Signed struct {
	Bytes  []byte
	Digest digest.Digest
	Size   int64
}

// signSchema1 builds the manifest of one tag and signs it. Layers are top first;
// the architecture is the top layer's (P-220). The name is the remote name
// (P-055).
func signSchema1(name, tag string, layers []schema1Layer, key libtrust.PrivateKey) (schema1Signed, error) {
	m := schema1.Manifest{SchemaVersion: 1, Name: name, Tag: tag}
	for i, l := range layers {
		if i == 0 {
			m.Architecture = architecture(l.V1JSON)
		}
		m.FSLayers = append(m.FSLayers, schema1.FSLayer{BlobSum: l.Digest})
		m.History = append(m.History, schema1.History{V1Compatibility: string(l.V1JSON)})
	}
	unsigned, err := m.Encode()
	if err != nil {
		return schema1Signed{}, fmt.Errorf("manifest of %s:%s: %w", name, tag, err)
	}
	signed, err := schema1.Sign(unsigned, key)
	if err != nil {
		return schema1Signed{}, fmt.Errorf("manifest of %s:%s: %w", name, tag, err)
	}
	s := schema1Signed{Bytes: signed}
	s.Digest, s.Size = schema1.Digest(signed)
	return s, nil
}

// architecture is what an image JSON says of it, "" when it says nothing.
func architecture(v1JSON []byte) string {
	var image struct {
		Architecture string `json:"architecture"`
	}
	if json.Unmarshal(v1JSON, &image) != nil {
		return ""
	}
	return image.Architecture
}
