package conformance

import (
	"context"
	"net/http"
	"strings"
)

func pingChecks() list { return list{ping01, ping02, ping03, ping04, ping05} }

var ping01 = &Check{
	ID: "ping-01", Level: Must, Pull: true, Spec: "endpoints",
	Doc:   "GET /v2/ answers 200, to one who may",
	Hurts: "every client: docker takes the registry for none of V2 and gives up or falls back to V1",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err != nil {
			return err
		}
		return a.want(http.StatusOK)
	},
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
	ID: "v1-01", Level: May, Pull: true, Silent: true, Spec: "docker v2", Requires: list{ping01},
	Doc:   "/v1/_ping is not there, or is V1's",
	Hurts: "docker before 1.13, which falls back to it and reads a page",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v1/_ping")
		if err != nil || a.status != http.StatusOK {
			return err
		}
		return a.noPage()
	},
}
