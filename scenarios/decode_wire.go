package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// events reads a list of expected events.
func (d *decoder) events(n *node, part string) []Event {
	list := []Event{}
	for i, item := range d.list(n, part[strings.LastIndexByte(part, '.')+1:]) {
		name := partIndex(part, i)
		if e, ok := d.event(item, name); ok {
			d.mark(name, item.at)
			list = append(list, e)
		}
	}
	return list
}

// event reads one item: an operation, an operation with what is expected of it,
// or a group.
func (d *decoder) event(n *node, part string) (Event, bool) {
	switch {
	case n.kind == nodeString:
		p, ok := d.pattern(d.text(n, "event"), n.at)
		return Event{Op: p}, ok
	case n.kind != nodeMap || len(n.entries) == 0:
		d.fail(n.at, "", "an event is %s; want an operation such as ping: 200", nodeText[n.kind])
		return Event{}, false
	}
	for _, e := range n.entries {
		switch e.key {
		case "each", "wire":
			return d.eachEvent(n, part), true
		case "any-order":
			return d.anyOrder(n, part), true
		}
	}
	if len(n.entries) > 1 {
		keys := make([]string, len(n.entries))
		for i, e := range n.entries {
			keys[i] = e.key
		}
		d.fail(n.entries[1].at, "", "one event has several operations: %s; make each an item of its own", strings.Join(keys, ", "))
		return Event{}, false
	}
	return d.opEvent(n.entries[0], part)
}

func (d *decoder) eachEvent(n *node, part string) Event {
	e := Event{Each: "layers"}
	d.block(n, "each", part, []field{
		{"each", func(v *node) { e.Each = d.oneOf(v, "each", "layers") }},
		{"wire", func(v *node) { e.Wire = d.events(v, part+".wire") }},
	})
	if len(e.Wire) == 0 {
		d.fail(n.at, "", "each has no wire: say what is seen for every one")
	}
	return e
}

func (d *decoder) anyOrder(n *node, part string) Event {
	var e Event
	d.block(n, "any-order", part, []field{
		{"any-order", func(v *node) { e.AnyOrder = d.events(v, part+".any-order") }},
	})
	return e
}

// opEvent reads "op: answer" and "op: {…}".
func (d *decoder) opEvent(e entry, part string) (Event, bool) {
	if !strings.Contains(e.key, "@") {
		switch e.value.kind {
		case nodeNumber, nodeString:
			p, ok := d.answered(e.key, d.text(e.value, e.key), e)
			return Event{Op: p}, ok
		case nodeNull:
			d.fail(e.at, "", "what is expected of %s is empty; want a status, or %s alone", e.key, e.key)
			return Event{}, false
		case nodeBool, nodeList:
			d.fail(e.value.at, "", "what is expected of %s is %s; want a status or a map", e.key, nodeText[e.value.kind])
			return Event{}, false
		case nodeMap:
		}
	}
	p, ok := d.pattern(e.key, e.at)
	if !ok {
		return Event{}, false
	}
	event := Event{Op: p}
	d.block(e.value, "event "+e.key, part, d.eventFields(&event, e))
	return event, true
}

// answered makes a pattern of an operation and the answer that is expected.
func (d *decoder) answered(op, answer string, e entry) (Pattern, bool) {
	p, ok := d.pattern(op, e.at)
	if !ok || answer == "" {
		return p, false
	}
	full, err := wire.ParsePattern(op + "@" + answer)
	if err != nil {
		d.fail(e.value.at, "", "%v", err)
		return p, false
	}
	return full, true
}

func (d *decoder) eventFields(e *Event, head entry) []field {
	text := func(what string, to *string) field {
		return field{what, func(v *node) { *to = d.text(v, what) }}
	}
	return []field{
		{"status", func(v *node) {
			if p, ok := d.answered(head.key, d.text(v, "status"), entry{head.key, head.at, v}); ok {
				e.Op = p
			}
		}},
		text("digest", &e.Digest),
		text("repo", &e.Repo),
		text("tag", &e.Tag),
		text("media", &e.Media),
		text("host", &e.Host),
		{"bytes", func(v *node) { e.Bytes = d.rangeOf(v, "bytes", bytesQuantity) }},
		{"from", func(v *node) { e.From = d.rangeOf(v, "from", bytesQuantity) }},
		{"range", func(v *node) {
			e.Range = d.text(v, "range")
			if _, _, err := parseByteRange(e.Range); err != nil && e.Range != "" {
				d.fail(v.at, "", "%v", err)
			}
		}},
		{"gap", func(v *node) { e.Gap = d.rangeOf(v, "gap", timeQuantity) }},
		{"auth", func(v *node) { e.Auth = d.oneOf(v, "auth", "none", "basic", "bearer", "token") }},
		{"header", func(v *node) { e.Header = d.headers(v) }},
		{"answer-header", func(v *node) { e.AnswerHeader = d.headers(v) }},
		text("answer-body", &e.AnswerBody),
	}
}

// headers reads "Name: value", "Name", or a map; a null value means absent.
func (d *decoder) headers(n *node) map[string]string {
	h := map[string]string{}
	if n.kind != nodeMap {
		name, value, found := strings.Cut(d.text(n, "header"), ":")
		if !found {
			value = AnyValue
		}
		h[strings.TrimSpace(name)] = strings.TrimSpace(value)
		return h
	}
	for _, e := range n.entries {
		if e.value.kind == nodeNull {
			h[e.key] = Absent
			continue
		}
		h[e.key] = d.text(e.value, e.key)
	}
	return h
}

// parseByteRange reads a Range header's "0-1048575", or "0-1048575..1572863"
// where its end may lie between two numbers.
func parseByteRange(s string) (start int64, end Range, err error) {
	from, to, ok := strings.Cut(s, "-")
	bad := fmt.Errorf("%q is not a range of bytes; want 0-1048575 or 0-1048575..1572863", s)
	if !ok {
		return 0, Range{}, bad
	}
	start, err = plain.parse(from)
	if err != nil {
		return 0, Range{}, bad
	}
	end, err = parseRange(to, plain)
	if err != nil {
		return 0, Range{}, bad
	}
	return start, end, nil
}

// counts reads the map of how often something is seen.
func (d *decoder) counts(n *node, part string) []Count {
	if n.kind != nodeMap {
		d.fail(n.at, "", "count is %s; want a map such as {upload.start: 2}", nodeText[n.kind])
		return nil
	}
	var list []Count
	for _, e := range n.entries {
		p, ok := d.pattern(e.key, e.at)
		times := d.rangeOf(e.value, "count of "+e.key, plain)
		if ok && times != nil {
			d.mark(part+"."+e.key, e.whole())
			list = append(list, Count{Event: Event{Op: p}, Times: *times})
		}
	}
	slices.SortFunc(list, func(a, b Count) int { return strings.Compare(a.Event.Op.String(), b.Event.Op.String()) })
	return list
}
