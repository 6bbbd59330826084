package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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
			return &SkipError{Reason: "there are no referrers"}
		}
		return a.want(http.StatusOK)
	},
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

var ref03 = &Check{
	ID: "ref-03", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref07},
	Doc:   "a referrer is listed with its type, size, artifactType and annotations",
	Hurts: "clients that choose by them without pulling (cosign, oras discover)",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, _ manifest) error {
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		for _, d := range list {
			if d.Digest != one.digest {
				continue
			}
			if d.MediaType != one.mediaType || d.Size != len(one.data) || d.ArtifactType != "application/vnd.example.one" || d.Annotations["org.example.name"] != "one" {
				return a.violation("the descriptor with type, size, artifactType and annotations", fmt.Sprintf("%+v", d))
			}
			return nil
		}
		return a.violation("the referrer "+one.digest.String(), count(len(list), "other"))
	}),
}

var ref04 = &Check{
	ID: "ref-04", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref07, ref03},
	Doc:   "referrers are those of the digest that was asked for, each once",
	Hurts: "clients that verify signatures: one of another image counts",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, two manifest) error {
		other, err := p.stored(ctx, p.Repository, "other subject", "other")
		if err != nil {
			return err
		}
		if _, _, err := p.refer(ctx, "three", other.descriptor()); err != nil {
			return of("ref-07", err)
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		seen := map[digest.Digest]int{}
		for _, d := range list {
			seen[d.Digest]++
		}
		if seen[one.digest] == 0 || seen[two.digest] == 0 {
			return of("ref-03", a.violation("both referrers", count(len(list), "referrer")))
		}
		if len(list) != 2 {
			return a.violation("2 referrers", fmt.Sprintf("%d, of which one is not of this image or stands there twice", len(list)))
		}
		return nil
	}),
}

var ref05 = &Check{
	ID: "ref-05", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref07, ref03},
	Doc:   "?artifactType= filters and says so by OCI-Filters-Applied, or does not and says nothing",
	Hurts: "clients that filter: they filter again, or trust a list that is not filtered",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, _ manifest) error {
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "?artifactType="+url.QueryEscape("application/vnd.example.one"))
		if err != nil {
			return err
		}
		applied := strings.Contains(strings.ToLower(a.header.Get("Oci-Filters-Applied")), "artifacttype")
		filtered := len(list) == 1 && list[0].Digest == one.digest
		switch {
		case applied && !filtered:
			return a.violation("the one referrer of that type, as OCI-Filters-Applied says", count(len(list), "referrer"))
		case !applied && len(list) < 2:
			return a.violation("OCI-Filters-Applied: artifactType", quoteOr(a.header.Get("Oci-Filters-Applied")))
		case !applied:
			return &SkipError{Reason: "referrers are not filtered", FellBack: true}
		}
		return nil
	}),
}

var ref06 = &Check{
	ID: "ref-06", Level: Must, Spec: "subject", Requires: list{man03},
	Doc:   "OCI-Subject is sent for a manifest with a subject when it is then listed as a referrer, and only then",
	Hurts: "cosign and oras: without it they write a tag besides, with it and no list the signature is lost",
	Run: func(ctx context.Context, p *Probe) error {
		subject, err := p.stored(ctx, p.Repository, "subject", "tag")
		if err != nil {
			return err
		}
		one, put, err := p.refer(ctx, "one", subject.descriptor())
		if err != nil {
			return of("ref-07", err)
		}
		said := put.header.Get("Oci-Subject")
		a, err := p.get(ctx, referrersPath(p.Repository, subject.digest))
		if err != nil {
			return err
		}
		listed := a.status == http.StatusOK && strings.Contains(string(a.body), one.digest.String())
		switch {
		case said == "" && a.status == http.StatusNotFound:
			return &SkipError{Reason: "there are no referrers"}
		case said == "" && listed:
			return put.violation("OCI-Subject "+subject.digest.String(), "none")
		case said != "" && said != subject.digest.String():
			return put.violation("OCI-Subject "+subject.digest.String(), said)
		case said != "" && !listed:
			return a.violation("the referrer for which OCI-Subject was sent", a.said()+" without it")
		}
		return nil
	},
	Uses: list{ref07},
}

var ref07 = &Check{
	ID: "ref-07", Level: Must, Spec: "subject", Requires: list{man03},
	Doc:   "a manifest whose subject is not there yet is taken",
	Hurts: "clients that push the signature first; copies between registries",
	Run: func(ctx context.Context, p *Probe) error {
		doc, _ := p.image("subject", typeImage)
		subject := doc.manifest()
		_, _, err := p.refer(ctx, "early", subject.descriptor())
		return err
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
	Doc:   "a referrer that was deleted is no longer listed",
	Hurts: "clients that then fail to pull it",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, _ manifest) error {
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
		return nil
	}),
}

var ref10 = &Check{
	ID: "ref-10", Level: Must, Spec: "referrers", Requires: list{ref03},
	Doc:   "sixty referrers are all listed, on one page or over Links",
	Hurts: "clients that verify signatures of images that many signed",
	Run: func(ctx context.Context, p *Probe) error {
		return p.manyReferrers(ctx, 60, 1)
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
	list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
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

var ref16 = &Check{
	ID: "ref-16", Level: Must, Spec: "referrers", Requires: list{ref03, man04},
	Doc:   "an index that refers and has no artifactType is listed without one",
	Hurts: "clients that choose by artifactType",
	Run: func(ctx context.Context, p *Probe) error {
		subject, err := p.stored(ctx, p.Repository, "subject", "tag")
		if err != nil {
			return err
		}
		s := subject.descriptor()
		m := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &[]descriptor{subject.descriptor()}, Subject: &s}.manifest()
		a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		for _, d := range list {
			if d.Digest == m.digest {
				if d.ArtifactType != "" || d.MediaType != typeIndex {
					return a.violation("a descriptor of type "+typeIndex+" without artifactType", d.MediaType+" of artifactType "+d.ArtifactType)
				}
				return nil
			}
		}
		return a.violation("the index among its subject's referrers", count(len(list), "other"))
	},
}
