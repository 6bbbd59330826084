package scenarios

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// start starts the scenario's hosts and puts its faults in force.
func (w *world) start(log *slog.Logger, c changes) error {
	specs := w.s.Registries
	if len(specs) == 0 {
		specs = []Registry{{}}
	}
	for i, spec := range specs {
		registry, look, err := w.newRegistry(spec)
		if err != nil {
			return fmt.Errorf("registry: %w", err)
		}
		h := &host{spec: spec, registry: registry, look: look}
		served := registry
		if c.registry != nil {
			served = c.registry(i, served)
		}
		if i == 0 && len(w.s.Probes) > 0 {
			served = &probed{Registry: served, world: w}
		}
		config := fakeregistry.Config{
			Registry: served, Guard: newGuard(spec), Seed: w.seed, TLS: spec.TLS, Contents: w.uploads(), Clock: w.time(), Log: log,
			Network: w.network,
		}
		if w.named() {
			h.name = hostName(i)
			config.Names = []string{h.name}
		}
		if c.config != nil {
			c.config(i, &config)
		}
		if h.server, err = fakeregistry.Start(config); err != nil {
			return fmt.Errorf("registry: %w", err)
		}
		w.hosts = append(w.hosts, h)
		if err := w.stock(h); err != nil {
			return fmt.Errorf("registry: %w", err)
		}
	}
	_, err := w.declare(w.s.Faults, "faults")
	return err
}

// newRegistry makes a registry of a kind, and what looks into it.
func (w *world) newRegistry(r Registry) (fakeregistry.Registry, inspector, error) {
	switch r.Kind {
	case "", KindV2:
		v2 := distregistry.New(distregistry.Options{
			Delete: r.Delete, ReadOnly: r.ReadOnly, ForeignLayers: len(w.s.Image.Foreign) > 0, NoSchema1: r.Accepts != nil && !accepts(r, "schema1"),
		})
		return v2, inspector{registry: v2}, nil
	case KindFake:
		o, err := fakeOptions(r, w.seed)
		v2 := fakeregistry.NewV2(o)
		return v2, inspector{registry: v2.Even()}, err
	case KindExternal:
		return w.newExternal(r)
	case KindV1:
		v1 := fakeregistry.NewV1(w.v1Options(r))
		return v1, inspector{v1: v1}, nil
	case KindBoth:
		o, err := fakeOptions(r, w.seed)
		v2 := fakeregistry.NewV2(o)
		o1 := w.v1Options(r)
		o1.Storage = v2.Storage()
		v1 := fakeregistry.NewV1(o1)
		return fakeregistry.Both(v2, v1), inspector{registry: v2.Even(), v1: v1}, err
	}
	return nil, inspector{}, fmt.Errorf("kind %s is not driven in this version", r.Kind)
}

// v1Options is our own V1 as a scenario wants it.
func (w *world) v1Options(r Registry) fakeregistry.V1Options {
	o := fakeregistry.V1Options{Seed: w.seed, Clock: w.time(), Index: r.Style == "index"}
	if o.Index {
		o.Users = r.Users
	}
	return o
}

func accepts(r Registry, format string) bool {
	for _, f := range r.Accepts {
		if f == format {
			return true
		}
	}
	return false
}

// fakeOptions is our own V2 as a scenario wants it.
func fakeOptions(r Registry, seed uint64) (fakeregistry.V2Options, error) {
	o := fakeregistry.V2Options{Seed: seed, Delete: r.Delete, ReadOnly: r.ReadOnly}
	for _, f := range r.Accepts {
		switch f {
		case "list":
			f = "schema2"
		case "index":
			f = "oci"
		}
		o.Accepts = append(o.Accepts, fakeregistry.Format(f))
	}
	if r.Ornery != nil {
		var err error
		if o.Quirks, err = fakeregistry.Ornery(seed, r.Ornery...); err != nil {
			return o, fmt.Errorf("ornery: %w", err)
		}
	}
	for _, name := range sortedKeys(r.Quirks) {
		for _, q := range quirkList() {
			if q.Name == name {
				if err := q.Set(&o.Quirks, r.Quirks[name]); err != nil {
					return o, fmt.Errorf("quirk %s: %w", name, err)
				}
			}
		}
	}
	return o, nil
}

// defaultUsers are those of a registry that asks for credentials and names none.
var defaultUsers = map[string]string{"alice": "s3cret"}

// newGuard makes a registry's guard; nil for one that lets everybody.
func newGuard(r Registry) fakeregistry.Guard {
	passwords := r.Users
	if passwords == nil {
		passwords = defaultUsers
	}
	users := fakeregistry.Passwords(passwords)
	switch r.Auth {
	case "basic":
		return &fakeregistry.Basic{Users: users}
	case "bearer":
		b := &fakeregistry.Bearer{Users: users}
		if r.Users == nil {
			b.Anonymous = &fakeregistry.User{}
		}
		return b
	}
	return nil
}

// uploads tells the faults what the client may upload.
func (w *world) uploads() []fakeregistry.Content {
	var list []fakeregistry.Content
	for _, l := range w.contents.layers {
		list = append(list, fakeregistry.Content{Digest: l.digest, Size: l.size, Head: w.head(l)})
	}
	return list
}

// headSize is how much of a blob the faults need to know it again.
const headSize = 512

// head is how the blob of a layer begins.
func (w *world) head(l content) []byte {
	blob := openBlob(w.store, l.id)
	defer blob.Close()
	head := make([]byte, headSize)
	n, _ := io.ReadFull(blob, head) // a short one is whole
	return head[:n]
}

// stock puts content into a registry before the first step.
func (w *world) stock(h *host) error {
	storage := h.registry.Storage()
	for _, repo := range sortedKeys(h.spec.Has) {
		for _, name := range h.spec.Has[repo] {
			if name == referrer && storage != nil {
				if err := w.stockReferrer(h, repo); err != nil {
					return err
				}
				continue
			}
			l, ok := w.contents.layer(name)
			if !ok || storage == nil {
				return fmt.Errorf("%s cannot be put into %s", name, repo)
			}
			blob := openBlob(w.store, l.id)
			_, _, err := storage.PutBlob(repo, blob)
			if err := firstError(err, blob.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A probed registry asks the scenario's probes while requests pass.
type probed struct {
	fakeregistry.Registry
	world *world
	mu    sync.Mutex // guards asked
	asked map[int]bool
}

// ServeHTTP asks what is to be asked before and after a request.
func (p *probed) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	route := wire.ParseRoute(r.Method, r.URL)
	p.ask(r, route, func(x Probe) Pattern { return x.Before })
	p.Registry.ServeHTTP(rw, r)
	p.ask(r, route, func(x Probe) Pattern { return x.After })
}

func (p *probed) ask(r *http.Request, route wire.Route, moment func(Probe) Pattern) {
	for i, x := range p.world.s.Probes {
		if when := moment(x); (when == Pattern{}) || !when.MatchOp(route.Op) || !p.first(i) {
			continue
		}
		p.world.answerProbe(r.Context(), i, x, route.Repository)
	}
}

// first reports whether probe i has not been asked yet, and counts it as asked.
func (p *probed) first(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked[i] {
		return false
	}
	if p.asked == nil {
		p.asked = map[int]bool{}
	}
	p.asked[i] = true
	return true
}

// probeResult is what one probe found.
type probeResult struct {
	index  int
	status int
	digest digest.Digest // of what a GET gave
}
