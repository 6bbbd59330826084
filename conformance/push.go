package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A pushed is one push of an era.
type pushed struct {
	era    pusher.Era
	line   *line
	result *pusher.Result
	err    error // as the era's user sees it
	late   bool  // the time of a push was over
	again  bool  // it tried something again
}

// A source puts an image into a store, under a repository's tags.
type source func(ctx context.Context, p *Probe, s *image.Store, repository string, tags ...string) error

// eraAt is an era that goes where the target is, and nowhere else.
func (p *Probe) eraAt(e pusher.Era, v pusher.Version) pusher.Era {
	e.Endpoints = []pusher.EndpointRule{{Scheme: p.base.Scheme, Version: v}}
	return e
}

// host is the registry as an image's name has it: always with a port, so that no
// docker takes it for a part of Docker Hub.
func (p *Probe) host() string { return net.JoinHostPort(p.base.Hostname(), portOf(p.base)) }

// pushes pushes an image as an era does, from a store of its own, to one tag after
// the other at the same time.
//
// Errors: a *SkipError where this era cannot even name the registry; of the image.
func (p *Probe) pushes(ctx context.Context, e pusher.Era, from source, repository string, tags ...string) ([]pushed, error) {
	if p.base.Path != "" {
		return nil, &SkipError{Reason: "docker has no name for a registry below a path"}
	}
	if (p.credentials.RegistryToken != "" || p.credentials.IdentityToken != "") && e.Way == pusher.WayGraph && !e.Token.RegistryToken {
		return nil, &SkipError{Reason: e.Name + " takes a name and a password, no token"}
	}
	store := image.InMemory()
	defer store.Close()
	name := p.host() + "/" + repository
	if err := from(ctx, p, store, name, tags...); err != nil {
		return nil, err
	}
	done := make([]pushed, len(tags))
	var all sync.WaitGroup
	for i, tag := range tags {
		all.Go(func() { done[i] = p.pushInTurn(ctx, e, store, name, tag) })
	}
	all.Wait()
	for _, d := range done {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if d.err != nil && d.line.last() == nil {
			return nil, &SkipError{Reason: e.Name + " cannot push to " + name + ": " + d.err.Error()}
		}
	}
	return done, nil
}

// pushInTurn pushes, and again when the registry says that it got too many requests,
// of which those of the run's other checks may be most.
func (p *Probe) pushInTurn(ctx context.Context, e pusher.Era, store *image.Store, name, tag string) pushed {
	d := p.pushOnce(ctx, e, store, name, tag)
	for again := 0; again < 4 && d.err != nil; again++ {
		a := d.line.tooMany()
		if a == nil || p.clock.Sleep(ctx, p.retryAfter(a, again)) != nil {
			break
		}
		d = p.pushOnce(ctx, e, store, name, tag)
	}
	return d
}

// pushOnce is one push with a client of its own, within the run's time for a request.
func (p *Probe) pushOnce(ctx context.Context, e pusher.Era, store *image.Store, name, tag string) pushed {
	d := pushed{era: e, line: p.newLine(e), result: &pusher.Result{}}
	defer d.line.stop()
	client, err := pusher.New(pusher.Config{
		Era: e, Images: store, InsecureRegistries: []string{p.host()}, Through: d.line.through, Clock: p.clock,
	})
	if err != nil {
		d.err = err
		return d
	}
	limited, cancel := p.clock.WithTimeout(ctx, p.timeout)
	defer cancel()
	d.result, d.err = client.Push(limited, name, tag, pusher.Options{Credentials: p.credentials, Progress: func(e pusher.Event) {
		d.again = d.again || strings.HasPrefix(e.Status, "Retrying")
	}})
	d.late = d.err != nil && limited.Err() != nil && ctx.Err() == nil
	return d
}

// A pushError is a violation met while an era pushed, and the checks that look at
// what went wrong: when one of them failed, that is why.
type pushError struct {
	suspects []string
	cause    error
}

func (e *pushError) Error() string { return e.cause.Error() }

func (e *pushError) Unwrap() error { return e.cause }

// failed is why a push did not get through, with the exchange that shows it; nil for
// one that did.
func (d pushed) failed() error {
	if d.err == nil {
		return nil
	}
	if errors.Is(d.err, errBudget) {
		return d.err
	}
	if at := d.line.beside(); at != "" {
		return &SkipError{Reason: d.era.Name + " cannot follow a Location beside the request's own path, which is lawful: " + at}
	}
	a := d.line.failing()
	if a != nil && errors.Is(a.err, errBudget) {
		return a.err
	}
	if a != nil && a.unheard {
		return d.line.p.unreachable(a.err)
	}
	if busy := d.line.tooMany(); busy != nil {
		return &pushError{suspectsOf(busy.exchange.Route.Op), fmt.Errorf("%s was told each time that there are too many requests: %s", d.era.Name, busy.said())}
	}
	if d.late && (a == nil && !d.again || d.cutShort(a)) {
		return fmt.Errorf("%s had not pushed the image within %s", d.era.Name, d.line.p.timeout)
	}
	if a == nil {
		a = d.line.last()
	}
	got := a.said()
	if a.err != nil {
		got = "no answer: " + plainError(a.err)
	}
	got += ", at which " + d.era.Name + " says: " + d.err.Error()
	if d.late {
		got = fmt.Sprintf("%s, which %s tried again until %s were over", a.said(), d.era.Name, d.line.p.timeout)
	}
	return d.suspect(a, "an image that "+d.era.Name+" pushes is taken", got)
}

// cutShort reports whether an exchange failed for nothing but the end of the push's
// time, long before its own was over.
func (d pushed) cutShort(a *answer) bool {
	return a != nil && (errors.Is(a.err, context.DeadlineExceeded) || errors.Is(a.err, context.Canceled)) && a.exchange.Elapsed < d.line.p.timeout/2
}

// suspect is a violation at an exchange of the push.
func (d pushed) suspect(a *answer, want, got string) error {
	v := a.violation(want, got)
	if violation := new(Violation); errors.As(v, &violation) && (violation.Curl == "" || d.line.p.real != nil || a.exchange.Route.Op == wire.OpManifestPut) {
		violation.Curl = d.line.p.again() // curl cannot make the image
	}
	return &pushError{suspectsOf(a.exchange.Route.Op), v}
}

// suspectsOf are the checks of what can go wrong in an operation.
func suspectsOf(op wire.Op) []string {
	switch op { //nolint:exhaustive // the rest is no part of a push
	case wire.OpPing:
		return []string{"ping-01", "ping-02"}
	case wire.OpUploadStart, wire.OpUploadMount:
		return []string{"mono-01", "mono-02", "mount-01", "mount-02"}
	case wire.OpUploadPatch, wire.OpUploadPut:
		return []string{"mono-03", "mono-05", "chunk-01", "chunk-02", "chunk-03", "chunk-10", "chunk-13", "chunk-19", "conc-01"}
	case wire.OpBlobHead, wire.OpBlobGet:
		return []string{"blob-01", "blob-02", "blob-03", "blob-14", "chunk-03", "err-12", "sec-01"}
	case wire.OpManifestPut:
		return []string{"man-01", "man-03", "man-04", "man-05", "dig-02", "blob-02", "blob-14", "sec-01"}
	case wire.OpManifestHead, wire.OpManifestGet:
		return []string{"man-01", "man-03", "man-04", "man-05", "man-10", "man-11", "dig-01", "err-12"}
	}
	if strings.HasPrefix(string(op), "v1.") {
		return []string{"v1-01", "v1-02", "v1-03"}
	}
	return nil
}

// again is the command that runs a check again.
func (p *Probe) again() string {
	return fmt.Sprintf("pushcheck conformance --run %s --seed %d %s", p.name(), p.seed, quote(cmp.Or(p.real, p.base).String()))
}

// sown is a seed of this check's own.
func (p *Probe) sown() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%d", p.name(), p.seed)
	return h.Sum64()
}
