package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

func deleteChecks() list {
	return list{del01, del02, del03, del04, del05, del06, del07, del08, del09, del11, del12}
}

// deleted demands 202 of a deletion, or that a registry says that it has none.
func (a *answer) deleted() error {
	if a.status == http.StatusMethodNotAllowed || a.status == http.StatusBadRequest && slices.Contains(a.codes(), "UNSUPPORTED") {
		return &SkipError{Reason: "deletion is not supported"}
	}
	return a.want(http.StatusAccepted)
}

var del01 = &Check{
	ID: "del-01", Level: Must, Spec: "deleting tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "DELETE of a tag answers 202 and the tag is gone, from the list too, or that it is unsupported",
	Hurts: "clients that clean up tags (regctl, CI of forges)",
	Run: func(ctx context.Context, p *Probe) error {
		if _, err := p.stored(ctx, p.Repository, "image", "tag", "staying"); err != nil {
			return err
		}
		path := manifestPath(p.Repository, "tag")
		if err := p.warm(ctx, path); err != nil {
			return err
		}
		a, err := p.remove(ctx, path)
		if err != nil {
			return err
		}
		if err := a.deleted(); err != nil {
			return err
		}
		if err := p.gone(ctx, path); err != nil {
			return err
		}
		l, a, err := p.tags(ctx, p.Repository, "")
		if err == nil && slices.Contains(l.Tags, "tag") {
			return a.violation("a list without the tag that was deleted", strings.Join(l.Tags, " "))
		}
		return nil // else tag-01's business
	},
}

// warm asks for what is there, so that whoever remembers answers does.
func (p *Probe) warm(ctx context.Context, path string) error {
	for _, ask := range []func(context.Context, string, ...string) (*answer, error){p.head, p.get} {
		if _, err := ask(ctx, path, "Accept", acceptAll); err != nil {
			return err
		}
	}
	return nil
}

// gone demands that something is not there, by HEAD and by GET.
func (p *Probe) gone(ctx context.Context, path string) error {
	for _, ask := range []func(context.Context, string, ...string) (*answer, error){p.get, p.head} {
		a, err := ask(ctx, path, "Accept", acceptAll)
		if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
			return err
		}
	}
	return nil
}

var del02 = &Check{
	ID: "del-02", Level: Must, Spec: "deleting manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "DELETE of a manifest answers 202 and it is gone, or that it is unsupported",
	Hurts: "clients that clean up images",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image")
		if err != nil {
			return err
		}
		return p.removed(ctx, manifestPath(p.Repository, m.digest.String()))
	},
}

// removed demands that something that is there can be deleted, and is gone.
func (p *Probe) removed(ctx context.Context, path string) error {
	if err := p.warm(ctx, path); err != nil {
		return err
	}
	a, err := p.remove(ctx, path)
	if err != nil {
		return err
	}
	if err := a.deleted(); err != nil {
		return err
	}
	return p.gone(ctx, path)
}

var del03 = &Check{
	ID: "del-03", Level: Must, Spec: "deleting blobs", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "DELETE of a blob answers 202 and it is gone, or that it is unsupported",
	Hurts: "clients that clean up what a failed push left",
	Run: withBlob(70, func(ctx context.Context, p *Probe, b blob) error {
		return p.removed(ctx, blobPath(p.Repository, b.digest))
	}),
}

var del04 = &Check{
	ID: "del-04", Level: Must, Spec: "deleting blobs", Requires: list{del03},
	Doc:   "DELETE of a blob that is not there answers 404",
	Hurts: "clients that clean up: they cannot tell done from never there",
	Run: withBlob(70, func(ctx context.Context, p *Probe, _ blob) error {
		a, err := p.remove(ctx, blobPath(p.Repository, p.blob("absent", 20).digest))
		return first(err, a.wantIf(err, http.StatusNotFound))
	}),
}

var del05 = &Check{
	ID: "del-05", Level: Should, Silent: true, Spec: "deleting manifests", Requires: list{del02},
	Doc:   "DELETE of a manifest that is not there answers 404",
	Hurts: "clients that clean up: they cannot tell done from never there",
	Run: func(ctx context.Context, p *Probe) error {
		if _, err := p.stored(ctx, p.Repository, "image", "tag"); err != nil {
			return err
		}
		a, err := p.remove(ctx, manifestPath(p.Repository, p.blob("absent", 20).digest.String()))
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}

var del06 = &Check{
	ID: "del-06", Level: Must, Spec: "deleting manifests", Requires: list{del02}, Uses: list{tag01},
	Doc:   "a manifest that is deleted takes its tags with it, out of the list too, and nothing else",
	Hurts: "clients that list tags and then pull them: \"manifest unknown\"",
	Run: func(ctx context.Context, p *Probe) error {
		if _, err := p.stored(ctx, p.Repository, "staying", "staying"); err != nil {
			return err
		}
		m, err := p.stored(ctx, p.Repository, "image", "one", "two")
		if err != nil {
			return err
		}
		a, err := p.remove(ctx, manifestPath(p.Repository, m.digest.String()))
		if err = of("del-02", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		if err := first(p.gone(ctx, manifestPath(p.Repository, "one")), p.gone(ctx, manifestPath(p.Repository, "two"))); err != nil {
			return err
		}
		l, a, err := p.tags(ctx, p.Repository, "")
		if err == nil && !slices.Equal(l.Tags, []string{"staying"}) {
			return a.violation("the tag of the other image alone", strings.Join(l.Tags, " "))
		}
		if err != nil {
			return err
		}
		return p.outlives(ctx)
	},
}

// outlives demands that an image which has a tag stays, with its blobs, when another
// that has its layer and an index that names it are deleted.
func (p *Probe) outlives(ctx context.Context) error {
	kept, err := p.stored(ctx, p.Repository, "kept", "kept")
	if err != nil {
		return err
	}
	doc, blobs := p.image("kept", kept.mediaType)
	config := p.config("other")
	if err := p.push(ctx, p.Repository, config); err != nil {
		return err
	}
	c := config.descriptor(doc.Config.MediaType)
	doc.Config = &c
	sibling, parent := doc.manifest(), index(typeIndex, kept)
	for _, m := range []manifest{sibling, parent} {
		a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			continue // man-04's business
		}
		if a, err = p.remove(ctx, manifestPath(p.Repository, m.digest.String())); err != nil {
			return err
		}
		if err := of("del-02", a.want(http.StatusAccepted)); err != nil {
			return err
		}
	}
	if err := p.gives(ctx, "kept", kept); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := p.readable(ctx, blobPath(p.Repository, b.digest), b); err != nil {
			return err
		}
	}
	return nil
}

var del07 = &Check{
	ID: "del-07", Level: Must, Silent: true, Spec: "deleting tags", Requires: list{del01},
	Doc:   "a tag that is deleted leaves its manifest and the other tags alone",
	Hurts: "users who delete one of two tags: the image is gone",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "one", "two")
		if err != nil {
			return err
		}
		a, err := p.remove(ctx, manifestPath(p.Repository, "one"))
		if err = of("del-01", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		for _, reference := range []string{"two", m.digest.String()} {
			a, err = p.getManifest(ctx, p.Repository, reference)
			if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data)); err != nil {
				return err
			}
		}
		if _, err := p.remove(ctx, manifestPath(p.Repository, "two")); err != nil {
			return err
		}
		if a, err = p.getManifest(ctx, p.Repository, m.digest.String()); err == nil { // it may be collected, as what has no tag
			p.note("deletion of an image's last tag", map[bool]string{true: "the image stays", false: "the image goes"}[a.status == http.StatusOK])
		}
		return err
	},
}

var del08 = &Check{
	ID: "del-08", Level: Must, Silent: true, Spec: "deleting blobs", Requires: list{del02, del03},
	Doc:   "what was deleted can be pushed again and pulled",
	Hurts: "everybody who pushes after a clean-up: a stale cache says that it is there",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		b := p.blob("layer image", 120)
		for _, path := range []string{manifestPath(p.Repository, m.digest.String()), blobPath(p.Repository, b.digest)} {
			a, err := p.remove(ctx, path)
			if err = of("del-02", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
				return err
			}
		}
		a, err := p.head(ctx, blobPath(p.Repository, b.digest))
		if err = of("del-03", first(err, a.wantIf(err, http.StatusNotFound))); err != nil {
			return err
		}
		if _, err := p.stored(ctx, p.Repository, "image", "tag"); err != nil {
			return err
		}
		if err := p.readable(ctx, blobPath(p.Repository, b.digest), b); err != nil {
			return err
		}
		for _, reference := range []string{"tag", m.digest.String()} {
			a, err = p.getManifest(ctx, p.Repository, reference)
			if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data)); err != nil {
				return err
			}
			a, err = p.head(ctx, manifestPath(p.Repository, reference), "Accept", acceptAll)
			if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
				return err
			}
		}
		return nil
	},
}

var del09 = &Check{
	ID: "del-09", Level: Must, Silent: true, Spec: "isolation", Requires: list{del03}, Uses: list{mono03, man03},
	Doc:   "a blob, a manifest or a tag that is deleted in one repository stays in another",
	Hurts: "users of a shared registry: one deletes the images of others",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("layer image", 120)
		var m manifest
		for _, repository := range []string{p.Repository, p.Other} {
			var err error
			if m, err = p.stored(ctx, repository, "image", "tag", "other"); err != nil {
				return err
			}
		}
		a, err := p.remove(ctx, blobPath(p.Other, b.digest))
		if err = of("del-03", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		for _, reference := range []string{"tag", m.digest.String()} {
			if _, err := p.remove(ctx, manifestPath(p.Other, reference)); err != nil { // what it says is del-01's and del-02's business
				return err
			}
		}
		for _, reference := range []string{"tag", "other", m.digest.String()} {
			if err := p.gives(ctx, reference, m); err != nil {
				return err
			}
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}

var del12 = &Check{
	ID: "del-12", Level: May, Spec: "deleting manifests", Requires: list{ping01},
	Doc:   "where there is no deletion, 405 says so",
	Hurts: "clients that clean up: they cannot tell forbidden from not there",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.remove(ctx, manifestPath(p.Repository, "absent"))
		if err != nil || a.status == http.StatusNotFound || a.status == http.StatusAccepted {
			return err
		}
		return a.want(http.StatusMethodNotAllowed, http.StatusBadRequest)
	},
}

var del11 = &Check{
	ID: "del-11", Level: Should, Silent: true, Spec: "deleting blobs", Requires: list{del03},
	Doc:   "a second DELETE of a blob answers 404, or 202 again",
	Hurts: "clients that repeat a DELETE whose answer was lost",
	Run: withBlob(70, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.remove(ctx, blobPath(p.Repository, b.digest))
		if err = of("del-03", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		a, err = p.remove(ctx, blobPath(p.Repository, b.digest))
		return first(err, a.wantIf(err, http.StatusNotFound, http.StatusAccepted))
	}),
}
