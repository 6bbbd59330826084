package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func tagChecks() list { return list{tag01, tag02, tag11, tag12, tag13, tag14, tag15, tag17} }

// fiveTags are tags in their order, of which some would sort otherwise as numbers
// or without case.
func fiveTags() []string { return []string{"10", "9", "B", "a", "b.1"} }

// withTags makes a check of a repository of five tags, pushed out of order.
func withTags(run func(ctx context.Context, p *Probe, m manifest, tags []string) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		tags := fiveTags()
		m, err := p.stored(ctx, p.Repository, "image", tags[3], tags[1], tags[4], tags[0], tags[2])
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
	Doc:   "tags of 129 characters, or with a dot in front, are refused",
	Hurts: "clients, none of which can pull such a tag",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "plain")
		if err != nil {
			return err
		}
		for _, tag := range []string{strings.Repeat("t", 129), ".dot", "-dash", "with%20space"} {
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
	Doc:   "tags that differ in case alone are two tags",
	Hurts: "users of such tags: one overwrites the other",
	Run: func(ctx context.Context, p *Probe) error {
		lower, err := p.stored(ctx, p.Repository, "lower", "case")
		if err != nil {
			return err
		}
		if _, err := p.stored(ctx, p.Repository, "upper", "CASE"); err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, "case")
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(lower.data))
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
		l, a, err := p.tags(ctx, p.Repository, "")
		if err == nil && !slices.Contains(l.Tags, "tag") {
			return a.violation("the tag in the list", strings.Join(l.Tags, " "))
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

func pagingChecks() list { return list{tag03, tag04, tag05, tag06, tag07, tag09, tag10} }

var tag03 = &Check{
	ID: "tag-03", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "?n= limits the list of tags",
	Hurts: "clients that page: they get more than they make room for",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		l, a, err := p.tags(ctx, p.Repository, "?n=2")
		if err != nil {
			return err
		}
		if len(l.Tags) > 2 || len(l.Tags) == 0 {
			return a.violation("2 tags", strings.Join(l.Tags, " "))
		}
		if len(l.Tags) < 2 && nextLink(a) == "" {
			return a.violation("2 tags, or a Link to the rest", "fewer and no Link")
		}
		return nil
	}),
}

var tag04 = &Check{
	ID: "tag-04", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03, tag01},
	Doc:   "?last= goes on after that tag, and after the last one there is nothing",
	Hurts: "clients that page by the last tag: they never end",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		whole, _, err := p.tags(ctx, p.Repository, "")
		if err = of("tag-01", err); err != nil {
			return err
		}
		if len(whole.Tags) < 3 {
			return &SkipError{Reason: "tags are missing from the list"}
		}
		l, a, err := p.tags(ctx, p.Repository, "?n=100&last="+url.QueryEscape(whole.Tags[1]))
		if err == nil && !slices.Equal(l.Tags, whole.Tags[2:]) {
			return a.violation("the tags after "+whole.Tags[1]+": "+strings.Join(whole.Tags[2:], " "), strings.Join(l.Tags, " "))
		}
		if err != nil {
			return err
		}
		end := whole.Tags[len(whole.Tags)-1]
		l, a, err = p.tags(ctx, p.Repository, "?n=100&last="+url.QueryEscape(end))
		if err == nil && len(l.Tags) > 0 {
			return a.violation("nothing after "+end+", the last tag", strings.Join(l.Tags, " "))
		}
		return err
	}),
}

var tag05 = &Check{
	ID: "tag-05", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "?n=0 answers an empty list and no Link",
	Hurts: "clients that ask so whether a repository exists: two registries panic",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		l, a, err := p.tags(ctx, p.Repository, "?n=0")
		if err != nil {
			return err
		}
		if len(l.Tags) > 0 || a.header.Get("Link") != "" {
			return a.violation("no tags and no Link", strings.Join(l.Tags, " ")+" "+a.header.Get("Link"))
		}
		return nil
	}),
}

// A registry may leave Link out ("A Link header MAY be included in the response when
// additional tags are available"): then one pages by the last tag. What it sends must
// be right.
var tag06 = &Check{
	ID: "tag-06", Level: Must, Spec: "tags", Requires: list{tag03},
	Doc:   "following Link from page to page, where there is one, gives every tag once",
	Hurts: "clients that page: they miss tags or never end",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		var seen []string
		var last *answer
		err := p.walk(ctx, tagsPath(p.Repository, "?n=2"), func(a *answer) error {
			l, err := a.tags()
			if err != nil {
				return err
			}
			if last == nil && len(l.Tags) < len(tags) {
				if a.header.Get("Link") == "" {
					return &SkipError{Reason: "a page has no Link to the next", FellBack: true}
				}
				if nextLink(a) == "" {
					return a.violation(`a Link such as </v2/…>; rel="next"`, quoteOr(a.header.Get("Link")))
				}
			}
			seen, last = append(seen, l.Tags...), a
			if len(seen) > len(tags) {
				return a.violation(count(len(tags), "tag")+" in all", strings.Join(seen, " "))
			}
			return nil
		})
		slices.Sort(seen)
		if err == nil && !slices.Equal(seen, tags) {
			return last.violation("every tag once: "+strings.Join(tags, " "), strings.Join(seen, " "))
		}
		return err
	}),
}

var tag07 = &Check{
	ID: "tag-07", Level: Must, Silent: true, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a large ?n= is served, cut with a Link, or refused with a 4xx",
	Hurts: "clients that ask for all at once: tags are left out in silence",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		for _, n := range []string{"1001", "10000", "2147483647"} {
			a, err := p.get(ctx, tagsPath(p.Repository, "?n="+n))
			if err != nil {
				return err
			}
			if a.status != http.StatusOK {
				if err := a.refused(); err != nil {
					return err
				}
				continue
			}
			var l tagList
			if json.Unmarshal(a.body, &l) != nil || len(l.Tags) < len(tags) && nextLink(a) == "" {
				return a.violation(count(len(tags), "tag")+", or a Link to the rest", count(len(l.Tags), "tag"))
			}
		}
		return nil
	}),
}

var tag09 = &Check{
	ID: "tag-09", Level: Should, Silent: true, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a ?n= that is no number, or below 0, is refused with a 4xx",
	Hurts: "clients with a mistake: two registries drop the connection",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		for _, n := range []string{"-1", "abc"} {
			a, err := p.get(ctx, tagsPath(p.Repository, "?n="+n))
			if err = first(err, a.refusedIf(err)); err != nil {
				return err
			}
		}
		return nil
	}),
}

var tag10 = &Check{
	ID: "tag-10", Level: Should, Silent: true, Spec: "tags", Requires: list{tag01, tag04},
	Doc:   "?last= of a tag that is not there goes on where it would be",
	Hurts: "clients that page while tags are deleted",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		l, a, err := p.tags(ctx, p.Repository, "?n=100&last=9a")
		if err == nil && !slices.Equal(l.Tags, tags[2:]) && !slices.Equal(l.Tags, []string{"a", "B", "b.1"}) {
			return a.violation("the tags after 9a: "+strings.Join(tags[2:], " "), strings.Join(l.Tags, " "))
		}
		return err
	}),
}
