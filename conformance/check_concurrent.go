package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
)

func concurrencyChecks() list { return list{conc01, conc02, conc03, conc04, conc05, conc08} }

var conc01 = &Check{
	ID: "conc-01", Level: Must, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "one blob that eight clients push at once is taken from each",
	Hurts: "CI that pushes images of one base: Nexus answers the second 400",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("shared", 2000)
		if err := together(8, 8, func(int) error {
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return err
			}
			a, err := s.put(ctx, b.digest, b.data)
			return first(err, a.wantIf(err, http.StatusCreated))
		}); err != nil {
			return err
		}
		return p.kept(ctx, b)
	},
}

var conc02 = &Check{
	ID: "conc-02", Level: Must, Silent: true, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03, tag01},
	Doc:   "sixteen tags that are pushed at once are all listed",
	Hurts: "CI that tags in parallel: tags are lost",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "t00")
		if err != nil {
			return err
		}
		var tags []string
		for i := range 16 {
			tags = append(tags, fmt.Sprintf("t%02d", i))
		}
		if err := together(8, len(tags), func(i int) error {
			a, err := p.putManifest(ctx, p.Repository, tags[i], m)
			return first(err, a.wantIf(err, http.StatusCreated))
		}); err != nil {
			return err
		}
		l, a, err := p.tags(ctx, p.Repository, "?n=100")
		if err != nil {
			return err
		}
		for _, tag := range tags {
			if !slices.Contains(l.Tags, tag) {
				return a.violation("sixteen tags", fmt.Sprintf("%d, without %s", len(l.Tags), tag))
			}
		}
		return nil
	},
}

var conc03 = &Check{
	ID: "conc-03", Level: Must, Silent: true, Spec: "practice of clients", Requires: list{man04},
	Doc:   "the images of an index can be pushed at once",
	Hurts: "docker buildx: parallel pushes to Gitea end in 500",
	Run: func(ctx context.Context, p *Probe) error {
		children := make([]manifest, 4)
		if err := together(4, len(children), func(i int) error {
			doc, blobs := p.image(fmt.Sprint("child ", i), typeImage)
			children[i] = doc.manifest()
			if err := p.push(ctx, p.Repository, blobs...); err != nil {
				return err
			}
			a, err := p.putManifest(ctx, p.Repository, children[i].digest.String(), children[i])
			return first(err, a.wantIf(err, http.StatusCreated))
		}); err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "tag", index(typeIndex, children...))
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var conc04 = &Check{
	ID: "conc-04", Level: Must, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a tag that several push at once is in the end one of theirs, and always a whole manifest",
	Hurts: "CI that pushes \"latest\" from several branches",
	Run: func(ctx context.Context, p *Probe) error {
		var all []manifest
		for i := range 4 {
			m, err := p.stored(ctx, p.Repository, fmt.Sprint("image ", i), "tag")
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		if err := together(8, 16, func(i int) error {
			if i%2 == 0 {
				a, err := p.putManifest(ctx, p.Repository, "tag", all[i/2%4])
				return first(err, a.wantIf(err, http.StatusCreated))
			}
			a, err := p.getManifest(ctx, p.Repository, "tag")
			return first(err, a.wantIf(err, http.StatusOK), a.oneOf(all))
		}); err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, "tag")
		return first(err, a.wantIf(err, http.StatusOK), a.oneOf(all))
	},
}

// oneOf demands one of some manifests.
func (a *answer) oneOf(all []manifest) error {
	for _, m := range all {
		if bytes.Equal(a.body, m.data) {
			return nil
		}
	}
	return a.violation("one of the manifests that were pushed", "other "+count(len(a.body), "byte"))
}

var conc05 = &Check{
	ID: "conc-05", Level: Should, Timed: true, Silent: true, Spec: "practice of clients", Requires: list{chunk01},
	Doc:   "of two chunks for one place that arrive at once, one is taken",
	Hurts: "clients that send a chunk again while the first is still under way: the layer is corrupt",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		taken := make([]*answer, 2)
		r := request{
			method: http.MethodPatch, url: s.location, body: b.data[size : 2*size], after: s.last,
			header: header("Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("%d-%d", size, 2*size-1)),
		}
		if err := together(2, 2, func(i int) error {
			var err error
			taken[i], err = s.p.send(ctx, r)
			return err
		}); err != nil {
			return err
		}
		if taken[0].status/100 == 2 && taken[1].status/100 == 2 {
			return taken[1].violation("one of two chunks refused", "both taken")
		}
		return nil
	}),
}

var conc08 = &Check{
	ID: "conc-08", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest is taken right after its blobs were, ten times over",
	Hurts: "every client, against registries of several replicas: one push in ten ends in an unknown blob",
	Run: func(ctx context.Context, p *Probe) error {
		for i := range 10 {
			if _, err := p.stored(ctx, p.Repository, fmt.Sprint("image ", i), fmt.Sprint("tag", i)); err != nil {
				return err
			}
		}
		return nil
	},
}
