package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
)

func referrerChecks() list {
	return list{ref01, ref02, ref03, ref04, ref05, ref06, ref07, ref08, ref09, ref10, ref11, ref12, ref15, ref16}
}

// artifactOf is the document of an artifact that refers to a subject.
func (p *Probe) artifactOf(ctx context.Context, name string, subject descriptor) (document, error) {
	empty := blob{digestOf([]byte("{}")), []byte("{}")}
	config := empty.descriptor(typeEmpty)
	doc := document{
		SchemaVersion: 2, MediaType: typeImage, ArtifactType: "application/vnd.example." + name, Config: &config,
		Layers: &[]descriptor{config}, Subject: &subject, Annotations: map[string]string{"org.example.name": name},
	}
	return doc, p.push(ctx, p.Repository, empty)
}

// refer pushes an artifact that refers to a subject.
func (p *Probe) refer(ctx context.Context, name string, subject descriptor) (manifest, *answer, error) {
	doc, err := p.artifactOf(ctx, name, subject)
	if err != nil {
		return manifest{}, nil, err
	}
	m := doc.manifest()
	a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
	return m, a, first(err, a.wantIf(err, http.StatusCreated))
}

// referrers are those of a digest, over all pages.
func (p *Probe) referrers(ctx context.Context, repository string, d digest.Digest, query string) ([]descriptor, *answer, error) {
	var all []descriptor
	var last *answer
	err := p.walk(ctx, referrersPath(repository, d)+query, func(a *answer) error {
		if err := a.want(http.StatusOK); err != nil {
			return err
		}
		var list struct {
			Manifests []descriptor `json:"manifests"`
		}
		if json.Unmarshal(a.body, &list) != nil {
			return a.violation("an index", excerpt(a.body))
		}
		all, last = append(all, list.Manifests...), a
		return nil
	})
	return all, last, err
}

// withReferrers makes a check of an image to which two artifacts refer.
func withReferrers(run func(ctx context.Context, p *Probe, subject manifest, one, two manifest) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		subject, err := p.stored(ctx, p.Repository, "subject", "tag")
		if err != nil {
			return err
		}
		one, _, err := p.refer(ctx, "one", subject.descriptor())
		if err != nil {
			return of("ref-07", err)
		}
		two, _, err := p.refer(ctx, "two", subject.descriptor())
		if err != nil {
			return of("ref-07", err)
		}
		return run(ctx, p, subject, one, two)
	}
}

var ref01 = &Check{
	ID: "ref-01", Level: Must, Pull: true, Spec: "referrers", Requires: list{ping01}, Uses: list{mono02, mono03, man03},
	Doc:   "the referrers of a digest that nobody knows are an empty index; a registry without them answers 404",
	Hurts: "cosign, oras and notation, which fall back to a tag on 404 alone",
	Run: func(ctx context.Context, p *Probe) error {
		if _, _, _, err := p.tagged(ctx); err != nil { // a repository that is not there has no referrers either
			return err
		}
		a, err := p.get(ctx, referrersPath(p.Repository, p.blob("nothing", 9).digest))
		if err != nil {
			return err
		}
		if a.status == http.StatusNotFound {
			return p.lacksReferrers(ctx, a)
		}
		return a.want(http.StatusOK)
	},
}

// lacksReferrers tells a registry without referrers, which answers 404 to all, from one
// that does so to what has none.
func (p *Probe) lacksReferrers(ctx context.Context, none *answer) error {
	lack := &SkipError{Reason: "there are no referrers"}
	if p.given != nil {
		return lack
	}
	subject, err := p.stored(ctx, p.Repository, "subject", "subject")
	if err != nil {
		return err
	}
	if _, put, err := p.refer(ctx, "one", subject.descriptor()); err != nil || put.header.Get("Oci-Subject") == "" {
		return lack //nolint:nilerr // ref-07's business
	}
	some, err := p.get(ctx, referrersPath(p.Repository, subject.digest))
	if err != nil {
		return err
	}
	if some.status == http.StatusOK {
		return none.violation("an empty index where there are no referrers", none.said())
	}
	return lack
}

var ref02 = &Check{
	ID: "ref-02", Level: Must, Pull: true, Spec: "referrers", Requires: list{ref01}, Uses: list{mono02, mono03, man03},
	Doc:   "referrers are an OCI index, by Content-Type and by content",
	Hurts: "clients that decode it as one (oras, regclient)",
	Run: func(ctx context.Context, p *Probe) error {
		if _, _, _, err := p.tagged(ctx); err != nil {
			return err
		}
		a, err := p.get(ctx, referrersPath(p.Repository, p.blob("nothing", 9).digest))
		if err != nil {
			return err
		}
		var doc document
		if json.Unmarshal(a.body, &doc) != nil || doc.MediaType != typeIndex || doc.SchemaVersion != 2 || doc.Manifests == nil {
			return a.violation("an OCI index of schemaVersion 2 with a list of manifests", quoteOr(string(a.body[:min(len(a.body), 80)])))
		}
		return a.typed(typeIndex)
	},
}

var ref07 = &Check{
	ID: "ref-07", Level: Must, Spec: "subject", Requires: list{man03},
	Doc:   "a manifest whose subject is not there yet is taken",
	Hurts: "clients that push the signature first; copies between registries",
	Run: func(ctx context.Context, p *Probe) error {
		doc, _ := p.image("subject", typeImage)
		subject := doc.manifest().descriptor()
		if _, _, err := p.refer(ctx, "early", subject); err != nil {
			return err
		}
		child, err := p.stored(ctx, p.Repository, "child")
		if err != nil {
			return err
		}
		list := []descriptor{child.descriptor()}
		plain := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &list}
		a, err := p.putManifest(ctx, p.Repository, "plain", plain.manifest())
		if err != nil || a.status != http.StatusCreated {
			return err // man-04's business
		}
		plain.Subject = &subject
		a, err = p.putManifest(ctx, p.Repository, "early-index", plain.manifest())
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var ref08 = &Check{
	ID: "ref-08", Level: Must, Pull: true, Spec: "referrers", Requires: list{ref01},
	Doc:   "the referrers of what is no digest are refused with 400",
	Hurts: "clients with a mistake: they take an empty list for the truth",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/"+p.Repository+"/referrers/sha256:short")
		if err != nil {
			return err
		}
		return a.want(http.StatusBadRequest)
	},
}

var ref09 = &Check{
	ID: "ref-09", Level: Must, Silent: true, Spec: "referrers", Requires: list{ref03, del02},
	Doc:   "a referrer that was deleted is no longer listed, and those of a subject that was are listed or not there",
	Hurts: "clients that then fail to pull it",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, _ manifest) error {
		if _, _, err := p.referrers(ctx, p.Repository, subject.digest, ""); err != nil { // so that whoever remembers does
			return err
		}
		a, err := p.remove(ctx, manifestPath(p.Repository, one.digest.String()))
		if err = of("del-02", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		for _, d := range list {
			if d.Digest == one.digest {
				return a.violation("no referrer that was deleted", d.Digest.String())
			}
		}
		if a, err = p.remove(ctx, manifestPath(p.Repository, subject.digest.String())); err != nil || a.status != http.StatusAccepted {
			return err // del-02's business
		}
		a, err = p.get(ctx, referrersPath(p.Repository, subject.digest))
		return first(err, a.wantIf(err, http.StatusOK, http.StatusNotFound))
	}),
}

var ref10 = &Check{
	ID: "ref-10", Level: Must, Spec: "referrers", Requires: list{ref03},
	Doc:   "a hundred and twenty referrers are all listed, on one page or over Links, filtered or not",
	Hurts: "clients that verify signatures of images that many signed",
	Run: func(ctx context.Context, p *Probe) error {
		return p.manyReferrers(ctx, 120, 4)
	},
}

var ref11 = &Check{
	ID: "ref-11", Level: Must, Silent: true, Spec: "referrers", Requires: list{ref03},
	Doc:   "twelve referrers that are pushed at once are all listed",
	Hurts: "CI that signs and attests at once: olareg lost one in eight",
	Run: func(ctx context.Context, p *Probe) error {
		return p.manyReferrers(ctx, 12, 12)
	},
}

// manyReferrers pushes n referrers, some at a time, and counts them.
func (p *Probe) manyReferrers(ctx context.Context, n, atATime int) error {
	subject, err := p.stored(ctx, p.Repository, "subject", "tag")
	if err != nil {
		return err
	}
	if _, err := p.artifactOf(ctx, "first", subject.descriptor()); err != nil {
		return err
	}
	pushed := make([]digest.Digest, n)
	err = together(atATime, n, func(i int) error {
		doc, _ := p.image("subject", typeImage)
		s := subject.descriptor()
		doc.Subject, doc.ArtifactType, doc.Annotations = &s, "application/vnd.example.many", map[string]string{"n": fmt.Sprint(i)}
		m := doc.manifest()
		pushed[i] = m.digest
		a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
		return of("ref-07", first(err, a.wantIf(err, http.StatusCreated)))
	})
	if err != nil {
		return err
	}
	for _, query := range []string{"", "?artifactType=application%2Fvnd.example.many"} {
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, query)
		if err != nil {
			return err
		}
		listed := map[digest.Digest]bool{}
		for _, d := range list {
			listed[d.Digest] = true
		}
		missing := 0
		for _, d := range pushed {
			if !listed[d] {
				missing++
			}
		}
		if missing > 0 {
			return a.violation(count(n, "referrer"), fmt.Sprintf("%d: %d missing", n-missing, missing))
		}
	}
	return nil
}

// together runs n jobs, some at a time, and returns the first error.
func together(atATime, n int, job func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = job(i)
		})
	}
	all.Wait()
	return first(errs...)
}

var ref15 = &Check{
	ID: "ref-15", Level: Must, Silent: true, Spec: "isolation", Requires: list{ref03},
	Doc:   "the referrers of one repository are not those of another",
	Hurts: "users of a shared registry: others see and forge their signatures",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, _, _ manifest) error {
		a, err := p.get(ctx, referrersPath(p.Other, subject.digest))
		if err != nil || a.status == http.StatusNotFound {
			return err
		}
		list, a, err := p.referrers(ctx, p.Other, subject.digest, "")
		if err == nil && len(list) > 0 {
			return a.violation("no referrers in a repository where none was pushed", count(len(list), "referrer"))
		}
		return err
	}),
}
