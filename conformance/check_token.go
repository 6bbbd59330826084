package conformance

import (
	"context"
	"net/http"
	"net/url"
)

// tokenChecks look at what tokens open.
func tokenChecks() list { return list{auth07, auth09, auth10} }

// scoped is a token for what a scope says, and for nothing else.
//
// Errors: a *SkipError when there are no tokens, or the service gives none for it.
func (p *Probe) scoped(ctx context.Context, scope string) (string, error) {
	a, err := p.demand(ctx)
	if err != nil {
		return "", err
	}
	c, err := a.bearer()
	if err != nil {
		return "", err
	}
	if p.credentials.RegistryToken != "" {
		return "", &SkipError{Reason: "the token was given"}
	}
	realm, err := url.Parse(c.params["realm"])
	if err != nil {
		return "", a.violation("a realm that is a URL", c.params["realm"])
	}
	if err := p.trusts(realm); err != nil {
		return "", err
	}
	q := realm.Query()
	q.Set("service", c.params["service"])
	q.Set("scope", scope)
	realm.RawQuery = q.Encode()
	value := ""
	if p.credentials.Username != "" {
		value = p.basicValue()
	}
	said, err := p.decodeToken(p.askRealm(ctx, realm, value))
	return said.reply.word(), err
}

// with starts an upload with a token.
func (p *Probe) with(ctx context.Context, token, repository string) (*answer, error) {
	a, err := p.send(ctx, request{
		method: http.MethodPost, url: uploadsPath(repository), body: []byte{}, bare: true, header: header("Authorization", "Bearer "+token),
	})
	a.req.header = nil // no command shows it
	return a, err
}

// shut demands that a token does not open a repository.
func (a *answer) shut() error { return a.want(http.StatusUnauthorized, http.StatusForbidden) }

var auth07 = &Check{
	ID: "auth-07", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "a token that may pull alone is refused whatever changes a repository, with 401 or 403",
	Hurts: "operators: who may read may write",
	Run: func(ctx context.Context, p *Probe) error {
		token, err := p.scoped(ctx, "repository:"+p.Repository+":pull")
		if err != nil {
			return err
		}
		if err := p.fill(ctx, p.Repository); err != nil {
			return err
		}
		return p.shut(ctx, token, p.writes(p.Repository))
	},
}

var auth09 = &Check{
	ID: "auth-09", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "a token for one repository is refused at another, to write and, where not everybody may, to read",
	Hurts: "users of a shared registry: who may push to one repository writes to another",
	Run: func(ctx context.Context, p *Probe) error {
		token, err := p.scoped(ctx, "repository:"+p.Repository+":pull,push")
		if err != nil {
			return err
		}
		if err := p.fill(ctx, p.Other); err != nil {
			return err
		}
		var closed []access
		for _, r := range p.reads(p.Other) {
			a, err := p.as(ctx, "", r.request)
			if err != nil {
				return err
			}
			if a.status == http.StatusUnauthorized {
				closed = append(closed, r)
			}
		}
		near := append(p.writes(p.Repository+"x"), p.writes(p.Repository+"/below")...)
		return p.shut(ctx, token, append(append(closed, p.writes(p.Other)...), near...))
	},
}

var auth10 = &Check{
	ID: "auth-10", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "a token of which one character was changed is refused",
	Hurts: "operators: anybody can make himself a token",
	Run: func(ctx context.Context, p *Probe) error {
		token, err := p.scoped(ctx, "repository:"+p.Repository+":pull,push")
		if err != nil {
			return err
		}
		middle, other := len(token)/2, byte('A')
		if token[middle] == other {
			other = 'B'
		}
		a, err := p.with(ctx, token[:middle]+string(other)+token[middle+1:], p.Repository)
		if err != nil {
			return err
		}
		return a.shut()
	},
}
