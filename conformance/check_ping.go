package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func pingChecks() list { return list{ping01, ping02, ping03, ping04, ping05} }

var ping01 = &Check{
	ID: "ping-01", Level: Must, Pull: true, Spec: "endpoints",
	Doc:   "GET /v2/ answers 200, to one who may",
	Hurts: "every client: docker takes the registry for none of V2 and gives up or falls back to V1",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
			return cmp.Or(p.turnedAway(a, err), err)
		}
		if a.noPage() == nil {
			return nil
		}
		if a, err = p.get(ctx, manifestPath(p.Repository, "there.is-none")); err == nil && a.noPage() != nil {
			return a.violation("a registry", "a page, as for whatever is asked")
		}
		return err
	},
}

// turnedAway is why a first request shows nothing of the registry: it speaks TLS and
// is not spoken to so, or knows its users and not this one. It is nil for what shows
// something.
func (p *Probe) turnedAway(a *answer, err error) error {
	var v *Violation
	if !errors.As(err, &v) {
		return nil
	}
	text := string(a.body)
	if p.base.Scheme == "http" && (strings.Contains(v.Got, `malformed HTTP response "\x15\x03`) ||
		a.status == http.StatusBadRequest && strings.Contains(text, "HTTP request") && strings.Contains(text, "HTTPS")) {
		return fmt.Errorf("%s cannot be reached: it speaks TLS; write https:// for http://", p.base.Host)
	}
	e := v.Exchange
	if e == nil || !p.known() || e.Response.Status != http.StatusUnauthorized && e.Response.Status != http.StatusForbidden {
		return nil
	}
	if e.Route.Op == wire.OpToken || len(challengesOf(e.Response.Header)) > 0 {
		return fmt.Errorf("%s does not let in who checks: %s; look at the name and the password", p.base.Host, v.Got)
	}
	return nil
}

var ping02 = &Check{
	ID: "ping-02", Level: May, Pull: true, Silent: true, Spec: "docker v2", Requires: list{ping01},
	Doc:   "/v2/ says Docker-Distribution-API-Version: registry/2.0",
	Hurts: "docker before 1.10, which takes a registry without it for one of V1",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err != nil || strings.Contains(a.header.Get("Docker-Distribution-Api-Version"), "registry/2.0") {
			return err
		}
		return a.violation("Docker-Distribution-API-Version: registry/2.0", quoteOr(a.header.Get("Docker-Distribution-Api-Version")))
	},
}

var ping03 = &Check{
	ID: "ping-03", Level: May, Pull: true, Silent: true, Spec: "docker v2", Requires: list{ping01},
	Doc:   "/v2 without the slash answers 200, 401 or a redirect, and no page",
	Hurts: "scripts that leave the slash out",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.send(ctx, request{method: http.MethodGet, url: "/v2"})
		if err != nil {
			return err
		}
		return first(a.want(200, 301, 302, 303, 307, 308, 401), a.noPage())
	},
}

var ping04 = &Check{
	ID: "ping-04", Level: Should, Pull: true, Silent: true, Spec: "HTTP HEAD", Requires: list{ping01},
	Doc:   "HEAD /v2/ answers as GET does",
	Hurts: "load balancers and health checks that ask by HEAD",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err != nil {
			return err
		}
		h, err := p.head(ctx, "/v2/")
		if err != nil {
			return err
		}
		return h.want(a.status)
	},
}

var ping05 = &Check{
	ID: "ping-05", Level: May, Pull: true, Silent: true, Spec: "docker v2", Requires: list{ping01},
	Doc:   "what /v2/ sends is nothing or JSON",
	Hurts: "clients that tell a registry from a web server by it",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err != nil {
			return err
		}
		return a.noPage()
	},
}

// noPage demands that an answer is not HTML.
func (a *answer) noPage() error {
	if kind := a.header.Get("Content-Type"); a.status == http.StatusOK && (strings.Contains(kind, "html") || strings.HasPrefix(strings.TrimSpace(string(a.body)), "<")) {
		return a.violation("nothing or JSON", "a page of type "+quoteOr(kind))
	}
	return nil
}

var v101 = &Check{
	ID: "v1-01", Level: May, Pull: true, Silent: true, Spec: "docker v2", // V1 may be all there is
	Doc:   "/v1/_ping is not there, or is V1's",
	Hurts: "docker before 1.13, which falls back to it and reads a page",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v1/_ping")
		if err != nil || a.status != http.StatusOK {
			return cmp.Or(p.turnedAway(a, err), err)
		}
		return a.noPage()
	},
}
