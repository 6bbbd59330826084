package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A referrer is a manifest that refers to another, and what a list of referrers says of
// it.
type referrer struct {
	name      string // of the way in which it refers
	reference string // under which it is pushed; "" is its digest
	doc       document
	want      descriptor
}

// kindsOfReferrers are manifests that refer to a subject in each way there is: with a
// type of their own, with that of their configuration, as an index with one, by a tag.
func (p *Probe) kindsOfReferrers(ctx context.Context, subject descriptor) ([]referrer, error) {
	own, err := p.artifactOf(ctx, "own", subject)
	if err != nil {
		return nil, err
	}
	tagged, err := p.artifactOf(ctx, "tagged", subject)
	if err != nil {
		return nil, err
	}
	configured, _ := p.artifactOf(ctx, "configured", subject)
	config := *configured.Config
	config.MediaType = "application/vnd.example.config+json"
	configured.ArtifactType, configured.Config = "", &config
	both, _ := p.artifactOf(ctx, "both", subject)
	both.Config = &config
	list := document{
		SchemaVersion: 2, MediaType: typeIndex, ArtifactType: "application/vnd.example.list", Manifests: &[]descriptor{subject}, Subject: &subject,
		Annotations: map[string]string{"org.example.name": "list"},
	}
	kinds := []referrer{{name: "of a type of its own", doc: own}, {name: "pushed by tag", reference: "tagged", doc: tagged}, {name: "of its configuration's type", doc: configured}, {name: "of a type beside its configuration's", doc: both}}
	if plain := index(typeIndex); p.takes(ctx, plain) {
		kinds = append(kinds, referrer{name: "that is an index", doc: list})
	}
	for i := range kinds {
		k := &kinds[i]
		k.want = k.doc.manifest().descriptor()
		k.want.Annotations, k.want.ArtifactType = k.doc.Annotations, k.doc.ArtifactType
		if k.want.ArtifactType == "" && k.doc.Config != nil {
			k.want.ArtifactType = k.doc.Config.MediaType
		}
	}
	return kinds, nil
}

// takes reports whether a registry takes a manifest at all.
func (p *Probe) takes(ctx context.Context, m manifest) bool {
	a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
	return err == nil && a.status == http.StatusCreated
}

// putReferrer pushes one, under its reference.
func (p *Probe) putReferrer(ctx context.Context, r referrer) (*answer, error) {
	m, reference := r.doc.manifest(), r.reference
	if reference == "" {
		reference = m.digest.String()
	}
	a, err := p.putManifest(ctx, p.Repository, reference, m)
	return a, of("ref-07", first(err, a.wantIf(err, http.StatusCreated)))
}

// isIndex demands that a list of referrers is an OCI index. That an empty one is a
// list is ref-02's business.
func (a *answer) isIndex() error {
	var doc document
	if json.Unmarshal(a.body, &doc) != nil || doc.MediaType != typeIndex || doc.SchemaVersion != 2 {
		return of("ref-02", a.violation("an OCI index of schemaVersion 2", quoteOr(string(a.body[:min(len(a.body), 80)]))))
	}
	return of("ref-02", a.typed(typeIndex))
}

// says demands that a list has one descriptor of a referrer, with all that it says.
func (r referrer) says(list []descriptor, a *answer) error {
	for _, d := range list {
		if d.Digest != r.want.Digest {
			continue
		}
		if d.MediaType != r.want.MediaType || d.Size != r.want.Size || d.ArtifactType != r.want.ArtifactType || !maps.Equal(d.Annotations, r.want.Annotations) {
			return a.violation(fmt.Sprintf("of the referrer %s %s", r.name, descriptorWords(r.want)), descriptorWords(d))
		}
		return nil
	}
	return a.violation("the referrer "+r.name+": "+r.want.Digest.String(), count(len(list), "other"))
}

// descriptorWords is what a descriptor says but for its digest.
func descriptorWords(d descriptor) string {
	return fmt.Sprintf("mediaType %s, size %d, artifactType %s, annotations %v", d.MediaType, d.Size, quoteOr(d.ArtifactType), d.Annotations)
}

var ref03 = &Check{
	ID: "ref-03", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref02, ref07},
	Doc:   "a referrer is listed with its type, size, artifactType and annotations, of whatever kind it is",
	Hurts: "clients that choose by them without pulling (cosign, oras discover)",
	Run: func(ctx context.Context, p *Probe) error {
		subject, err := p.stored(ctx, p.Repository, "subject", "tag")
		if err != nil {
			return err
		}
		kinds, err := p.kindsOfReferrers(ctx, subject.descriptor())
		if err != nil {
			return err
		}
		for _, k := range kinds {
			if _, err := p.putReferrer(ctx, k); err != nil {
				return err
			}
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err = first(err, a.isIndexIf(err)); err != nil {
			return err
		}
		for _, k := range kinds {
			if err := k.says(list, a); err != nil {
				return err
			}
		}
		return p.otherSubjects(ctx, kinds[0], subject)
	},
}

// otherSubjects refers to what is no image: to a referrer, and to an index.
func (p *Probe) otherSubjects(ctx context.Context, first referrer, image manifest) error {
	subjects := []descriptor{first.doc.manifest().descriptor()}
	if parent := index(typeIndex, image); p.takes(ctx, parent) {
		subjects = append(subjects, parent.descriptor())
	}
	for _, s := range subjects {
		r := first
		r.name, r.doc.Subject = "to what is no image", &s
		r.want = r.doc.manifest().descriptor()
		r.want.Annotations, r.want.ArtifactType = r.doc.Annotations, r.doc.ArtifactType
		if _, err := p.putReferrer(ctx, r); err != nil {
			return err
		}
		list, a, err := p.referrers(ctx, p.Repository, s.Digest, "")
		if err != nil {
			return err
		}
		if err := r.says(list, a); err != nil {
			return err
		}
	}
	return nil
}

func (a *answer) isIndexIf(err error) error {
	if err != nil {
		return err
	}
	return a.isIndex()
}

var ref04 = &Check{
	ID: "ref-04", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref07, ref03},
	Doc:   "referrers are those of the digest that was asked for, each once, though it was pushed twice",
	Hurts: "clients that verify signatures: one of another image counts",
	Run: withReferrers(func(ctx context.Context, p *Probe, subject, one, two manifest) error {
		other, err := p.stored(ctx, p.Repository, "other subject", "other")
		if err != nil {
			return err
		}
		if _, _, err := p.refer(ctx, "three", other.descriptor()); err != nil {
			return of("ref-07", err)
		}
		for _, reference := range []string{one.digest.String(), "one", "one"} {
			if err := p.store(ctx, p.Repository, one, reference); err != nil {
				return err
			}
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
		return p.untagged(ctx, subject, one, other)
	}),
}

// untagged moves the tag of a referrer, which is a referrer as long as it is there.
func (p *Probe) untagged(ctx context.Context, subject, one, other manifest) error {
	if err := p.store(ctx, p.Repository, other, "one"); err != nil {
		return err
	}
	there, err := p.getManifest(ctx, p.Repository, one.digest.String())
	if err != nil || there.status != http.StatusOK {
		return err
	}
	list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
	if err == nil && !slices.ContainsFunc(list, func(d descriptor) bool { return d.Digest == one.digest }) {
		return a.violation("a referrer that has lost its tag and is there", count(len(list), "other"))
	}
	return err
}

var ref05 = &Check{
	ID: "ref-05", Level: Must, Spec: "referrers", Requires: list{ref01, man03}, Uses: list{ref02, ref07, ref03},
	Doc:   "?artifactType= filters and says so by OCI-Filters-Applied, or does not and says nothing",
	Hurts: "clients that filter: they filter again, or trust a list that is not filtered",
	Run: func(ctx context.Context, p *Probe) error {
		subject, err := p.stored(ctx, p.Repository, "subject", "tag")
		if err != nil {
			return err
		}
		kinds, err := p.kindsOfReferrers(ctx, subject.descriptor())
		if err != nil {
			return err
		}
		near := kinds[0] // of a type that begins as another one does, and one that has a plus
		near.doc.ArtifactType += ".more+json"
		near.want = near.doc.manifest().descriptor()
		near.want.ArtifactType = near.doc.ArtifactType
		kinds = append(kinds, near)
		for _, k := range kinds {
			if _, err := p.putReferrer(ctx, k); err != nil {
				return err
			}
		}
		filters := true
		types := []string{"application/vnd.example.nothing"}
		for _, k := range kinds {
			types = append(types, k.want.ArtifactType)
		}
		for _, t := range types {
			done, err := p.filters(ctx, subject.digest, t, kinds)
			if err != nil {
				return err
			}
			filters = filters && done
		}
		if !filters {
			return &SkipError{Reason: "referrers are not filtered", FellBack: true}
		}
		return nil
	},
}

// filters reports whether a list is filtered by a type. A violation is one that is and
// says nothing of it, or that is not as it says.
func (p *Probe) filters(ctx context.Context, subject digest.Digest, artifactType string, all []referrer) (bool, error) {
	list, a, err := p.referrers(ctx, p.Repository, subject, "?artifactType="+url.QueryEscape(artifactType))
	if err = first(err, a.isIndexIf(err)); err != nil {
		return false, err
	}
	want := map[digest.Digest]bool{}
	for _, r := range all {
		if r.want.ArtifactType == artifactType {
			want[r.want.Digest] = true
		}
	}
	right := len(list) == len(want)
	for _, d := range list {
		right = right && want[d.Digest]
	}
	applied := strings.Contains(strings.ToLower(a.header.Get("Oci-Filters-Applied")), "artifacttype")
	switch {
	case applied && !right:
		return false, a.violation(count(len(want), "referrer")+" of type "+artifactType+", as OCI-Filters-Applied says", count(len(list), "referrer"))
	case !applied && len(list) < len(all):
		return false, a.violation("OCI-Filters-Applied: artifactType", quoteOr(a.header.Get("Oci-Filters-Applied")))
	}
	return applied, nil
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
		kinds, err := p.kindsOfReferrers(ctx, subject.descriptor())
		if err != nil {
			return err
		}
		for _, k := range append(kinds, kinds[0], kinds[1]) { // some again
			put, err := p.putReferrer(ctx, k)
			if err != nil {
				return err
			}
			if err := p.subjectSaid(ctx, put, k.want.Digest, subject.digest); err != nil {
				return err
			}
		}
		return p.subjectLater(ctx)
	},
	Uses: list{ref07},
}

// subjectLater does the same with a subject that comes after what refers to it.
func (p *Probe) subjectLater(ctx context.Context) error {
	doc, _ := p.image("later subject", typeImage)
	subject := doc.manifest()
	one, put, err := p.refer(ctx, "early", subject.descriptor())
	if err != nil {
		return of("ref-07", err)
	}
	if err := p.subjectSaid(ctx, put, one.digest, subject.digest); err != nil {
		return err
	}
	if _, err := p.stored(ctx, p.Repository, "later subject", "later"); err != nil {
		return err
	}
	return p.subjectSaid(ctx, put, one.digest, subject.digest)
}

// subjectSaid looks at what the answer to the PUT of a referrer says of its subject.
func (p *Probe) subjectSaid(ctx context.Context, put *answer, one, subject digest.Digest) error {
	said := put.header.Get("Oci-Subject")
	a, err := p.get(ctx, referrersPath(p.Repository, subject))
	if err != nil {
		return err
	}
	listed := false
	if a.status == http.StatusOK {
		list, _, err := p.referrers(ctx, p.Repository, subject, "")
		if err != nil {
			return err
		}
		listed = slices.ContainsFunc(list, func(d descriptor) bool { return d.Digest == one })
	}
	switch {
	case said == "" && a.status == http.StatusNotFound:
		return &SkipError{Reason: "there are no referrers"}
	case said == "" && listed:
		return put.violation("OCI-Subject "+subject.String(), "none")
	case said != "" && said != subject.String():
		return put.violation("OCI-Subject "+subject.String(), said)
	case said != "" && !listed:
		return a.violation("the referrer for which OCI-Subject was sent", a.said()+" without it")
	}
	return nil
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
		plain := referrer{name: "that is an index without a type", doc: document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &[]descriptor{s}, Subject: &s}}
		plain.want = plain.doc.manifest().descriptor()
		if _, err := p.putReferrer(ctx, plain); err != nil {
			return err
		}
		list, a, err := p.referrers(ctx, p.Repository, subject.digest, "")
		if err != nil {
			return err
		}
		return plain.says(list, a)
	},
}
