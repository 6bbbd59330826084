package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Validate checks what the decoder cannot see key by key, such as a content name
// of a layer that the image does not have. Load and Decode have done it; scenarios
// made in Go are checked by the Runner.
//
// Errors: *Errors.
func Validate(s *Scenario) error {
	problems := check(s)
	if s.Title == "" {
		problems = append(problems, Problem{Message: s.ID + ": there is no title, the sentence that is true when it passes"})
	}
	if lastPush(s) < 0 {
		problems = append(problems, Problem{Message: s.ID + ": no step pushes"})
	}
	if len(problems) > 0 {
		return &Errors{sortProblems(problems)}
	}
	return nil
}

// A checker walks over a scenario.
type checker struct {
	s        *Scenario
	problems []Problem
}

func (c *checker) fail(part, format string, args ...any) {
	at := partPosition(c.s, part)
	message := fmt.Sprintf(format, args...)
	if at.Line == 0 {
		message = c.s.ID + ": " + part + ": " + message
	}
	c.problems = append(c.problems, Problem{Position: at, Message: message, Source: lineOf(c.s, at.Line)})
}

// partPosition is where a part of s stands: its own position or that of what
// contains it.
func partPosition(s *Scenario, part string) Position {
	for {
		if at, ok := s.Positions[part]; ok {
			return at
		}
		cut := strings.LastIndexAny(part, ".[")
		if cut <= 0 {
			return s.Position
		}
		part = part[:cut]
	}
}

func lineOf(s *Scenario, line int) string {
	if line < 1 || line > len(s.Lines) {
		return ""
	}
	return strings.TrimRight(s.Lines[line-1], "\r")
}

func check(s *Scenario) []Problem {
	c := &checker{s: s}
	c.image()
	for _, layer := range sortedKeys(s.Client.Cache) {
		c.content("client.cache."+layer, layer)
	}
	c.registries()
	c.externals()
	c.oddities()
	c.faults(s.Faults, "faults")
	for i, t := range s.Steps {
		part := partIndex("steps", i)
		if t.Delete.Blob != "" {
			c.content(part+".delete.blob", t.Delete.Blob)
		}
		c.faults(t.Faults, part+".faults")
		if t.Expect != nil {
			c.expect(*t.Expect, part+".expect")
		}
	}
	c.expect(s.Expect, "expect")
	for i, p := range s.Probes {
		if p.Op == "blob.head" || p.Op == "blob.get" {
			c.content(partIndex("probe", i)+".ask", p.Content)
		}
	}
	for _, k := range s.Known {
		for _, part := range k.Fails {
			if !slices.Contains(expectParts, part) && !knownInvariant(part) {
				c.fail("known."+k.Client, "%q is neither a part of expect nor an invariant%s", part,
					didYouMean(part, append(slices.Clone(expectParts), InvariantNames()...)))
			}
		}
	}
	return c.problems
}

// registries checks what the registries have before the push.
func (c *checker) registries() {
	for i, r := range c.s.Registries {
		part := "registry"
		if len(c.s.Registries) > 1 {
			part = partIndex(part, i)
		}
		for _, repo := range sortedKeys(r.Has) {
			for _, name := range r.Has[repo] {
				if name != referrer || c.s.Image.Subject == "" {
					c.content(part+".has."+repo, name)
				}
			}
		}
	}
}

// expectParts are the parts of expect, as Known names them.
var expectParts = []string{
	"result", "error", "exit", "via", "within", "wire", "wire-exactly", "never", "count", "registry", "progress", "cache",
}

func (c *checker) image() {
	n := layerCount(c.s.Image)
	for _, group := range c.s.Image.Identical {
		for _, i := range group {
			if i > n {
				c.fail("image.identical", "the image has no layer%d; it has %d", i, n)
			}
		}
	}
	c.storedImage(n)
	for tag, i := range c.s.Image.Tags {
		if c.s.Image.File == "" && i > n {
			c.fail("image.tags", "tag %s: the image has no layer%d; it has %d", tag, i, n)
		}
	}
}

// storedImage checks what is said of an image with manifests of its own.
func (c *checker) storedImage(layers int) {
	i := c.s.Image
	for _, n := range i.Foreign {
		if layers > 0 && n > layers {
			c.fail("image.foreign", "the image has no layer%d; it has %d", n, layers)
		}
	}
	for _, p := range i.Missing {
		if !slices.Contains(i.Platforms, p) {
			c.fail("image.missing", "%s is not one of platforms", p)
		} else if p == i.Platforms[0] {
			c.fail("image.missing", "%s is the first of platforms, of which the layers are spoken; leave out another", p)
		}
	}
	if len(i.Annotations) > 0 && i.Media == "docker" {
		c.fail("image.annotations", "docker's manifests have no annotations; leave media out, or write media: oci")
	}
	if i.Subject != "" && i.Media == "docker" {
		c.fail("image.subject", "docker's manifests have no subject; leave media out, or write media: oci")
	}
	if i.File != "" && i.stored() {
		c.fail("image.file", "what is loaded has its own manifests; leave out media, platforms, foreign, annotations and subject")
	}
}

// layerCount is how many layers a made-up image has; 0 for one that is loaded.
func layerCount(i Image) int {
	switch {
	case i.File != "":
		return 0
	case len(i.Layers) == 0:
		return 2
	}
	return len(i.Layers)
}

// content checks a content name: a layer of the image, config, manifest, or a digest.
func (c *checker) content(part, name string) {
	if name == "config" || name == "manifest" || strings.Contains(name, ":") {
		if strings.Contains(name, ":") {
			if err := digest.Digest(name).Validate(); err != nil {
				c.fail(part, "%q is not a digest", name)
			}
		}
		return
	}
	i, ok := layerNumber(name)
	n := layerCount(c.s.Image)
	switch {
	case !ok:
		c.fail(part, "%q is not content; want layer1 and so on (the bottom one first), config, manifest or a digest", name)
	case n > 0 && i > n:
		c.fail(part, "the image has no %s; it has %d layers", name, n)
	}
}

func (c *checker) faults(list []Fault, part string) {
	for i, f := range list {
		name := partIndex(part, i)
		if f.Where.Digest != "" {
			c.content(name+".digest", f.Where.Digest)
		}
		if f.EachNth && part != "faults" {
			c.fail(name+".nth", "nth: each belongs to a fault of the whole scenario, not of a step")
		} else if f.EachNth && slices.ContainsFunc(list[:i], func(g Fault) bool { return g.EachNth }) {
			c.fail(name+".nth", "nth: each is there twice; one fault at a time goes through all requests")
		}
		for _, arg := range sortedKeys(f.Args) {
			if names, ok := f.Args[arg].(contentNames); ok {
				for _, one := range names {
					c.content(name+"."+arg, one)
				}
			}
		}
		c.arguments(f, name)
	}
}

// arguments checks that a fault can be made of its parameters. The decoder has
// said of each of them what is wrong with it alone.
func (c *checker) arguments(f Fault, part string) {
	kind, ok := fakeregistry.KindOf(f.Name)
	if !ok {
		if f.Name != "" {
			c.fail(part, "%q is not a fault%s", f.Name, didYouMean(f.Name, faultNames()))
		}
		return
	}
	args := fakeregistry.Args{}
	for name, v := range f.Args {
		if _, named := v.(contentNames); !named {
			args[name] = v
		}
	}
	if _, err := kind.Make(args); err != nil {
		c.fail(part, "%s: %s", f.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

func (c *checker) expect(x Expect, part string) {
	c.events(x.Wire, part+".wire")
	c.events(x.Exactly, part+".wire-exactly")
	c.events(x.Never, part+".never")
	for _, layer := range sortedKeys(x.Cache) {
		c.content(part+".cache."+layer, layer)
	}
	if x.Registry != nil {
		for _, name := range sortedKeys(x.Registry.Blobs) {
			c.content(part+".registry.blobs."+name, name)
		}
		for _, name := range sortedKeys(x.Registry.V1) {
			if name != "image" {
				c.content(part+".registry.v1."+name, name)
			}
		}
	}
	if x.Progress != nil {
		for _, layer := range sortedKeys(x.Progress.Layers) {
			c.content(part+".progress."+layer, layer)
		}
	}
	if x.Exit != nil && EraName(c.s.Client) != "" && *x.Exit > 1 {
		c.fail(part+".exit", "a builtin client ends with 0 or 1, never with %d", *x.Exit)
	}
}

func (c *checker) events(list []Event, part string) {
	for i, e := range list {
		name := partIndex(part, i)
		if e.Digest != "" {
			c.content(name, e.Digest)
		}
		c.events(e.Wire, name+".wire")
		c.events(e.AnyOrder, name+".any-order")
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
