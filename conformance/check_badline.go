package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher"
)

// badLineChecks push over lines that break: through a proxy of the run's own, which
// stands between the client and the registry.
func badLineChecks() list { return list{eraBadLineDocker28, eraBadLineBest} }

// A strike is a fault of the line, as a scenario writes it.
type strike struct {
	name, where string
	settings    []string
}

// overBadLine pushes an image as an era does while faults strike, and looks at what
// arrived without them.
func overBadLine(era func() pusher.Era, from source, layers int, strikes ...strike) func(ctx context.Context, p *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		line, err := p.badLine(ctx, strikes)
		if err != nil {
			return err
		}
		defer line.Close()
		behind, err := p.behind(line.URL())
		if err != nil {
			return err
		}
		done, err := behind.pushes(ctx, behind.eraAt(era(), pusher.V2), from, p.Repository, "tag")
		p.adopt(behind)
		if err != nil {
			return err
		}
		if err := done[0].failed(); err != nil {
			return err
		}
		if idle := line.Idle(); len(idle) == len(strikes) {
			return fmt.Errorf("the line did not break once: %v never struck", idle)
		}
		return p.arrived(ctx, p.Repository, done[0], layers)
	}
}

// badLine starts a proxy with faults before the registry. The caller closes it.
//
// Errors: a *SkipError where there is no way to a socket of the registry.
func (p *Probe) badLine(ctx context.Context, strikes []strike) (*fakeregistry.Server, error) {
	if p.base.Path != "" {
		return nil, &SkipError{Reason: "docker has no name for a registry below a path"}
	}
	conn, err := p.dial(ctx) // or say why not
	if err != nil {
		return nil, err
	}
	_ = conn.Close()
	faults := make([]fakeregistry.Fault, len(strikes))
	for i, s := range strikes {
		if faults[i], err = fakeregistry.NewFault(s.name, s.where, s.settings...); err != nil {
			return nil, err
		}
		faults[i].Name += fmt.Sprint(" ", i+1)
	}
	o := fakeregistry.ProxyOptions{Upstream: "http://" + p.host(), Dial: p.dialled} // TLS is the dialler's
	if p.base.Scheme == "https" {
		o.Aliases = []string{"https://" + p.host()}
	}
	proxy, err := fakeregistry.NewProxy(o)
	if err != nil {
		return nil, err
	}
	server, err := fakeregistry.Start(fakeregistry.Config{Registry: proxy, Faults: faults, Seed: p.seed, Clock: p.clock})
	if err != nil {
		return nil, errors.Join(err, proxy.Close())
	}
	return server, nil
}

// behind is a probe of the same check that asks a proxy of the run's own in place of
// the registry.
func (p *Probe) behind(address string) (*Probe, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return &Probe{
		Repository: p.Repository, Other: p.Other, base: base, real: p.base, credentials: p.credentials,
		transport: &http.Transport{MaxResponseHeaderBytes: headerLimit}, keys: p.keys, clock: p.clock, timeout: p.timeout,
		seed: p.seed, options: p.options, manners: p.manners, keeps: p.keeps,
	}, nil
}

// adopt takes over what another probe of the check did.
func (p *Probe) adopt(other *Probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq += other.seq
	p.exchanges = append(p.exchanges, other.exchanges...)
	p.made = append(p.made, other.made...)
}

var eraBadLineDocker28 = &Check{
	ID: "era-bad-line-docker-28", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: usedByDocker(man01),
	Doc:   "an image that docker 28 pushes arrives though an upload breaks in the middle: it begins the layer anew",
	Hurts: "docker, all since 1.10, which try a layer again five times",
	Run: overBadLine(pusher.Docker28, dockerImage, 4,
		strike{"reset", "upload.patch", []string{"after=64", "times=1"}}),
}

var eraBadLineBest = &Check{
	ID: "era-bad-line-best", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: usedByAll(man03, man04, man11),
	Doc:   "an image arrives from a client that goes on, though an upload breaks in the middle and the answers to a blob and to the manifest are lost",
	Hurts: "everybody on a bad line whose client tries again: what it left behind is in its way",
	Run: overBadLine(pusher.Best, ociIndex, 6,
		strike{"reset", "upload.put", []string{"after=64", "times=1"}},
		strike{"reset", "upload.put@201", []string{"side=response", "times=1"}},
		strike{"reset", "manifest.put@201", []string{"side=response", "times=1"}}),
}
