package scenarios

import (
	"math"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// clients reads one client or a list of them. named says that their names belong
// in the IDs.
func (d *decoder) clients(n *node) (list []Client, named bool) {
	if n.kind != nodeList {
		list = d.client(n)
		return list, len(list) > 1
	}
	for _, item := range n.items {
		list = append(list, d.client(item)...)
	}
	if len(list) == 0 {
		d.fail(n.at, "", "client is an empty list; want at least one")
		list = []Client{{}}
	}
	return list, true
}

// client reads one client: several where its adapter is a list.
func (d *decoder) client(n *node) []Client {
	if n.kind != nodeMap {
		return []Client{d.namedClient(n)}
	}
	var c Client
	var adapters []string
	d.block(n, "client", "client", d.clientFields(&c, &adapters))
	kinds := 0
	for _, given := range []bool{c.Era != "", len(c.Run) > 0, len(adapters) > 0} {
		if given {
			kinds++
		}
	}
	if kinds > 1 {
		d.fail(n.at, "", "a client is one of era, adapter and run, not several of them")
	}
	if len(adapters) == 0 {
		c.Name = ClientName(c)
		return []Client{c}
	}
	var list []Client
	for _, name := range adapters {
		one := c
		one.Adapter, one.Name = name, name
		list = append(list, one)
	}
	return list
}

// namedClient reads the name of an era or an adapter.
func (d *decoder) namedClient(n *node) Client {
	name := d.text(n, "client")
	c := Client{Name: name}
	switch known := d.adapterNames(); {
	case slices.Contains(allEras(), name):
		c.Era = name
	case slices.Contains(known, name):
		c.Adapter = name
	case name != "":
		d.fail(n.at, "the eras are "+strings.Join(allEras(), ", ")+"; the adapters "+strings.Join(known, ", "),
			"client %q is neither an era nor an adapter%s", name, didYouMean(name, append(allEras(), known...)))
	}
	return c
}

// adapterNames are the foreign clients that a file may name.
func (d *decoder) adapterNames() []string { return append(slices.Clone(adapters), d.clientNames...) }

// runWords reads the command of a program that a scenario names. The variables of
// adapters stay: they are filled when it runs.
func (d *decoder) runWords(n *node) []string {
	outer := d.env
	d.env = func(name string) (string, bool) {
		if slices.Contains(variableNames(), name) {
			return "${" + name + "}", true
		}
		if outer == nil {
			return "", false
		}
		return outer(name)
	}
	defer func() { d.env = outer }()
	if n.kind == nodeList && len(n.items) == 0 {
		d.fail(n.at, "", "run is an empty list; want a program and its arguments")
	}
	return d.texts(n, "run")
}

// adapterList reads one adapter's name or a list of them.
func (d *decoder) adapterList(n *node) []string {
	items := []*node{n}
	if n.kind == nodeList {
		items = n.items
	}
	var list []string
	for _, item := range items {
		if name := d.oneOf(item, "adapter", d.adapterNames()...); name != "" {
			list = append(list, name)
		}
	}
	return list
}

func (d *decoder) clientFields(c *Client, adapters *[]string) []field {
	return []field{
		{"era", func(v *node) { c.Era = d.oneOf(v, "era", allEras()...) }},
		{"adapter", func(v *node) { *adapters = d.adapterList(v) }},
		{"run", func(v *node) { c.Run = d.runWords(v) }},
		{"login", func(v *node) { c.Login = d.login(v) }},
		{"cache", func(v *node) { c.Cache = d.contentMap(v, "cache", "client.cache") }},
		{"secure", func(v *node) { c.Secure = d.boolean(v, "secure") }},
		{"trust", func(v *node) { c.Trust = d.boolean(v, "trust") }},
		{"v2-only", func(v *node) { c.V2Only = d.boolean(v, "v2-only") }},
		{"meta", func(v *node) { c.Meta = d.textMap(v, "meta") }},
		{"trust-key", func(v *node) { c.TrustKey = d.oneOf(v, "trust-key", "generated") }},
		{"concurrency", func(v *node) { c.Concurrency = d.positive(v, "concurrency") }},
		{"platform", func(v *node) { c.Platform = d.platform(v) }},
		{"allow-nondistributable-artifacts", func(v *node) { c.Foreign = d.boolean(v, "allow-nondistributable-artifacts") }},
		{"chunk", func(v *node) { c.Chunk = d.size(v, "chunk") }},
		{"clock", func(v *node) { c.Clock = d.duration(v, "clock") }},
	}
}

func (d *decoder) platform(n *node) string {
	s := d.sentence(n, "platform")
	if _, err := pusher.ParsePlatform(s); err != nil && s != "" {
		d.fail(n.at, "", "platform: %v", err)
	}
	return s
}

// login reads "user:password".
func (d *decoder) login(n *node) *Login {
	s := d.sentence(n, "login")
	user, password, ok := strings.Cut(s, ":")
	if !ok && s != "" {
		d.fail(n.at, "", `login has no colon; want "user:password"`)
	}
	return &Login{User: user, Password: password}
}

// ClientName is how a client is shown: its own name, else its era, its adapter or
// its program.
func ClientName(c Client) string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Adapter != "":
		return c.Adapter
	case len(c.Run) > 0:
		return c.Run[0]
	}
	return EraName(c)
}

// DefaultEra is the builtin pusher of a client that names none.
const DefaultEra = "docker-1.8"

// EraName is the era of a client; "" for a foreign one.
func EraName(c Client) string {
	switch {
	case c.Adapter != "" || len(c.Run) > 0:
		return ""
	case c.Era == "":
		return DefaultEra
	}
	return c.Era
}

// eraOf finds a builtin pusher.
func eraOf(name string) (pusher.Era, bool) {
	for _, e := range pusher.Eras() {
		if e.Name == name {
			return e, true
		}
	}
	return pusher.Era{}, false
}

// allEras are the eras that are known by name or built.
func allEras() []string {
	list := slices.Clone(eraNames)
	for _, e := range pusher.Eras() {
		if !slices.Contains(list, e.Name) {
			list = append(list, e.Name)
		}
	}
	return list
}

// steps reads the list of what happens.
func (d *decoder) steps(n *node) []Step {
	var list []Step
	for i, item := range d.list(n, "steps") {
		part := partIndex("steps", i)
		d.mark(part, item.at)
		list = append(list, d.step(item, part))
	}
	return list
}

func (d *decoder) step(n *node, part string) Step {
	var s Step
	if n.kind == nodeString && d.text(n, "step") == VerbRestart {
		s.Verb = VerbRestart
		return s
	}
	set := func(verb string, v *node) {
		if s.Verb != "" {
			d.fail(v.at, "", "a step does one thing; this one has %s and %s", s.Verb, verb)
			return
		}
		s.Verb = verb
	}
	d.block(n, "step", part, []field{
		{VerbPush, func(v *node) { set(VerbPush, v); s.Push = d.sentence(v, "push") }},
		{VerbDelete, func(v *node) { set(VerbDelete, v); s.Delete = d.deletion(v, part+".delete") }},
		{VerbRestart, func(v *node) {
			set(VerbRestart, v)
			if v.kind != nodeNull {
				s.Wait = d.duration(v, "restart")
			}
		}},
		{VerbWait, func(v *node) { set(VerbWait, v); s.Wait = d.duration(v, "wait") }},
		{VerbCancel, func(v *node) { set(VerbCancel, v); s.Push = d.sentence(v, "cancel") }},
		{"at", func(v *node) { s.At, _ = d.pattern(d.text(v, "at"), v.at) }},
		{"after", func(v *node) { s.Wait = d.duration(v, "after") }},
		{"faults", func(v *node) { s.Faults = d.faults(v, part+".faults") }},
		{"expect", func(v *node) { x := d.expect(v, part+".expect"); s.Expect = &x }},
	})
	d.checkStep(n, s)
	return s
}

func (d *decoder) checkStep(n *node, s Step) {
	switch {
	case n.kind != nodeMap:
	case s.Verb == "":
		d.fail(n.at, "", "a step does one of: push, delete, restart, wait, cancel")
	case s.Verb == VerbCancel && (s.At == Pattern{}) == (s.Wait == 0):
		d.fail(n.at, "", "cancel has either at: an operation that has just ended, or after: a time")
	case s.Verb != VerbCancel && s.At != Pattern{}:
		d.fail(n.at, "", "at belongs to cancel, not to %s", s.Verb)
	case !s.pushes() && (s.Expect != nil || len(s.Faults) > 0):
		d.fail(n.at, "", "faults and expect belong to push and cancel, not to %s", s.Verb)
	}
}

func (d *decoder) deletion(n *node, part string) Deletion {
	var x Deletion
	d.block(n, "delete", part, []field{
		{"blob", func(v *node) { x.Blob = d.sentence(v, "blob") }},
		{"tag", func(v *node) { x.Tag = d.sentence(v, "tag") }},
		{"from", func(v *node) { x.From = d.sentence(v, "from") }},
	})
	if n.kind == nodeMap && ((x.Blob == "") == (x.Tag == "") || x.From == "") {
		d.fail(n.at, "", "delete has either blob or tag, and from: the repository")
	}
	return x
}

// seed reads the first seed of a file.
func (d *decoder) seed(n *node) uint64 {
	return uint64(d.integer(n, "seed", 0, math.MaxInt64))
}
