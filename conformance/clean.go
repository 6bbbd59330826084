package conformance

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// lastTime is how long a run that ended before its time goes on deleting.
const lastTime = 5 * time.Second

// clean deletes what a check pushed; for a short while also when the run has ended.
func (r *runner) clean(ctx context.Context, p *Probe) {
	if p.clean(ctx) || r.keeps.Load() {
		return
	}
	if ctx.Err() != nil {
		limited, cancel := r.options.Clock.WithTimeout(context.WithoutCancel(ctx), lastTime)
		defer cancel()
		if p.clean(limited) {
			return
		}
	}
	r.left.Store(true)
}

// clean cancels what the check began, and deletes what it made, the last first, as far
// as the registry does that at all. It reports whether nothing is left that could be
// deleted.
func (p *Probe) clean(ctx context.Context) bool {
	p.cancelOpen(ctx)
	whole := true
	for !p.keeps.Load() {
		path := p.lastMade()
		if path == "" {
			return whole
		}
		a, err := p.send(ctx, request{method: http.MethodDelete, url: path})
		switch {
		case err != nil:
			p.remember(path)
			p.keeps.CompareAndSwap(false, hangs(err))
			return false
		case a.status == http.StatusMethodNotAllowed, a.status == http.StatusBadRequest, a.status == http.StatusForbidden:
			p.keeps.Store(true)
		case a.status >= http.StatusBadRequest && a.status != http.StatusNotFound:
			whole = false
		}
	}
	return false
}

// hangs reports whether an answer did not come in time.
func hangs(err error) bool {
	var v *Violation
	return errors.As(err, &v) && strings.Contains(v.Got, timeLimit)
}

// lastMade takes out what was made last; "" when there is nothing.
func (p *Probe) lastMade() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.made) == 0 {
		return ""
	}
	path := p.made[len(p.made)-1]
	p.made = p.made[:len(p.made)-1]
	return path
}

// follow notes where an upload session goes on, and that it has ended.
func (p *Probe) follow(a *answer) {
	begins := a.req.method == http.MethodPost || a.req.method == http.MethodPatch
	ends := a.req.method == http.MethodPut || a.req.method == http.MethodDelete
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case a.err != nil || !p.sameHost(a.url):
	case begins && a.status == http.StatusAccepted && a.header.Get("Location") != "":
		if to, err := a.url.Parse(a.header.Get("Location")); err == nil && p.sameHost(to) {
			if p.open == nil {
				p.open = map[string]string{}
			}
			p.open[to.Path] = to.String()
		}
	case ends && a.status/100 == 2, a.status == http.StatusNotFound:
		delete(p.open, a.url.Path)
	}
}

// cancelOpen cancels the upload sessions that did not end.
func (p *Probe) cancelOpen(ctx context.Context) {
	p.mu.Lock()
	open := slices.Sorted(maps.Values(p.open))
	p.mu.Unlock()
	for _, at := range open {
		if p.goesOn.Load() {
			return
		}
		a, err := p.cancelAt(ctx, at)
		if err == nil && a.status == http.StatusMethodNotAllowed || hangs(err) {
			p.goesOn.Store(true)
		}
		if err != nil {
			return
		}
		p.forget(at)
	}
}

// cancelAt cancels a session. Where its address has a state that is not the latest, it
// is asked for that first.
func (p *Probe) cancelAt(ctx context.Context, at string) (*answer, error) {
	a, err := p.send(ctx, request{method: http.MethodDelete, url: at})
	if err != nil || a.status != http.StatusRequestedRangeNotSatisfiable && a.status != http.StatusBadRequest {
		return a, err
	}
	if a, err = p.send(ctx, request{method: http.MethodGet, url: at}); err != nil || a.status/100 != 2 {
		return a, err
	}
	at, err = a.location()
	if to, wrong := url.Parse(at); err != nil || wrong != nil || !p.sameHost(to) {
		return a, nil //nolint:nilerr // it cannot be cancelled
	}
	return p.send(ctx, request{method: http.MethodDelete, url: at})
}

// forget takes a session out of those that are open.
func (p *Probe) forget(at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.open, func(_, open string) bool { return open == at })
}
