package scenarios

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// ServeOptions say how Serve serves.
type ServeOptions struct {
	// Listen is the address of the scenario's first registry; "" is a free port on
	// loopback. The others always have one.
	Listen string
	Expose bool   // allow an address that other machines can reach
	Seed   uint64 // 0 is the scenario's own
	// Observe, when not nil, is called with each exchange of the first registry as
	// it ends, one call at a time.
	Observe func(wire.Exchange)
	// Limits bound what clients can make each registry keep; the zero value does not.
	Limits  Limits
	Log     *slog.Logger // the registries' decisions; nil discards
	TempDir string       // where the scenario's image lives; "" is the system's
}

// A Served is the registries of a scenario, with its faults in force, for any
// client. Close ends it.
type Served struct {
	Registries []ServedRegistry // in the scenario's order

	world *world
	close func() error
}

// Limits bound what clients can make a registry keep.
type Limits = fakeregistry.Limits

// A ServedRegistry is what a client needs to know of one registry.
type ServedRegistry struct {
	Kind string // KindV2, …
	// Upstream is the registry that this one stands in front of; "" for one of the
	// bench's own.
	Upstream string
	// Oddities are those of an ornery registry, each with its sentence.
	Oddities []Oddity
	URL      string            // "http://127.0.0.1:40312"
	CA       []byte            // the certificate authority, PEM; nil without TLS
	Users    map[string]string // name → password; nil when nobody is asked
	// Server is the registry itself, for its trace and its faults.
	Server *fakeregistry.Server
}

// Serve starts the registries of a scenario with its faults, on the system's
// clock, without pushing anything. Faults that a step declares are left out. The
// caller closes what it returns.
//
// Errors: ctx's error; an address that is taken or that other machines can reach;
// a registry of a kind that this version does not drive.
func Serve(ctx context.Context, s *Scenario, o ServeOptions) (*Served, error) {
	dir, err := os.MkdirTemp(o.TempDir, "pushcheck-")
	if err != nil {
		return nil, err
	}
	seed := o.Seed
	if seed == 0 {
		seed = max(s.Seed, 1)
	}
	w := emptyWorld(s, seed, dir)
	w.served = clock.Real()
	configure := func(host int, c *fakeregistry.Config) {
		c.Limits = o.Limits
		if host == 0 {
			c.Listen, c.Expose, c.Observe = o.Listen, o.Expose, o.Observe
		}
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := w.images(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("image: %w", err), w.close())
	}
	if err := w.start(log, changes{config: configure}); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if err := w.reachable(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	served := &Served{world: w, close: sync.OnceValue(w.close)}
	for _, h := range w.hosts {
		served.Registries = append(served.Registries, servedRegistry(h, seed))
	}
	return served, nil
}

func servedRegistry(h *host, seed uint64) ServedRegistry {
	r := ServedRegistry{Kind: h.spec.Kind, URL: h.server.URL(), CA: h.server.CAPEM(), Server: h.server}
	if r.Kind == "" {
		r.Kind = KindV2
	}
	if p, ok := h.registry.(*fakeregistry.Proxy); ok {
		r.Upstream = p.Upstream()
	}
	if h.spec.Ornery != nil {
		r.Oddities = fakeregistry.Oddities(seed, h.spec.Ornery...)
	}
	if h.spec.Auth != "" {
		r.Users = maps.Clone(h.spec.Users)
		if r.Users == nil {
			r.Users = maps.Clone(defaultUsers)
		}
	}
	return r
}

// Struck is how often each fault of the scenario struck, in its order.
func (s *Served) Struck() []report.Count {
	var list []report.Count
	for _, d := range s.world.declared {
		n := 0
		if counts := d.host.server.Struck(); d.index < len(counts) {
			n = counts[d.index]
		}
		list = append(list, report.Count{Fault: faultTitle(d.fault), Times: n})
	}
	return list
}

// Idle names the faults that have not struck and were not optional.
func (s *Served) Idle() []string {
	var names []string
	for _, r := range s.Registries {
		names = append(names, r.Server.Idle()...)
	}
	return names
}

// Close ends every registry and removes what was on disk. It may be called more
// than once.
func (s *Served) Close() error { return s.close() }

// time is the clock of a world's hosts.
func (w *world) time() clock.Clock {
	if w.served != nil {
		return w.served
	}
	return w.clock
}
