package conformance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func authChecks() list { return list{auth01, auth02, auth03, auth05, auth06, auth14} }

// demand asks as nobody to push. It is a skip when nobody may.
func (p *Probe) demand(ctx context.Context) (*answer, error) {
	a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, bare: true})
	if err == nil && a.status != http.StatusUnauthorized && !p.known() {
		return a, &SkipError{Reason: "the registry asks nobody who he is"}
	}
	return a, err
}

// known reports whether there are credentials.
func (p *Probe) known() bool {
	return p.credentials.Username != "" || p.credentials.RegistryToken != ""
}

var auth01 = &Check{
	ID: "auth-01", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{ping01},
	Doc:   "where there are credentials, what changes a repository is refused without them, and an upload with 401",
	Hurts: "operators: everybody may push, or delete",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.demand(ctx)
		if err != nil {
			return err
		}
		if p.known() && a.status == http.StatusAccepted {
			ping, err := p.send(ctx, request{method: http.MethodGet, url: "/v2/", bare: true})
			if err == nil && ping.status == http.StatusOK {
				return &SkipError{Reason: "the registry asks nobody who he is"}
			}
		}
		if err := a.want(http.StatusUnauthorized); err != nil {
			return err
		}
		if err := p.fill(ctx, p.Repository); err != nil {
			return err
		}
		for _, r := range p.writes(p.Repository) {
			a, err := p.as(ctx, "", r.request)
			if err = first(err, a.wantIf(err, append(r.lack(), http.StatusUnauthorized, http.StatusForbidden)...)); err != nil {
				return err
			}
		}
		return nil
	},
}

var auth02 = &Check{
	ID: "auth-02", Level: Must, Spec: "HTTP authentication", Requires: list{auth01},
	Doc:   "a 401 says by WWW-Authenticate how to get in",
	Hurts: "every client: it has credentials and does not know what to do with them",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.demand(ctx)
		if err != nil {
			return err
		}
		for _, c := range challengesOf(a.header) {
			if c.scheme == "basic" || c.scheme == "bearer" && c.params["realm"] != "" {
				return nil
			}
		}
		return a.violation("a challenge of Basic, or of Bearer with a realm", quoteOr(a.header.Get("WWW-Authenticate")))
	},
}

var auth03 = &Check{
	ID: "auth-03", Level: Must, Silent: true, Spec: "HTTP authentication", Requires: list{auth02},
	Doc:   "one who answers the challenge gets in",
	Hurts: "every client: Azure once named a scheme that it then refused",
	Run: func(ctx context.Context, p *Probe) error {
		if !p.known() {
			return &SkipError{Reason: "there are no credentials to answer with"}
		}
		a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}})
		return first(err, a.wantIf(err, http.StatusAccepted))
	},
}

// bearer is the Bearer challenge of an answer.
func (a *answer) bearer() (challenge, error) {
	for _, c := range challengesOf(a.header) {
		if c.scheme == "bearer" {
			return c, nil
		}
	}
	return challenge{}, &SkipError{Reason: "there are no tokens"}
}

var auth05 = &Check{
	ID: "auth-05", Level: Should, Spec: "docker tokens", Requires: list{auth02},
	Doc:   "a Bearer challenge names the service, and the scope that the request needs",
	Hurts: "containerd and clients that ask for what it says: they go round in circles",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.demand(ctx)
		if err != nil {
			return err
		}
		c, err := a.bearer()
		if err != nil {
			return err
		}
		if c.params["service"] == "" || !strings.Contains(c.params["scope"], "repository:"+p.Repository+":") || !strings.Contains(c.params["scope"], "push") {
			return a.violation(`service, and scope "repository:`+p.Repository+`:pull,push"`, a.header.Get("WWW-Authenticate"))
		}
		for _, r := range append(p.writes(p.Repository), p.reads(p.Repository)...) {
			a, err := p.as(ctx, "", r.request)
			if err != nil {
				return err
			}
			if _, err := a.bearer(); err != nil || a.status != http.StatusUnauthorized {
				continue // others may read, or it is another check's business
			}
			if scopes := a.scopes(); !slices.ContainsFunc(r.rights, func(right string) bool { return grants(scopes, p.Repository, right) }) {
				return a.violation(`a scope "repository:`+p.Repository+`:…" with `+joinOr(r.rights), a.header.Get("WWW-Authenticate"))
			}
		}
		return nil
	},
}

var auth06 = &Check{
	ID: "auth-06", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth02},
	Doc:   "a wrong password is refused with 401 or 403",
	Hurts: "operators, if it is taken; users, if it looks like an outage",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.demand(ctx)
		if err != nil {
			return err
		}
		wrong := request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, bare: true}
		c, err := a.bearer()
		if err == nil {
			realm, perr := url.Parse(c.params["realm"])
			if perr != nil {
				return a.violation("a realm that is a URL", c.params["realm"])
			}
			if err := p.trusts(realm); err != nil {
				return err
			}
			q := realm.Query()
			q.Set("service", c.params["service"])
			q.Add("scope", c.params["scope"])
			realm.RawQuery = q.Encode()
			wrong = request{method: http.MethodGet, url: realm.String(), bare: true, realm: true}
		}
		wrong.header = header("Authorization", basicOf("pushcheck-nobody", "not-the-password"))
		a, err = p.send(ctx, wrong)
		return first(err, a.wantIf(err, http.StatusUnauthorized, http.StatusForbidden))
	},
}

var auth14 = &Check{
	ID: "auth-14", Level: Should, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "a token lives for at least a minute",
	Hurts: "docker, which takes a token for good for a minute and fails in mid-push",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.demand(ctx)
		if err != nil {
			return err
		}
		c, err := a.bearer()
		if err != nil {
			return err
		}
		if p.credentials.RegistryToken != "" {
			return &SkipError{Reason: "the token was given"}
		}
		said, err := p.fetchToken(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository)}, c)
		if err != nil {
			return err
		}
		if n := said.reply.ExpiresIn; n != 0 && n < 60 {
			return said.answer.violation("expires_in of 60 or more, or none", count(n, "second"))
		}
		return nil
	},
}
