package scenarios

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

const anyOf = "any-of"

// triggerKeys are the keys that every fault takes beside its own.
var triggerKeys = []string{"nth", "times", "every", "chance", "per", "after-event", "until", "optional", "note"}

// faults reads a list of faults.
func (d *decoder) faults(n *node, part string) []Fault {
	var list []Fault
	for i, item := range d.list(n, "faults") {
		name := partIndex(part, i)
		f, ok := d.fault(item, name)
		if ok {
			f.Position = d.position(item.at)
			d.mark(name, item.at)
			list = append(list, f)
		}
	}
	return list
}

// fault reads one: a bare name, or a map with the name, where, how and when.
func (d *decoder) fault(n *node, part string) (Fault, bool) {
	if n.kind == nodeString {
		name := d.text(n, "fault")
		return Fault{Name: name}, d.knownFault(name, n.at)
	}
	if n.kind != nodeMap || len(n.entries) == 0 {
		d.fail(n.at, "", "a fault is %s; want its name, or a map that begins with it", nodeText[n.kind])
		return Fault{}, false
	}
	all := faultNames()
	i := slices.IndexFunc(n.entries, func(e entry) bool { return e.key == anyOf || slices.Contains(all, e.key) })
	if i < 0 {
		d.knownFault(n.entries[0].key, n.entries[0].at)
		return Fault{}, false
	}
	head := n.entries[i]
	rest := append(slices.Clone(n.entries[:i]), n.entries[i+1:]...)
	f := Fault{Name: head.key, Args: fakeregistry.Args{}}
	fields := d.triggers(&f)
	what := "fault " + head.key
	if head.key == anyOf {
		f.Name, f.AnyOf = "", d.anyOf(head.value)
		fields = append([]field{{"at", func(v *node) { f.Where = d.where(v, part+".at") }}}, fields...)
		what = anyOf
	} else {
		f.Where = d.where(head.value, part)
		fields = append(d.params(&f), fields...)
	}
	d.faultKeys(rest, what, part, fields)
	return f, true
}

// faultKeys reads the keys beside the fault's name.
func (d *decoder) faultKeys(entries []entry, what, part string, fields []field) {
	for _, e := range entries {
		i := slices.IndexFunc(fields, func(x field) bool { return x.name == e.key })
		switch {
		case i >= 0:
			d.mark(part+"."+e.key, e.whole())
			fields[i].read(e.value)
		default:
			own := names(fields[:len(fields)-len(triggerKeys)])
			accepts := strings.TrimPrefix(what, "fault ") + " takes: " + strings.Join(own, ", ")
			if len(own) == 0 {
				accepts = strings.TrimPrefix(what, "fault ") + " takes no parameters"
			}
			accepts += " (and " + strings.Join(triggerKeys, ", ") + ")"
			d.fail(e.at, accepts, "unknown key %q for %s%s", e.key, what, didYouMean(e.key, names(fields)))
		}
	}
}

func (d *decoder) knownFault(name string, at span) bool {
	all := faultNames()
	if name == "" || slices.Contains(all, name) {
		return name != ""
	}
	d.fail(at, "", "%q is not a fault%s", name, didYouMean(name, all))
	return false
}

func (d *decoder) anyOf(n *node) []string {
	var list []string
	for _, item := range d.list(n, anyOf) {
		if name := d.text(item, "fault"); d.knownFault(name, item.at) {
			list = append(list, name)
		}
	}
	return list
}

// params is the table of a fault's own parameters.
func (d *decoder) params(f *Fault) []field {
	kind, _ := fakeregistry.KindOf(f.Name)
	var fields []field
	for _, p := range kind.Params {
		if slices.Contains(triggerKeys, p.Name) {
			continue // "times" of the dns faults is the common one
		}
		fields = append(fields, field{p.Name, func(v *node) {
			if value, ok := d.argument(v, p, f.Name); ok {
				f.Args[p.Name] = value
			}
		}})
	}
	return fields
}

// contentNames are names of content that become digests when the image is known.
type contentNames []string

// argument reads the value of one parameter into the Go type that its type names,
// within the parameter's bounds; false after a problem was noted.
func (d *decoder) argument(n *node, p fakeregistry.Param, fault string) (any, bool) {
	what := p.Name + " of " + fault
	problems, unset := len(d.problems), len(d.unset)
	v := d.argumentOf(n, p, what)
	if len(d.problems) > problems || len(d.unset) > unset {
		return nil, false
	}
	if _, named := v.(contentNames); named {
		return v, true
	}
	if err := p.Check(v); err != nil {
		d.fail(n.at, "", "%s: %s", what, strings.ReplaceAll(err.Error(), "\n", "; "))
		return nil, false
	}
	return v, true
}

// argumentOf reads a value of one type.
func (d *decoder) argumentOf(n *node, p fakeregistry.Param, what string) any {
	switch p.Type {
	case fakeregistry.ParamInt, fakeregistry.ParamStatus:
		return d.integer(n, what, math.MinInt64, math.MaxInt64)
	case fakeregistry.ParamSize:
		return d.size(n, what)
	case fakeregistry.ParamDuration:
		return d.duration(n, what)
	case fakeregistry.ParamRate:
		return parsed(d, n, what, parseRate)
	case fakeregistry.ParamBool:
		return d.boolean(n, what)
	case fakeregistry.ParamEnum:
		return d.oneOf(n, what, p.Values...)
	case fakeregistry.ParamStrings:
		return d.texts(n, what)
	case fakeregistry.ParamDigests:
		return contentNames(d.texts(n, what))
	case fakeregistry.ParamMap:
		return d.textMap(n, what)
	default:
		if p.Form == fakeregistry.FormMoment {
			return d.moment(n, what)
		}
		return d.text(n, what)
	}
}

// triggers is the table of what every fault takes.
func (d *decoder) triggers(f *Fault) []field {
	w := &f.When
	whole := func(what string, to *int) func(*node) {
		return func(v *node) { *to = int(d.integer(v, what, 1, math.MaxInt32)) }
	}
	return []field{
		{"nth", func(v *node) {
			if v.kind == nodeString && v.text == "each" {
				f.EachNth = true
				return
			}
			whole("nth", &w.Nth)(v)
		}},
		{"times", whole("times", &w.Times)},
		{"every", whole("every", &w.Every)},
		{"chance", func(v *node) { w.Chance = parsed(d, v, "chance", parseFraction) }},
		{"per", func(v *node) { w.Per = d.oneOf(v, "per", "run", "connection", "digest", "repository") }},
		{"after-event", func(v *node) { w.AfterEvent = d.moment(v, "after-event") }},
		{"until", func(v *node) { w.Until = d.moment(v, "until") }},
		{"optional", func(v *node) { w.Optional = d.boolean(v, "optional") }},
		{"note", func(v *node) { f.Note = d.text(v, "note") }},
	}
}

// benchEvents are the events that the bench tells the registry of, beside
// "delete" and what is deleted.
var benchEvents = []string{"restart", "push-ended"}

// moment reads when a fault begins or ends: an operation with or without an
// answer, an event of the bench, or a fault that strikes.
func (d *decoder) moment(n *node, what string) string {
	s := d.text(n, what)
	if s == "" || strings.HasPrefix(s, "delete ") || s == anyOf {
		return s
	}
	if _, err := wire.ParsePattern(s); err == nil {
		return s
	}
	known := slices.Concat(benchEvents, operationNames(), faultNames())
	if slices.Contains(known, s) {
		return s
	}
	op, _, _ := strings.Cut(s, "@")
	if slices.Contains(operationNames(), op) { // the answer is wrong
		d.pattern(s, n.at)
		return ""
	}
	d.fail(n.at, what+" takes: an operation such as upload.put or upload.put@201, "+strings.Join(benchEvents, ", ")+", or the name of a fault",
		"%s %q is neither an operation nor an event nor a fault%s", what, s, didYouMean(op, known))
	return ""
}

// where reads where a fault strikes: nothing for its usual place, an operation,
// a list of them, or a map of selectors.
func (d *decoder) where(n *node, part string) Where {
	var w Where
	switch n.kind {
	case nodeNull:
		return w
	case nodeMap:
		d.block(n, "where a fault strikes", part, d.selectors(&w))
	default:
		w.Ops = d.patterns(n)
	}
	return w
}

func (d *decoder) selectors(w *Where) []field {
	text := func(what string, to *string) field {
		return field{what, func(v *node) { *to = d.text(v, what) }}
	}
	return []field{
		{"op", func(v *node) { w.Ops = d.patterns(v) }},
		text("host", &w.Host),
		text("repo", &w.Repo),
		text("tag", &w.Tag),
		text("digest", &w.Digest),
		text("media", &w.Media),
		text("client", &w.Client),
		text("header", &w.Header),
		{"path", func(v *node) {
			w.Path = d.text(v, "path")
			if _, err := regexp.Compile(w.Path); err != nil {
				d.fail(v.at, "", "path: %v", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
		}},
		text("method", &w.Method),
		{"attempt", func(v *node) { w.Attempt = int(d.integer(v, "attempt", 1, math.MaxInt32)) }},
	}
}

// patterns reads one operation pattern or a list of them.
func (d *decoder) patterns(n *node) []Pattern {
	items := []*node{n}
	if n.kind == nodeList {
		items = n.items
	}
	var list []Pattern
	for _, item := range items {
		if p, ok := d.pattern(d.text(item, "operation"), item.at); ok {
			list = append(list, p)
		}
	}
	return list
}

// pattern checks the text of one pattern.
func (d *decoder) pattern(text string, at span) (Pattern, bool) {
	if text == "" {
		return Pattern{}, false
	}
	p, err := wire.ParsePattern(text)
	if err == nil {
		return p, true
	}
	message := err.Error()
	op, _, _ := strings.Cut(text, "@")
	if strings.HasSuffix(message, "is not an operation") {
		for i, name := range near(op, operationNames()) {
			if i == 0 {
				message += "; did you mean " + name + "?"
			}
		}
	}
	d.fail(at, "", "%s", message)
	return Pattern{}, false
}

func operationNames() []string {
	list := []string{"any"}
	for _, op := range wire.Ops() {
		list = append(list, string(op))
	}
	return list
}
