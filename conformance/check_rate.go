package conformance

import (
	"context"
	"net/http"
	"slices"
	"strconv"
)

// rateChecks look at what a registry says to one who asks too much, or for what
// cannot be.
func rateChecks() list { return list{err08, err09, lim10} }

// burst sends requests as fast as it can until one is answered 429. It is nil when
// none is.
func (p *Probe) burst(ctx context.Context, n int, r request) (*answer, error) {
	r.hasty = true
	for range n {
		a, err := p.send(ctx, r)
		if err != nil || a.status == http.StatusTooManyRequests {
			return a, err
		}
	}
	return nil, nil
}

var err08 = &Check{
	ID: "err-08", Level: Should, Spec: "too many requests", Requires: list{ping01},
	Doc:   "a 429 says by Retry-After how long to wait, and after that the request is answered",
	Hurts: "containerd and buildx, which give the push up at a 429 that does not say when to come again",
	Run: func(ctx context.Context, p *Probe) error {
		for _, r := range []request{
			{method: http.MethodGet, url: tagsPath(p.Repository, "")},
			{method: http.MethodHead, url: blobPath(p.Repository, p.blob("absent", 10).digest)},
			{method: http.MethodPut, url: manifestPath(p.Repository, "absent"), body: []byte("{}"), header: header("Content-Type", typeImage)},
		} {
			a, err := p.burst(ctx, 15, r)
			if err != nil {
				return err
			}
			if a == nil {
				continue
			}
			if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 0 {
				if _, err := http.ParseTime(a.header.Get("Retry-After")); err != nil {
					return a.violation("429 with Retry-After", "429 and Retry-After "+quoteOr(a.header.Get("Retry-After")))
				}
			}
			if err := p.clock.Sleep(ctx, p.retryAfter(a, 0)); err != nil {
				return err
			}
			r.hasty = true
			if a, err = p.send(ctx, r); err != nil {
				return err
			}
			if a.status == http.StatusTooManyRequests {
				return a.violation("an answer after Retry-After", a.said())
			}
			return nil
		}
		return &SkipError{Reason: "45 requests are not too many"}
	},
}

var err09 = &Check{
	ID: "err-09", Level: Should, Silent: true, Spec: "error codes", Requires: list{mono01},
	Doc:   "a push to a repository that cannot be made is refused at once, with NAME_UNKNOWN, NAME_INVALID or DENIED",
	Hurts: "docker, which repeats a push at a 5xx or 429 for a minute, and does not say what is wrong",
	Run: func(ctx context.Context, p *Probe) error {
		refused := false
		for _, repository := range []string{p.Repository + "/made/by/nobody", p.place() + "/nobody-made/" + p.name()} {
			a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(repository), body: []byte{}})
			if err != nil {
				return err
			}
			if a.status == http.StatusAccepted {
				if s := (&session{p: p}); s.moved(a) == nil {
					s.cancel(ctx)
				}
				continue
			}
			refused = true
			if err := a.refused(); err != nil {
				return err
			}
			if a.status == http.StatusTooManyRequests {
				return a.violation("a refusal that nobody repeats", a.said())
			}
			if codes := a.codes(); len(codes) > 0 || a.status != http.StatusUnauthorized {
				if err := a.hasCode("NAME_UNKNOWN", "NAME_INVALID", "DENIED", "UNAUTHORIZED"); err != nil {
					return err
				}
			}
		}
		if !refused {
			return &SkipError{Reason: "repositories are made when somebody pushes"}
		}
		return nil
	},
}

// place is under what the run's repositories are.
func (p *Probe) place() string { return p.Repository[:len(p.Repository)-len(p.name())-1] }

var lim10 = &Check{
	ID: "lim-10", Level: May, Silent: true, Spec: "too many requests", Requires: list{ping01},
	Doc:   "a limit of requests, where a hundred meet one, is a 429 with TOOMANYREQUESTS",
	Hurts: "clients that tell a limit from an outage by it",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.burst(ctx, 100, request{method: http.MethodGet, url: "/v2/"})
		if err != nil {
			return err
		}
		if a == nil {
			return &SkipError{Reason: "a hundred requests meet no limit"}
		}
		p.note("limit of requests", "Retry-After "+quoteOr(a.header.Get("Retry-After")))
		if codes := a.codes(); len(codes) > 0 && !slices.Contains(codes, "TOOMANYREQUESTS") {
			return a.violation("429 with TOOMANYREQUESTS", a.said())
		}
		return nil
	},
}
