package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A tagList is what tags/list answers.
type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// tags asks for a list of tags.
func (p *Probe) tags(ctx context.Context, repository, query string) (tagList, *answer, error) {
	a, err := p.get(ctx, tagsPath(repository, query))
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return tagList{}, a, err
	}
	var l tagList
	if err := json.Unmarshal(a.body, &l); err != nil {
		return l, a, a.violation(`JSON such as {"name": …, "tags": […]}`, excerpt(a.body))
	}
	return l, a, nil
}

// tags is the list of tags that an answer holds.
func (a *answer) tags() (l tagList, err error) {
	if err := a.want(http.StatusOK); err != nil {
		return l, err
	}
	if json.Unmarshal(a.body, &l) != nil {
		return l, a.violation("a list of tags", excerpt(a.body))
	}
	return l, nil
}

// nextLink is the target of a Link of rel="next", as given; "" where there is none.
func nextLink(a *answer) string {
	for _, line := range a.header.Values("Link") {
		target, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "<"), ">")
		if ok && strings.Contains(strings.ReplaceAll(strings.ToLower(rest), " ", ""), `rel="next"`) || ok && strings.Contains(strings.ToLower(rest), "rel=next") {
			return target
		}
	}
	return ""
}

// walk follows Links from a path, and gives each answer to take.
func (p *Probe) walk(ctx context.Context, path string, take func(a *answer) error) error {
	next := path
	for range 200 {
		a, err := p.get(ctx, next)
		if err != nil {
			return err
		}
		if err := take(a); err != nil {
			return err
		}
		link := nextLink(a)
		if link == "" {
			return nil
		}
		u, err := a.url.Parse(link)
		if err != nil {
			return a.violation("a Link that is a URL", quoteOr(link))
		}
		if next = u.String(); !p.sameHost(u) {
			return a.violation("a Link to the registry itself", link)
		}
	}
	return fmt.Errorf("after 200 pages of %s there is another one", path)
}
