package scenarios

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
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
	Log     *slog.Logger // the registries' decisions; nil discards
	TempDir string       // where the scenario's image lives; "" is the system's
}

// A Served is the registries of a scenario, with its faults in force, for any
// client. Close ends it.
type Served struct {
	Registries []ServedRegistry // in the scenario's order

	close func() error
}

// A ServedRegistry is what a client needs to know of one registry.
type ServedRegistry struct {
	Kind  string            // KindV2, …
	URL   string            // "http://127.0.0.1:40312"
	CA    []byte            // the certificate authority, PEM; nil without TLS
	Users map[string]string // name → password; nil when nobody is asked
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
	w := &world{s: s, seed: seed, clock: clock.NewVirtual(time.Time{}), served: clock.Real(), dir: dir, log: &logBuffer{}}
	w.working = w.clock.Work()
	configure := func(host int, c *fakeregistry.Config) {
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
	served := &Served{close: sync.OnceValue(w.close)}
	for _, h := range w.hosts {
		served.Registries = append(served.Registries, servedRegistry(h))
	}
	return served, nil
}

func servedRegistry(h *host) ServedRegistry {
	r := ServedRegistry{Kind: h.spec.Kind, URL: h.server.URL(), CA: h.server.CAPEM(), Server: h.server}
	if r.Kind == "" {
		r.Kind = KindV2
	}
	if h.spec.Auth != "" {
		r.Users = maps.Clone(h.spec.Users)
		if r.Users == nil {
			r.Users = maps.Clone(defaultUsers)
		}
	}
	return r
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
