package fakeregistry

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/internal/schema1"
)

// The media types of manifests.
const (
	mediaTypeSchema1     = schema1.MediaTypeSigned
	mediaTypeSchema2     = mediatype.Schema2
	mediaTypeList        = mediatype.List
	mediaTypeOCIManifest = ocispec.MediaTypeImageManifest
	mediaTypeOCIIndex    = ocispec.MediaTypeImageIndex

	mediaTypeForeignLayer = mediatype.ForeignLayer
)

// A manifest is a manifest that was pushed, taken apart.
type manifest struct {
	format  Format
	digest  digest.Digest
	payload []byte // what the digest belongs to
	info    ManifestInfo
	version int // schemaVersion

	schema1 *schema1.Manifest    // of schema 1
	blobs   []ocispec.Descriptor // config and layers, of an image
	parts   []ocispec.Descriptor // manifests, of a list or an index
}

// parseManifest takes a manifest apart by its Content-Type. No Content-Type at
// all means schema 1, as it did before there were others (P-306).
//
// Errors: what a registry says after MANIFEST_INVALID.
func parseManifest(contentType string, body []byte) (*manifest, error) {
	mediaType := ""
	if contentType != "" {
		var err error
		if mediaType, _, err = mime.ParseMediaType(contentType); err != nil {
			return nil, err
		}
	}
	m := &manifest{payload: body, info: ManifestInfo{MediaType: mediaType}}
	var err error
	switch mediaType {
	case "", "application/json", schema1.MediaType, schema1.MediaTypeSigned:
		err = m.parseSchema1(body)
	case mediaTypeSchema2, mediaTypeOCIManifest:
		err = m.parseImage(body)
	case mediaTypeList, mediaTypeOCIIndex:
		err = m.parseIndex(body)
	default:
		err = fmt.Errorf("unsupported manifest media type and no default available: %s", mediaType)
	}
	if err != nil {
		return nil, err
	}
	m.digest = digest.FromBytes(m.payload)
	return m, nil
}

func (m *manifest) parseSchema1(signed []byte) error {
	payload, err := schema1.Payload(signed)
	if err != nil {
		return err
	}
	if m.schema1, err = schema1.Decode(payload); err != nil {
		return err
	}
	m.format, m.payload = Schema1, payload
	m.info = ManifestInfo{MediaType: mediaTypeSchema1, Signed: signed}
	return nil
}

type imageDocument struct {
	specs.Versioned
	MediaType    string               `json:"mediaType,omitempty"`
	ArtifactType string               `json:"artifactType,omitempty"`
	Config       ocispec.Descriptor   `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Subject      *ocispec.Descriptor  `json:"subject,omitempty"`
	Annotations  map[string]string    `json:"annotations,omitempty"`
	Manifests    json.RawMessage      `json:"manifests,omitempty"` // an index's, and none of an image's
}

func (m *manifest) parseImage(body []byte) error {
	var doc imageDocument
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if m.info.MediaType == mediaTypeSchema2 {
		m.format = Schema2
		if doc.MediaType != mediaTypeSchema2 {
			return fmt.Errorf("mediaType in manifest should be '%s' not '%s'", mediaTypeSchema2, doc.MediaType)
		}
	} else {
		m.format = OCI
		if present(doc.Manifests) {
			return errors.New("expected manifest but found index")
		}
		if doc.MediaType != "" && doc.MediaType != mediaTypeOCIManifest {
			return fmt.Errorf("if present, mediaType in manifest should be '%s' not '%s'", mediaTypeOCIManifest, doc.MediaType)
		}
	}
	m.version = doc.SchemaVersion
	m.blobs = append([]ocispec.Descriptor{doc.Config}, doc.Layers...)
	m.setSubject(doc.Subject, doc.ArtifactType, doc.Annotations)
	if m.info.Subject != "" && m.info.ArtifactType == "" {
		m.info.ArtifactType = doc.Config.MediaType
	}
	return nil
}

type indexDocument struct {
	specs.Versioned
	MediaType    string               `json:"mediaType,omitempty"`
	ArtifactType string               `json:"artifactType,omitempty"`
	Manifests    []ocispec.Descriptor `json:"manifests"`
	Subject      *ocispec.Descriptor  `json:"subject,omitempty"`
	Annotations  map[string]string    `json:"annotations,omitempty"`
	Config       json.RawMessage      `json:"config,omitempty"` // an image's, and none of an index's
	Layers       json.RawMessage      `json:"layers,omitempty"`
}

func (m *manifest) parseIndex(body []byte) error {
	var doc indexDocument
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if m.info.MediaType == mediaTypeList {
		m.format = Schema2
		if doc.MediaType != mediaTypeList {
			return fmt.Errorf("mediaType in manifest list should be '%s' not '%s'", mediaTypeList, doc.MediaType)
		}
	} else {
		m.format = OCI
		if present(doc.Config) || present(doc.Layers) {
			return errors.New("expected index but found manifest")
		}
		if doc.MediaType != "" && doc.MediaType != mediaTypeOCIIndex {
			return fmt.Errorf("if present, mediaType in image index should be '%s' not '%s'", mediaTypeOCIIndex, doc.MediaType)
		}
	}
	m.version = doc.SchemaVersion
	m.parts = doc.Manifests
	m.setSubject(doc.Subject, doc.ArtifactType, doc.Annotations)
	return nil
}

// setSubject notes what an OCI manifest refers to.
func (m *manifest) setSubject(subject *ocispec.Descriptor, artifactType string, annotations map[string]string) {
	if subject == nil || m.format != OCI {
		return
	}
	m.info.Subject, m.info.ArtifactType, m.info.Annotations = subject.Digest, artifactType, annotations
}

// sniffManifest is what can be known of a manifest without its Content-Type.
func sniffManifest(body []byte) ManifestInfo {
	var doc struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		FSLayers  json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return ManifestInfo{}
	}
	mediaType := doc.MediaType
	switch {
	case mediaType != "":
	case present(doc.FSLayers):
		return ManifestInfo{MediaType: mediaTypeSchema1}
	case present(doc.Manifests):
		mediaType = mediaTypeOCIIndex
	default:
		mediaType = mediaTypeOCIManifest
	}
	m, err := parseManifest(mediaType, body)
	if err != nil {
		return ManifestInfo{MediaType: mediaType}
	}
	return m.info
}

// present reports whether a document has a value, other than null.
func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
