package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

// Media types.
const (
	typeSchema2     = mediatype.Schema2
	typeList        = mediatype.List
	typeImage       = "application/vnd.oci.image.manifest.v1+json"
	typeIndex       = "application/vnd.oci.image.index.v1+json"
	typeImageConfig = "application/vnd.oci.image.config.v1+json"
	typeImageLayer  = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeEmpty       = "application/vnd.oci.empty.v1+json"
)

// acceptAll is what docker accepts of a manifest.
var acceptAll = strings.Join([]string{typeSchema2, typeList, typeImage, typeIndex}, ", ")

// A descriptor names content.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       digest.Digest     `json:"digest"`
	Size         int               `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// A document is what a manifest says. What is nil or empty is left out.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        *[]descriptor     `json:"layers,omitempty"`
	Manifests     *[]descriptor     `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// A manifest is the bytes of a document.
type manifest struct {
	mediaType string
	data      []byte
	digest    digest.Digest
}

func (d document) manifest() manifest {
	data, _ := json.MarshalIndent(d, "", "   ") // it is made of strings and numbers
	return rawManifest(d.MediaType, data)
}

func rawManifest(mediaType string, data []byte) manifest {
	return manifest{mediaType, data, digest.FromBytes(data)}
}

func (m manifest) descriptor() descriptor {
	return descriptor{MediaType: m.mediaType, Digest: m.digest, Size: len(m.data)}
}

func (b blob) descriptor(mediaType string) descriptor {
	return descriptor{MediaType: mediaType, Digest: b.digest, Size: len(b.data)}
}

// config is a configuration that only this name, in this check, has.
func (p *Probe) config(name string) blob {
	data := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"author":"` + string(p.blob("config "+name, 32).data) + `"}`)
	return blob{digest.FromBytes(data), data}
}

// image is the document of an image of a configuration and one layer, in a
// format; and the blobs that it names.
func (p *Probe) image(name, mediaType string) (document, []blob) {
	config, layer := p.config(name), p.blob("layer "+name, 120)
	configType, layerType := typeImageConfig, typeImageLayer
	if mediaType == typeSchema2 {
		configType, layerType = mediatype.Config, mediatype.Layer
	}
	c := config.descriptor(configType)
	layers := []descriptor{layer.descriptor(layerType)}
	return document{SchemaVersion: 2, MediaType: mediaType, Config: &c, Layers: &layers}, []blob{config, layer}
}

// putManifest sends a manifest, and remembers it when it was taken.
func (p *Probe) putManifest(ctx context.Context, repository, reference string, m manifest, headers ...string) (*answer, error) {
	h := header("Content-Type", m.mediaType)
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	a, err := p.send(ctx, request{method: http.MethodPut, url: manifestPath(repository, reference), header: h, body: m.data})
	if err == nil && a.status/100 == 2 {
		p.remember(manifestPath(repository, m.digest.String()))
	}
	return a, err
}

// store stores a manifest under references, as the set-up of a check.
func (p *Probe) store(ctx context.Context, repository string, m manifest, references ...string) error {
	for _, reference := range references {
		a, err := p.putManifest(ctx, repository, reference, m)
		if err = of("man-03", first(err, a.wantIf(err, http.StatusCreated))); err != nil {
			return err
		}
	}
	return nil
}

// stored makes an image and stores it with its blobs, under references or under
// its digest, as the set-up of a check. It is an OCI image, or a schema 2 one
// where the registry takes no OCI.
func (p *Probe) stored(ctx context.Context, repository, name string, references ...string) (manifest, error) {
	doc, blobs := p.image(name, typeImage)
	if err := p.push(ctx, repository, blobs...); err != nil {
		return manifest{}, err
	}
	m := doc.manifest()
	if len(references) == 0 {
		references = []string{m.digest.String()}
	}
	err := p.store(ctx, repository, m, references...)
	if err != nil && strings.Contains(err.Error(), "got 4") {
		old, _ := p.image(name, typeSchema2)
		m2 := old.manifest()
		if references[0] == m.digest.String() {
			references = []string{m2.digest.String()}
		}
		if p.store(ctx, repository, m2, references...) == nil {
			return m2, nil
		}
	}
	return m, err
}

// tagged is an image with a tag and a blob of its: the one that is there already
// where nothing is pushed, else one that is stored as the set-up of a check.
func (p *Probe) tagged(ctx context.Context) (m manifest, reference string, b blob, err error) {
	if p.given != nil {
		return p.given.manifest, p.given.reference, p.given.blob, nil
	}
	m, err = p.stored(ctx, p.Repository, "image", "tag")
	return m, "tag", p.blob("layer image", 120), err
}

// unstored demands that a manifest was refused, and that its tag is not there.
func (p *Probe) unstored(ctx context.Context, a *answer, tag string) error {
	if err := a.refused(); err != nil {
		return err
	}
	got, err := p.getManifest(ctx, p.Repository, tag)
	if err != nil {
		return err
	}
	if got.status == http.StatusOK {
		return got.violation("nothing under a tag whose manifest was refused", got.said()+" with "+count(len(got.body), "byte"))
	}
	return nil
}

// getManifest asks for a manifest, of any type.
func (p *Probe) getManifest(ctx context.Context, repository, reference string) (*answer, error) {
	return p.get(ctx, manifestPath(repository, reference), "Accept", acceptAll)
}

// holds demands that an answer is this manifest, byte for byte.
func (a *answer) holds(m manifest) error {
	if err := a.want(http.StatusOK); err != nil {
		return err
	}
	return first(a.bytes(m.data), a.typed(m.mediaType))
}

// bytes demands a body.
func (a *answer) bytes(want []byte) error {
	if bytes.Equal(a.body, want) {
		return nil
	}
	return a.violation("the "+count(len(want), "byte")+" that were pushed", "other "+count(len(a.body), "byte"))
}

// typed demands a Content-Type, parameters aside.
func (a *answer) typed(want string) error {
	got, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if strings.TrimSpace(got) == want {
		return nil
	}
	return a.violation("Content-Type "+want, quoteOr(a.header.Get("Content-Type")))
}
