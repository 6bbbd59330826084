package scenarios

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
)

// external reports whether a scenario is about a registry of somebody else's.
func external(s *Scenario) bool {
	return slices.ContainsFunc(s.Registries, func(r Registry) bool { return r.Kind == KindExternal })
}

// realTime lets a world live on the system's clock: who is not in this process
// does not know of any other.
func (w *world) realTime() {
	w.served = clock.Real()
	w.epoch = w.served.Now()
}

// newExternal makes the proxy in front of a registry of somebody else's, and what
// asks the registry itself.
func (w *world) newExternal(r Registry) (fakeregistry.Registry, inspector, error) {
	ca := r.CAPEM
	if r.CA != "" {
		if w.s.Files == nil {
			return nil, inspector{}, fmt.Errorf("ca %s: a scenario made in Go has no files; set CAPEM", r.CA)
		}
		var err error
		if ca, err = fs.ReadFile(w.s.Files, path.Join(path.Dir(w.s.Path), r.CA)); err != nil {
			return nil, inspector{}, fmt.Errorf("ca: %w", err)
		}
	}
	proxy, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: r.URL, Aliases: r.Aliases, CA: ca, Insecure: r.Insecure})
	if err != nil {
		return nil, inspector{}, err
	}
	m, err := newRemote(r, ca)
	return proxy, inspector{registry: m}, err
}

// externals checks what a scenario may say where its registry is somebody else's.
func (c *checker) externals() {
	for i, r := range c.s.Registries {
		part := "registry"
		if len(c.s.Registries) > 1 {
			part = partIndex(part, i)
		}
		if r.Kind == KindExternal {
			c.external(r, part)
			continue
		}
		for _, own := range []struct {
			key string
			set bool
		}{
			{"user", r.User != ""}, {"password", r.Password != ""}, {"ca", r.CA != ""}, {"insecure", r.Insecure}, {"aliases", len(r.Aliases) > 0},
		} {
			if own.set {
				c.fail(part+"."+own.key, "%s is about a registry at a url, and this one is the bench's own", own.key)
			}
		}
	}
	if !external(c.s) {
		return
	}
	c.seams(c.s.Faults, "faults")
	for i, t := range c.s.Steps {
		part := partIndex("steps", i)
		c.seams(t.Faults, part+".faults")
		switch t.Verb {
		case VerbDelete, VerbRestart:
			c.fail(part, "%s reaches into the registry, and this one is somebody else's", t.Verb)
		}
		if t.Expect != nil {
			c.answerable(*t.Expect, part+".expect")
		}
	}
	c.answerable(c.s.Expect, "expect")
}

// external checks the keys of one registry at a url.
func (c *checker) external(r Registry, part string) {
	for _, own := range []struct {
		key string
		set bool
	}{
		{"auth", r.Auth != ""},
		{"users", r.Users != nil},
		{"accepts", r.Accepts != nil},
		{"has", r.Has != nil},
		{"delete", r.Delete},
		{"read-only", r.ReadOnly},
		{"style", r.Style != ""},
		{"quirks", r.Quirks != nil},
		{"ornery", r.Ornery != nil},
		{"run", r.Run != nil},
	} {
		if own.set {
			c.fail(part+"."+own.key, "%s is about a registry of the bench's own, and this one is somebody else's, at url", own.key)
		}
	}
	if len(c.s.Unset) > 0 {
		return // and so may its address be
	}
	if _, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: r.URL, Aliases: r.Aliases}); err != nil {
		c.fail(part+".url", "%v", err)
	}
}

// seams checks that faults strike where a proxy can.
func (c *checker) seams(list []Fault, part string) {
	for i, f := range list {
		for _, name := range append(slices.Clone(f.AnyOf), f.Name) {
			if kind, ok := fakeregistry.KindOf(name); ok && kind.Seam == fakeregistry.SeamStorage {
				c.fail(partIndex(part, i), "%s strikes inside the registry, and this one is somebody else's: only faults of connections and of requests can strike in front of it", name)
			}
		}
	}
}

// answerable checks that what is expected of the registry can be asked of it.
func (c *checker) answerable(x Expect, part string) {
	if x.Registry == nil {
		return
	}
	if x.Registry.Uploads != nil {
		c.fail(part+".registry.uploads", "how many upload sessions are open only the registry itself knows, and this one is somebody else's")
	}
	if x.Registry.V1 != nil {
		c.fail(part+".registry.v1", "a registry at a url is asked over V2 only")
	}
}

// login is what the user of the client typed; nil is nobody.
func (w *world) login() *Login {
	if l := w.s.Client.Login; l != nil || len(w.s.Registries) == 0 || w.s.Registries[0].User == "" {
		return l
	}
	return &Login{User: w.s.Registries[0].User, Password: w.s.Registries[0].Password}
}
