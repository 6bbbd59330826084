package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A declared fault is one that is in force, or was.
type declared struct {
	fault Fault
	part  string // "faults[1]"
	host  *host
	index int  // among the host's faults
	must  bool // whether it must strike
}

// declare puts faults in force, each at its host, in front of those there are.
// remove ends them.
func (w *world) declare(list []Fault, part string) (remove func(), err error) {
	byHost := map[*host][]fakeregistry.Fault{}
	for i, f := range list {
		h, err := w.hostOf(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place(f.Position), err)
		}
		one, err := w.build(f)
		if err != nil {
			return nil, fmt.Errorf("%s: fault %s: %w", place(f.Position), faultTitle(f), err)
		}
		w.declared = append(w.declared, &declared{
			fault: f, part: partIndex(part, i), host: h, index: h.indices + len(byHost[h]),
			must: !f.When.Optional,
		})
		byHost[h] = append(byHost[h], one)
	}
	var removes []func()
	for _, h := range w.hosts {
		if len(byHost[h]) == 0 {
			continue
		}
		end, err := h.server.Inject(byHost[h])
		if err != nil {
			return nil, err
		}
		h.indices += len(byHost[h])
		removes = append(removes, end)
	}
	return func() {
		for _, end := range removes {
			end()
		}
	}, nil
}

// faultTitle is how a fault is named in messages.
func faultTitle(f Fault) string {
	if f.Name == "" {
		return anyOf
	}
	return f.Name
}

// hostOf is the host at which a fault strikes: the one that it names, or the first.
func (w *world) hostOf(f Fault) (*host, error) {
	n, ok := hostNumber(f.Where.Host)
	switch {
	case !ok:
		return w.hosts[0], nil
	case n > len(w.hosts):
		return nil, fmt.Errorf("the scenario has no %s; it has %d", f.Where.Host, len(w.hosts))
	}
	return w.hosts[n-1], nil
}

// hostNumber reads "host2".
func hostNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "host")
	if !ok || len(digits) != 1 || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	return int(digits[0] - '0'), true
}

// build makes a fault of the data.
func (w *world) build(f Fault) (fakeregistry.Fault, error) {
	if f.Name == "" {
		return w.buildAny(f)
	}
	one := fakeregistry.Fault{Name: f.Name, When: f.When, Source: place(f.Position)}
	kind, ok := fakeregistry.KindOf(f.Name)
	if !ok {
		return one, errors.New("it is not in this version")
	}
	args, err := w.arguments(f.Args)
	if err != nil {
		return one, err
	}
	if one.Effect, err = kind.Make(args); err != nil {
		return one, err
	}
	one.On, err = w.selects(f.Where, kind.Places())
	return one, err
}

// buildAny makes a fault that is another one each time.
func (w *world) buildAny(f Fault) (fakeregistry.Fault, error) {
	one := fakeregistry.Fault{Name: anyOf, When: f.When, Source: place(f.Position)}
	var members []fakeregistry.Fault
	for _, name := range f.AnyOf {
		member, err := w.build(Fault{Name: name})
		if err != nil {
			return one, fmt.Errorf("%s: %w", name, err)
		}
		members = append(members, member)
	}
	one.Effect = fakeregistry.AnyOf(members)
	var err error
	one.On, err = w.selects(f.Where, []Pattern{{Op: "any"}})
	return one, err
}

// arguments puts digests and addresses in the place of names.
func (w *world) arguments(given fakeregistry.Args) (fakeregistry.Args, error) {
	args := fakeregistry.Args{}
	for _, name := range sortedKeys(given) {
		switch v := given[name].(type) {
		case contentNames:
			var list []digest.Digest
			for _, one := range v {
				d, err := w.digestOf(one)
				if err != nil {
					return nil, err
				}
				list = append(list, d)
			}
			args[name] = list
		case string:
			args[name] = w.address(v)
		case []string:
			list := slices.Clone(v)
			for i := range list {
				list[i] = w.address(list[i])
			}
			args[name] = list
		default:
			args[name] = v
		}
	}
	return args, nil
}

// address puts the address of a host of the scenario in the place of its name,
// alone ("host2") or in a URL ("http://host2/v2/"); any other text stays.
func (w *world) address(text string) string {
	before, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		before, rest = "", text
	} else {
		before += "://"
	}
	name, path, hasPath := strings.Cut(rest, "/")
	n, ok := hostNumber(name)
	if !ok || n > len(w.hosts) || (hasPath && !isURL) {
		return text
	}
	if hasPath {
		path = "/" + path
	}
	return before + w.hosts[n-1].server.Host() + path
}

func (w *world) digestOf(name string) (digest.Digest, error) {
	d, ok := w.contents.digestOf(name)
	if !ok {
		return "", fmt.Errorf("%s is not known before the push", name)
	}
	return d, nil
}

// selects makes a match of where a fault strikes.
func (w *world) selects(where Where, usual []Pattern) (fakeregistry.Match, error) {
	m := fakeregistry.Match{
		Ops: where.Ops, Repo: where.Repo, Tag: where.Tag, MediaType: where.Media, Header: where.Header, Path: where.Path, Method: where.Method,
	}
	if len(m.Ops) == 0 {
		m.Ops = usual
	}
	if _, ours := hostNumber(where.Host); !ours {
		m.Host = where.Host
	}
	if where.Digest != "" {
		d, err := w.digestOf(where.Digest)
		if err != nil {
			return m, err
		}
		m.Digest = d
	}
	return m, nil
}

// declaredAt is the declared fault that a host knows by an index; nil for none.
func (w *world) declaredAt(h *host, index int) *declared {
	i := slices.IndexFunc(w.declared, func(d *declared) bool { return d.host == h && d.index == index })
	if i < 0 {
		return nil
	}
	return w.declared[i]
}

// struck counts how often each declared fault struck.
func (w *world) struck() map[*declared]int {
	counts := map[*declared]int{}
	for _, h := range w.hosts {
		for _, f := range h.server.Fired() {
			if d := w.declaredAt(h, f.Index); d != nil {
				counts[d]++
			}
		}
	}
	return counts
}

// couldStrike reports whether there was a request of an operation at which a
// fault strikes.
func (w *world) couldStrike(f Fault) bool {
	ops := f.Where.Ops
	if kind, ok := fakeregistry.KindOf(f.Name); ok && len(ops) == 0 {
		ops = kind.Places()
	}
	if len(ops) == 0 {
		ops = []Pattern{{Op: "any"}}
	}
	for _, e := range w.trace() {
		for _, p := range ops {
			if (Pattern{Op: p.Op}).Match(e) {
				return true
			}
		}
	}
	return false
}

// idle is a finding for each fault that never struck and had to.
func (w *world) idle() []finding {
	counts := w.struck()
	var list []finding
	for _, d := range w.declared {
		switch {
		case !d.must || counts[d] > 0:
		case d.fault.When.Chance > 0: // what no draw chose, another seed may choose: see drawn
			if !w.couldStrike(d.fault) {
				list = append(list, finding{broken: fmt.Sprintf("fault %s never had a request that it could strike", faultTitle(d.fault)), at: d.part})
			}
		default:
			list = append(list, finding{broken: fmt.Sprintf("fault %s never struck", faultTitle(d.fault)), at: d.part})
		}
	}
	return list
}
