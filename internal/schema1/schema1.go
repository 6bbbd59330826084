// Package schema1 signs, verifies and takes apart schema 1 manifests as
// docker/libtrust does: what docker 1.8 sends and what a registry of its time
// checks.
//
// A signed manifest is the unsigned document with a "signatures" key put in
// before its last brace. The payload is the unsigned document, recovered byte
// for byte; the manifest's digest and size are the payload's (P-287).
package schema1

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

// The media types of schema 1. Docker 1.8 sends none at all (P-222); registries
// take a manifest without one for schema 1 (P-306).
const (
	MediaType       = mediatype.Schema1
	MediaTypeSigned = mediatype.Schema1Signed
)

// signatureKey is where a signed document keeps its signatures.
const signatureKey = "signatures"

// A Manifest is the content of a schema 1 manifest. Its field order is the
// order of the keys on the wire (P-280).
type Manifest struct {
	SchemaVersion int    `json:"schemaVersion"`
	Name          string `json:"name"`
	Tag           string `json:"tag"`
	// Architecture is the tagged image's; "" is written as well (P-220).
	Architecture string `json:"architecture"`
	// FSLayers and History go together, top layer first, base last.
	FSLayers []FSLayer `json:"fsLayers"`
	History  []History `json:"history"`
}

// An FSLayer names the blob of one layer.
type FSLayer struct {
	BlobSum digest.Digest `json:"blobSum"`
}

// A History is one layer's V1 JSON, as a string within the JSON.
type History struct {
	V1Compatibility string `json:"v1Compatibility"`
}

// Encode is the unsigned document: three blanks of indent, <, > and & escaped
// inside strings, no newline at the end (P-280). Nil lists are written as empty
// ones.
func (m Manifest) Encode() ([]byte, error) {
	if m.FSLayers == nil {
		m.FSLayers = []FSLayer{}
	}
	if m.History == nil {
		m.History = []History{}
	}
	return json.MarshalIndent(m, "", "   ")
}

// Decode reads the content of a manifest, signed or not. It checks no
// signature and takes any key it does not know, as registries do.
//
// Errors: encoding/json's, with what was read.
func Decode(document []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := json.Unmarshal(document, m); err != nil {
		return nil, fmt.Errorf("schema 1 manifest: %w", err)
	}
	return m, nil
}
