package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func pagingChecks() list { return list{tag03, tag04, tag05, tag06, tag07, tag09, tag10} }

var tag03 = &Check{
	ID: "tag-03", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "?n= limits the list of tags",
	Hurts: "clients that page: they get more than they make room for",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, tags []string) error {
		for _, n := range []int{2, 1, 3, len(tags) - 1, len(tags), len(tags) + 1} {
			l, a, err := p.tags(ctx, p.Repository, fmt.Sprintf("?n=%d", n))
			if err != nil {
				return err
			}
			if err := l.page(a, min(n, len(tags))); err != nil {
				return err
			}
		}
		return nil
	}),
}

// page demands that a list has so many tags, or fewer and a Link to the rest.
func (l tagList) page(a *answer, n int) error {
	if len(l.Tags) > n || len(l.Tags) == 0 {
		return a.violation(count(n, "tag"), strings.Join(l.Tags, " "))
	}
	if len(l.Tags) < n && nextLink(a) == "" {
		return a.violation(count(n, "tag")+", or a Link to the rest", "fewer and no Link")
	}
	return nil
}

var tag04 = &Check{
	ID: "tag-04", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03, tag01, tag03},
	Doc:   "?last= goes on after that tag, with ?n= and without, and after the last one there is nothing",
	Hurts: "clients that page by the last tag: they never end",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		whole, _, err := p.tags(ctx, p.Repository, "")
		if err = of("tag-01", err); err != nil {
			return err
		}
		if len(whole.Tags) < 3 {
			return &SkipError{Reason: "tags are missing from the list"}
		}
		for i, tag := range whole.Tags {
			rest := whole.Tags[i+1:]
			for _, query := range []string{"?n=100&last=", "?last="} {
				l, a, err := p.tags(ctx, p.Repository, query+url.QueryEscape(tag))
				if err != nil {
					return err
				}
				if !slices.Equal(l.Tags, rest) {
					return a.violation("the tags after "+tag+": "+cmp.Or(strings.Join(rest, " "), "none"), strings.Join(l.Tags, " "))
				}
			}
			if len(rest) < 2 {
				continue
			}
			l, a, err := p.tags(ctx, p.Repository, "?n=1&last="+url.QueryEscape(tag))
			if err != nil {
				return err
			}
			if !slices.Equal(l.Tags, rest[:1]) {
				return a.violation("the one tag after "+tag+": "+rest[0], strings.Join(l.Tags, " "))
			}
		}
		return nil
	}),
}

var tag05 = &Check{
	ID: "tag-05", Level: Must, Spec: "tags", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "?n=0 answers an empty list and no Link, whatever ?last= says",
	Hurts: "clients that ask so whether a repository exists: two registries panic",
	Run: withTags(func(ctx context.Context, p *Probe, _ manifest, _ []string) error {
		for _, query := range []string{"?n=0", "?n=0&last=9"} {
			l, a, err := p.tags(ctx, p.Repository, query)
			if err != nil {
				return err
			}
			if len(l.Tags) > 0 || a.header.Get("Link") != "" {
				return a.violation("no tags and no Link", strings.Join(l.Tags, " ")+" "+a.header.Get("Link"))
			}
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
	Doc:   "a large ?n=, and none, is served, cut with a Link, or refused with a 4xx",
	Hurts: "clients that ask for all at once: tags are left out in silence",
	Run: func(ctx context.Context, p *Probe) error {
		const tags = 60
		m, err := p.stored(ctx, p.Repository, "image", "t00")
		if err != nil {
			return err
		}
		if err := together(6, tags-1, func(i int) error { return p.store(ctx, p.Repository, m, fmt.Sprintf("t%02d", i+1)) }); err != nil {
			return err
		}
		for _, query := range []string{"?n=1001", "?n=10000", "?n=2147483647", "?n=4294967297", "?n=100", "?n=59", ""} {
			a, err := p.get(ctx, tagsPath(p.Repository, query))
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
			if json.Unmarshal(a.body, &l) != nil || len(l.Tags) < tags-1 && nextLink(a) == "" {
				return a.violation(count(tags, "tag")+", or a Link to the rest", count(len(l.Tags), "tag"))
			}
		}
		return nil
	},
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
		ignoringCase := append([]string{"a", "B"}, tags[4:]...)
		if err == nil && !slices.Equal(l.Tags, tags[2:]) && !slices.Equal(l.Tags, ignoringCase) {
			return a.violation("the tags after 9a: "+strings.Join(tags[2:], " "), strings.Join(l.Tags, " "))
		}
		return err
	}),
}
