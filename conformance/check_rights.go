package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// rightsChecks look at who may do what, and how long.
func rightsChecks() list { return list{auth08, auth11, auth12, auth15, auth17, auth18, auth19, auth20} }

// spoiled is an Authorization that was good once: a token of which one character
// was changed, or a wrong password.
//
// Errors: a *SkipError when nobody has to say who he is.
func (p *Probe) spoiled(ctx context.Context) (string, error) {
	a, err := p.demand(ctx)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusUnauthorized {
		return "", &SkipError{Reason: "the registry asks nobody who he is"}
	}
	if _, err := a.bearer(); err != nil {
		return basicOf(p.credentials.Username, "not-the-password"), nil
	}
	token, err := p.scoped(ctx, "repository:"+p.Repository+":pull,push")
	if err != nil {
		return "", err
	}
	return "Bearer " + spoil(token), nil
}

// spoil changes one character of a token.
func spoil(token string) string {
	middle, other := len(token)/2, byte('A')
	if token[middle] == other {
		other = 'B'
	}
	return token[:middle] + string(other) + token[middle+1:]
}

// as sends a request with an Authorization of its own.
func (p *Probe) as(ctx context.Context, authorization string, r request) (*answer, error) {
	r.bare = true
	if r.header == nil {
		r.header = http.Header{}
	}
	if authorization != "" {
		r.header.Set("Authorization", authorization)
	}
	a, err := p.send(ctx, r)
	a.req.header.Del("Authorization") // no command shows it
	return a, err
}

var auth08 = &Check{
	ID: "auth-08", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03, chunk01}, Uses: list{chunk05, chunk10, mono03},
	Doc:   "an upload outlives a token that is no good any more: 401 with a challenge, and with a good one it goes on where it was",
	Hurts: "everybody with layers that take longer than a token lives: Azure's pushes ended at 401",
	Run: func(ctx context.Context, p *Probe) error {
		bad, err := p.spoiled(ctx)
		if err != nil {
			return err
		}
		return inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
			a, err := p.as(ctx, bad, request{method: http.MethodPatch, url: s.location, body: b.data[size : 2*size], header: header(
				"Content-Type", "application/octet-stream", "Content-Range", span(size, 2*size))})
			if err = first(err, a.wantIf(err, http.StatusUnauthorized)); err != nil {
				return err
			}
			if len(challengesOf(a.header)) == 0 {
				return a.violation("401 with a challenge", "401 without one")
			}
			if a, err = s.chunk(ctx, b.data[size:2*size]); err != nil {
				return err
			}
			if err := a.want(http.StatusAccepted); err != nil {
				return err
			}
			return s.closed(ctx, b, b.data[2*size:], "Content-Range", span(2*size, len(b.data)))
		})(ctx, p)
	},
}

var auth11 = &Check{
	ID: "auth-11", Level: Should, Spec: "docker tokens", Requires: list{auth05},
	Doc:   "the challenge of a mount names both rights: to push here, and to pull where it comes from",
	Hurts: "buildkit and containerd: the token lacks the second, and the build fails at a mount",
	Run: func(ctx context.Context, p *Probe) error {
		r := mountOf(p.Repository, p.blob("mounted", 90).digest.String(), p.Other)
		r.bare = true
		a, err := p.send(ctx, r)
		if err = first(err, a.wantIf(err, http.StatusUnauthorized)); err != nil {
			return err
		}
		scopes := a.scopes()
		if !grants(scopes, p.Repository, "push") || !grants(scopes, p.Other, "pull") {
			return a.violation("a scope to push to "+p.Repository+" and one to pull from "+p.Other, quoteOr(strings.Join(scopes, " ")))
		}
		return nil
	},
}

// scopes are what the challenges of an answer ask for.
func (a *answer) scopes() []string {
	var scopes []string
	for _, c := range challengesOf(a.header) {
		scopes = append(scopes, strings.Fields(c.params["scope"])...)
	}
	return scopes
}

// grants reports whether one of some scopes holds an action on a repository.
func grants(scopes []string, repository, action string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool {
		rest, ok := strings.CutPrefix(s, "repository:"+repository+":")
		return ok && slices.Contains(strings.Split(rest, ","), action)
	})
}

// realm is where tokens are got.
//
// Errors: a *SkipError when there are no tokens.
func (p *Probe) realm(ctx context.Context) (*url.URL, url.Values, error) {
	a, err := p.demand(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.bearer()
	if err != nil {
		return nil, nil, err
	}
	if p.credentials.RegistryToken != "" {
		return nil, nil, &SkipError{Reason: "the token was given"}
	}
	realm, err := url.Parse(c.params["realm"])
	if err != nil || realm.Host == "" {
		return nil, nil, a.violation("a realm that is a URL", c.params["realm"])
	}
	q := realm.Query()
	q.Set("service", c.params["service"])
	return realm, q, p.trusts(realm)
}

// ask asks the realm with a query, as who the run is.
func (p *Probe) ask(ctx context.Context, realm *url.URL, q url.Values) (tokenAnswer, error) {
	to := *realm
	to.RawQuery = q.Encode()
	value := ""
	if p.credentials.Username != "" {
		value = p.basicValue()
	}
	return p.decodeToken(p.askRealm(ctx, &to, value))
}

var auth12 = &Check{
	ID: "auth-12", Level: Should, Spec: "docker tokens", Requires: list{auth03},
	Doc:   "a token for two repositories opens both, asked for by two scope parameters or by one with a space",
	Hurts: "manifest-tool, kaniko and buildkit, whose mounts need two: the service keeps one of them",
	Run: func(ctx context.Context, p *Probe) error {
		one, two := "repository:"+p.Repository+":pull,push", "repository:"+p.Other+":pull,push"
		for _, scopes := range [][]string{{one, two}, {one + " " + two}} {
			realm, q, err := p.realm(ctx)
			if err != nil {
				return err
			}
			q["scope"] = scopes
			said, err := p.ask(ctx, realm, q)
			if err != nil {
				return err
			}
			for _, repository := range []string{p.Repository, p.Other} {
				a, err := p.with(ctx, said.reply.word(), repository)
				if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var auth15 = &Check{
	ID: "auth-15", Level: May, Silent: true, Spec: "docker oauth2", Requires: list{auth03},
	Doc:   "a refresh token, where the service gives one, gets a token by POST",
	Hurts: "docker login with an identity token, and Azure's clients",
	Run: func(ctx context.Context, p *Probe) error {
		realm, q, err := p.realm(ctx)
		if err != nil {
			return err
		}
		scope := "repository:" + p.Repository + ":pull,push"
		q.Set("scope", scope)
		q.Set("offline_token", "true")
		q.Set("client_id", "pushcheck")
		said, err := p.ask(ctx, realm, q)
		if err != nil {
			return err
		}
		if said.reply.Refresh == "" {
			return &SkipError{Reason: "the service gives no refresh tokens"}
		}
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {said.reply.Refresh}, "service": {q.Get("service")}, "client_id": {"pushcheck"}, "scope": {scope},
		}
		a, err := p.send(ctx, request{
			method: http.MethodPost, url: realm.String(), bare: true, body: []byte(form.Encode()), header: header("Content-Type", "application/x-www-form-urlencoded"),
		})
		a.req.body = nil // no command shows it
		if err != nil {
			return err
		}
		fresh, err := p.decodeToken(a)
		if err != nil {
			return err
		}
		a, err = p.with(ctx, fresh.reply.word(), p.Repository)
		return first(err, a.wantIf(err, http.StatusAccepted))
	},
}

var auth17 = &Check{
	ID: "auth-17", Level: Should, Spec: "error codes", Requires: list{auth02},
	Doc:   "who is not known hears 401 with UNAUTHORIZED, who may not 403 with DENIED, or 401 with a challenge",
	Hurts: "docker, which asks for a login at one and gives up at the other",
	Run: func(ctx context.Context, p *Probe) error {
		nobody, err := p.demand(ctx)
		if err != nil {
			return err
		}
		answers := []*answer{nobody}
		if token, err := p.scoped(ctx, "repository:"+p.Repository+":pull"); err == nil {
			a, err := p.with(ctx, token, p.Repository)
			if err != nil {
				return err
			}
			answers = append(answers, a)
		}
		for _, a := range answers {
			codes := a.codes()
			switch {
			case a.status == http.StatusUnauthorized && len(challengesOf(a.header)) == 0:
				return of("auth-02", a.violation("401 with a challenge", "401 without one"))
			case len(codes) == 0:
				continue // an error need not have a body
			case a.status == http.StatusUnauthorized && !slices.Contains(codes, "UNAUTHORIZED"):
				return a.violation("UNAUTHORIZED with 401", a.said())
			case a.status == http.StatusForbidden && !slices.Contains(codes, "DENIED"):
				return a.violation("DENIED with 403", a.said())
			}
		}
		return nil
	},
}

var auth18 = &Check{
	ID: "auth-18", Level: Should, Silent: true, Spec: "docker tokens", Requires: list{auth02},
	Doc:   "one who has no credentials asks for a token without an Authorization header, and gets one or a clean refusal",
	Hurts: "everybody who pulls without an account",
	Run: func(ctx context.Context, p *Probe) error {
		realm, q, err := p.realm(ctx)
		if err != nil {
			return err
		}
		q.Set("scope", "repository:"+p.Repository+":pull")
		to := *realm
		to.RawQuery = q.Encode()
		a, err := p.send(ctx, request{method: http.MethodGet, url: to.String(), bare: true})
		if err != nil {
			return err
		}
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
			return &SkipError{Reason: "nobody gets a token without credentials"}
		}
		if err := a.want(http.StatusOK); err != nil {
			return err
		}
		var said tokenReply
		if json.Unmarshal(a.body, &said) != nil || said.word() == "" {
			return a.violation("a token, or 401", "200 without one")
		}
		p.keys.keep(said.Token, said.AccessToken)
		return nil
	},
}

var auth19 = &Check{
	ID: "auth-19", Level: Should, Silent: true, Spec: "docker tokens", Requires: list{auth03}, Uses: list{mono03, man03},
	Doc:   "a token that may pull and push may not delete",
	Hurts: "operators: every CI job that pushes can also delete",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		token, err := p.scoped(ctx, "repository:"+p.Repository+":pull,push")
		if err != nil {
			return err
		}
		a, err := p.as(ctx, "Bearer "+token, request{method: http.MethodDelete, url: manifestPath(p.Repository, m.digest.String())})
		if err != nil {
			return err
		}
		if a.status == http.StatusMethodNotAllowed || a.status == http.StatusBadRequest {
			return &SkipError{Reason: "deletion is not supported"}
		}
		return a.shut()
	},
}

var auth20 = &Check{
	ID: "auth-20", Level: Must, Silent: true, Spec: "docker tokens", Requires: list{auth03}, Uses: list{mono03},
	Doc:   "an upload cannot be gone on with by one who may not push to its repository, even if he knows its Location",
	Hurts: "users of a shared registry: somebody else decides what their layer holds",
	Run: func(ctx context.Context, p *Probe) error {
		thieves := []string{""} // nobody
		if token, err := p.scoped(ctx, "repository:"+p.Other+":pull,push"); err == nil {
			thieves = append(thieves, "Bearer "+token)
		}
		if bad, err := p.spoiled(ctx); err == nil {
			thieves = append(thieves, bad)
		}
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		stolen, b := p.blob("stolen", 60), p.blob("own", 60)
		for _, thief := range thieves {
			for _, r := range []request{
				{method: http.MethodPut, url: withDigest(s.location, stolen.digest.String()), body: stolen.data},
				{method: http.MethodPatch, url: s.location, body: stolen.data},
				{method: http.MethodDelete, url: s.location},
			} {
				if r.body != nil {
					r.header = header("Content-Type", "application/octet-stream")
				}
				a, err := p.as(ctx, thief, r)
				if err = first(err, a.wantIf(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)); err != nil {
					return err
				}
			}
		}
		return s.closed(ctx, b, b.data)
	},
}
