package conformance

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
)

func limitChecks() list { return list{lim01, lim02, lim03, lim05, lim06, lim08, lim09} }

// padded is the manifest of an image that is made so many bytes long.
func (p *Probe) padded(ctx context.Context, size int) (manifest, error) {
	doc, blobs := p.image("image", typeImage)
	if err := p.push(ctx, p.Repository, blobs...); err != nil {
		return manifest{}, err
	}
	doc.Annotations = map[string]string{"org.example.padding": ""}
	bare := doc.manifest().data
	before, after, _ := bytes.Cut(bare, []byte(`"org.example.padding": "`))
	data := slices.Concat(before, []byte(`"org.example.padding": "`), bytes.Repeat([]byte("x"), size-len(bare)), after)
	return rawManifest(doc.MediaType, data), nil
}

var lim01 = &Check{
	ID: "lim-01", Level: Should, Spec: "size of manifests", Requires: list{man03},
	Doc:   "a manifest of just under 4 MiB is taken",
	Hurts: "clients that keep attestations and annotations in manifests",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.padded(ctx, 4<<20-1024)
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "large", m)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, "large")
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data))
	},
}

var lim02 = &Check{
	ID: "lim-02", Level: Should, Spec: "size of manifests", Requires: list{man03},
	Doc:   "a manifest over the registry's limit is refused with 413",
	Hurts: "clients, which cannot tell too large from malformed",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.padded(ctx, 9<<20)
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "huge", m)
		if err != nil {
			return err
		}
		if a.status == http.StatusCreated {
			return &SkipError{Reason: "a manifest of 9 MiB is taken"}
		}
		return a.want(http.StatusRequestEntityTooLarge)
	},
}

var lim03 = &Check{
	ID: "lim-03", Level: Should, Silent: true, Spec: "docker schema 2", Requires: list{man03},
	Doc:   "a manifest of 127 layers, docker's most, is taken",
	Hurts: "docker, with images of many layers",
	Run: func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("image", typeImage)
		if err := p.push(ctx, p.Repository, blobs...); err != nil {
			return err
		}
		layers := []descriptor{}
		for range 127 {
			layers = append(layers, (*doc.Layers)[0])
		}
		doc.Layers = &layers
		a, err := p.putManifest(ctx, p.Repository, "deep", doc.manifest())
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var lim05 = &Check{
	ID: "lim-05", Level: Should, Silent: true, Spec: "pulling manifests", Requires: list{mono02},
	Doc:   "a repository of a name of ten parts is taken, and one of 300 bytes is taken or refused with a 4xx",
	Hurts: "GitLab's users and others with deep names",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository + "/d/e/f/g/h/i/j"), body: []byte{}})
		if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
			return err
		}
		a, err = p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository + "/" + strings.Repeat("n", 300)), body: []byte{}})
		if err != nil || a.status == http.StatusAccepted {
			return err
		}
		return a.refused()
	},
}

var lim08 = &Check{
	ID: "lim-08", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{chunk05}, Uses: list{mono03, chunk10},
	Doc:   "an upload of 100 chunks can be closed and pulled",
	Hurts: "clients with small chunks on bad lines",
	Run: inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		whole := p.blob("many chunks", 100*size) // of which no two are alike
		copy(whole.data, b.data[:size])
		whole.digest = digestOf(whole.data)
		for i := range 99 {
			a, err := s.chunk(ctx, whole.data[(i+1)*size:(i+2)*size])
			if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
				return err
			}
		}
		return s.closed(ctx, whole, nil)
	}),
}

var lim06 = &Check{
	ID: "lim-06", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{man04},
	Doc:   "an index of 200 images is taken",
	Hurts: "builders for many platforms and variants",
	Run: func(ctx context.Context, p *Probe) error {
		child, err := p.stored(ctx, p.Repository, "child")
		if err != nil {
			return err
		}
		children := make([]manifest, 200)
		for i := range children {
			children[i] = child
		}
		a, err := p.putManifest(ctx, p.Repository, "wide", index(typeIndex, children...))
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var lim09 = &Check{
	ID: "lim-09", Level: Should, Pull: true, Silent: true, Spec: "HTTP semantics", Requires: list{ping01},
	Doc:   "a request with a header of 16 kB is answered, or refused with a 4xx",
	Hurts: "users of many groups, whose tokens are long",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/", "X-Long", strings.Repeat("x", 16<<10))
		if err != nil || a.status == http.StatusOK {
			return err
		}
		return a.refused()
	},
}
