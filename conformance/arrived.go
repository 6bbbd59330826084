package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/schema1"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// acceptOld is acceptAll and what docker before 1.10 pushes.
var acceptOld = acceptAll + ", " + schema1.MediaTypeSigned

// An arrival is what a push left in a registry.
type arrival struct {
	push   pushed
	p      *Probe
	where  string // the repository
	layers int    // that were seen
}

// arrived demands that each tag of a push gives the manifest that the era says it
// pushed, by its digest too, and that everything which that names is there, byte for
// byte: so many layers in all.
func (p *Probe) arrived(ctx context.Context, repository string, d pushed, layers int) error {
	if err := d.failed(); err != nil {
		return err
	}
	for _, one := range d.result.Published {
		w := &arrival{push: d, p: p, where: repository}
		byTag, err := p.get(ctx, manifestPath(repository, one.Tag), "Accept", acceptOld)
		if err = first(err, byTag.wantIf(err, http.StatusOK)); err != nil {
			return w.suspect(wire.OpManifestGet, err)
		}
		if got := manifestDigest(byTag.body); got.String() != one.Digest {
			return w.suspect(wire.OpManifestGet, byTag.violation("the manifest "+one.Digest+" that "+d.era.Name+" pushed", "one of digest "+got.String()))
		}
		if err := w.manifest(ctx, digest.Digest(one.Digest)); err != nil {
			return err
		}
		if w.layers != layers {
			return w.suspect(wire.OpManifestGet, byTag.violation("an image of "+count(layers, "layer"), count(w.layers, "layer")))
		}
	}
	return nil
}

// suspect blames a violation on the checks of an operation.
func (w *arrival) suspect(op wire.Op, err error) error { return &pushError{suspectsOf(op), err} }

// manifestDigest is a manifest's digest; of a signed one that of what is signed.
func manifestDigest(body []byte) digest.Digest {
	var doc struct {
		SchemaVersion int `json:"schemaVersion"`
	}
	if json.Unmarshal(body, &doc) == nil && doc.SchemaVersion == 1 {
		if d, size := schema1.Digest(body); size > 0 {
			return d
		}
	}
	return digestOf(body)
}

// manifest looks at a manifest by its digest, and at what it names.
func (w *arrival) manifest(ctx context.Context, d digest.Digest) error {
	a, err := w.p.get(ctx, manifestPath(w.where, d.String()), "Accept", acceptOld)
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return w.suspect(wire.OpManifestGet, err)
	}
	if manifestDigest(a.body) != d {
		return w.suspect(wire.OpManifestGet, a.violation("the manifest "+d.String(), "one of digest "+manifestDigest(a.body).String()))
	}
	var doc struct {
		document
		FSLayers []schema1.FSLayer `json:"fsLayers"`
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		return w.suspect(wire.OpManifestGet, a.violation("a manifest", excerpt(a.body)))
	}
	if doc.Manifests != nil {
		for _, child := range *doc.Manifests {
			if err := w.manifest(ctx, child.Digest); err != nil {
				return err
			}
		}
		return nil
	}
	for _, layer := range doc.FSLayers {
		if _, err := w.layer(ctx, layer.BlobSum, -1); err != nil {
			return err
		}
	}
	return w.image(ctx, doc.document)
}

// image looks at a configuration and at the layers, which it names by what they are
// unpacked.
func (w *arrival) image(ctx context.Context, doc document) error {
	if doc.Config == nil || doc.Layers == nil {
		return nil
	}
	a, err := w.blob(ctx, doc.Config.Digest, doc.Config.Size)
	if err != nil {
		return err
	}
	var config struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if json.Unmarshal(a.body, &config) != nil || len(config.RootFS.DiffIDs) != len(*doc.Layers) {
		return w.suspect(wire.OpBlobGet, a.violation("a configuration of "+count(len(*doc.Layers), "layer"), excerpt(a.body)))
	}
	for i, layer := range *doc.Layers {
		a, err := w.layer(ctx, layer.Digest, layer.Size)
		if err != nil {
			return err
		}
		if got := unpacked(a.body); got != config.RootFS.DiffIDs[i] {
			return w.suspect(wire.OpBlobGet, a.violation("a layer that is "+config.RootFS.DiffIDs[i].String()+" when it is unpacked", got.String()))
		}
	}
	return nil
}

func (w *arrival) layer(ctx context.Context, d digest.Digest, size int) (*answer, error) {
	w.layers++
	return w.blob(ctx, d, size)
}

// blob looks at a blob by its digest. size is its length in bytes; -1 for one that
// nothing says.
func (w *arrival) blob(ctx context.Context, d digest.Digest, size int) (*answer, error) {
	a, err := w.p.get(ctx, blobPath(w.where, d))
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return a, w.suspect(wire.OpBlobGet, err)
	}
	if got := digestOf(a.body); got != d || size >= 0 && len(a.body) != size {
		return a, w.suspect(wire.OpBlobGet, a.violation("the blob "+d.String(), count(len(a.body), "byte")+" of digest "+got.String()))
	}
	return a, nil
}

// unpacked is the digest of a layer without its gzip.
func unpacked(data []byte) digest.Digest {
	in, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return digestOf(data)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(in, bodyLimit)); err != nil {
		return ""
	}
	return digest.NewDigest(digest.SHA256, h)
}
