package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func tagChecks() list { return list{tag01, tag02, tag11, tag12, tag13, tag14, tag15, tag17} }

// someTags are tags in their order, of which some would sort otherwise as numbers
// or without case, or are not like the others to some registries.
func someTags() []string {
	return []string{"10", "9", "B", "a", "b.1", "latest", "sha256-" + strings.Repeat("0f", 32)}
}

// withTags makes a check of a repository of some tags, pushed out of order.
func withTags(run func(ctx context.Context, p *Probe, m manifest, tags []string) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		tags := someTags()
		m, err := p.stored(ctx, p.Repository, "image", tags[3], tags[1], tags[6], tags[4], tags[0], tags[2], tags[5])
		if err != nil {
			return err
		}
		return run(ctx, p, m, tags)
	}
}

var tag01 = &Check{
	ID: "tag-01", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "the list of tags has every tag once, in lexical order",
	Hurts: "clients that page by the last tag (skopeo sync, mirrors): they miss some",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		l, a, err := p.tags(ctx, p.Repository, "")
		if err != nil {
			return err
		}
		ignoringCase := slices.Clone(tags)
		slices.SortStableFunc(ignoringCase, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		if !slices.Equal(l.Tags, tags) && !slices.Equal(l.Tags, ignoringCase) {
			return a.violation("tags "+strings.Join(tags, " "), strings.Join(l.Tags, " "))
		}
		return nil
	}),
}

var tag02 = &Check{
	ID: "tag-02", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "the list of tags names its repository, and its tags are a list",
	Hurts: "clients that decode it strictly",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		l, a, err := p.tags(ctx, p.Repository, "")
		if err != nil {
			return err
		}
		if l.Name != p.Repository {
			return a.violation("name "+p.Repository, quoteOr(l.Name))
		}
		if a, err = p.get(ctx, tagsPath(p.Repository, "?n=0")); err != nil || a.status != http.StatusOK {
			return err // tag-05's business
		}
		var empty struct{ Tags *[]string }
		if json.Unmarshal(a.body, &empty) != nil || empty.Tags == nil {
			return a.violation("tags that are a list, though an empty one", excerpt(a.body))
		}
		return nil
	}),
}

var tag11 = &Check{
	ID: "tag-11", Level: Must, Pull: true, Spec: "tags", Requires: list{ping01},
	Doc:   "the tags of a repository that is not there are 404",
	Hurts: "clients that ask whether a repository exists",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, tagsPath(p.Repository+"/nothing", ""))
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}

var tag12 = &Check{
	ID: "tag-12", Level: Must, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "tags of 128 characters, with capitals, dots and underscores, are taken",
	Hurts: "users of such tags, which docker allows",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "plain")
		if err != nil {
			return err
		}
		unusual := []string{strings.Repeat("t", 128), "_v1.2-RC_3", "UPPER"}
		for _, tag := range unusual {
			a, err := p.putManifest(ctx, p.Repository, tag, m)
			if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
				return err
			}
			a, err = p.getManifest(ctx, p.Repository, tag)
			if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
				return err
			}
		}
		l, a, err := p.tags(ctx, p.Repository, "?n=100")
		if err != nil {
			return nil //nolint:nilerr // tag-01's business
		}
		for _, tag := range unusual {
			if !slices.Contains(l.Tags, tag) {
				return a.violation("the tag "+tag+" in the list", strings.Join(l.Tags, " "))
			}
		}
		return nil
	},
}

var tag13 = &Check{
	ID: "tag-13", Level: Must, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "tags of 129 characters, with a dot in front or with other signs, are refused",
	Hurts: "clients, none of which can pull such a tag",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "plain")
		if err != nil {
			return err
		}
		for _, tag := range []string{strings.Repeat("t", 129), ".dot", "-dash", "with%20space", "with+plus", "with%2Bplus", "with~tilde", "%C3%A4"} {
			a, err := p.putManifest(ctx, p.Repository, tag, m)
			if err = first(err, a.refusedIf(err)); err != nil {
				return err
			}
		}
		return nil
	},
}

var tag14 = &Check{
	ID: "tag-14", Level: Should, Silent: true, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "tags that differ in case alone are two tags, and what only resembles a tag is none",
	Hurts: "users of such tags: one overwrites the other, or is given for it",
	Run: func(ctx context.Context, p *Probe) error {
		lower, err := p.stored(ctx, p.Repository, "lower", "case")
		if err != nil {
			return err
		}
		if _, err := p.stored(ctx, p.Repository, "upper", "CASE"); err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, "case")
		if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(lower.data)); err != nil {
			return err
		}
		for _, near := range []string{"Case", "cas", "cas_", "case.", "_", lower.digest.Encoded()[:12], lower.digest.Encoded()} {
			if err := p.gone(ctx, manifestPath(p.Repository, near)); err != nil {
				return err
			}
		}
		return nil
	},
}

var tag15 = &Check{
	ID: "tag-15", Level: Must, Silent: true, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a tag can be pulled, and is listed, as soon as its push was answered",
	Hurts: "docker manifest and openshift, which go on at once: \"manifest unknown\"",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, "tag")
		if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data)); err != nil {
			return err
		}
		want := []string{"tag"}
		if m.mediaType == typeImage {
			a, err := p.putManifest(ctx, p.Repository, "index", index(typeIndex, m))
			if err != nil {
				return err
			}
			if a.status == http.StatusCreated { // else man-04's business
				want = append(want, "index")
			}
		}
		l, a, err := p.tags(ctx, p.Repository, "")
		for _, tag := range want {
			if err == nil && !slices.Contains(l.Tags, tag) {
				return a.violation("the tag "+tag+" in the list", strings.Join(l.Tags, " "))
			}
		}
		return err
	},
}

var tag17 = &Check{
	ID: "tag-17", Level: May, Pull: true, Silent: true, Spec: "docker v2", Requires: list{ping01}, Uses: list{mono02, mono03, man03},
	Doc:   "the catalogue of repositories is a list, or is not there",
	Hurts: "tools that copy whole registries",
	Run: func(ctx context.Context, p *Probe) error {
		if _, _, _, err := p.tagged(ctx); err != nil { // there is a repository to list
			return err
		}
		a, err := p.get(ctx, "/v2/_catalog?n=1")
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			if err := a.want(401, 403, 404, 405); err != nil {
				return err
			}
			return &SkipError{Reason: "there is no catalogue"}
		}
		var l struct{ Repositories *[]string }
		if json.Unmarshal(a.body, &l) != nil || l.Repositories == nil {
			return a.violation(`JSON such as {"repositories": […]}`, excerpt(a.body))
		}
		return nil
	},
}
