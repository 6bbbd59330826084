package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A decoder reads one variation of a file into a Scenario. Nothing that it meets
// stops it: every problem is noted and decoding goes on.
type decoder struct {
	file      string
	lines     []string
	env       func(string) (string, bool)
	problems  []Problem
	positions map[string]Position
	unset     []string
	saw       func(what, part string, fields []field) // of each block; nil unless the format is written down
	// clientNames are adapters that the format does not know by name.
	clientNames []string
}

// A field is one key of a block and what reads its value.
type field struct {
	name string
	read func(v *node)
}

func (d *decoder) position(at span) Position {
	return Position{File: d.file, Line: at.line, Column: at.column, Length: at.length}
}

func (d *decoder) source(line int) string {
	if line < 1 || line > len(d.lines) {
		return ""
	}
	return strings.TrimRight(d.lines[line-1], "\r\n")
}

// fail notes a problem. accepts, when not empty, says what would be taken instead.
func (d *decoder) fail(at span, accepts, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		Position: d.position(at), Message: fmt.Sprintf(format, args...), Accepts: accepts, Source: d.source(at.line),
	})
}

// mark remembers where a part of the scenario stands.
func (d *decoder) mark(part string, at span) { d.positions[part] = d.position(at) }

// block reads a map by a table of its keys. what names it in messages, part in
// positions.
func (d *decoder) block(n *node, what, part string, fields []field) {
	if d.saw != nil {
		d.saw(what, part, fields)
	}
	if n.kind != nodeMap {
		d.fail(n.at, takes(what, fields), "%s is %s; want a map", what, nodeText[n.kind])
		return
	}
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.key })
		if i < 0 {
			d.fail(e.at, takes(what, fields), "unknown key %q for %s%s", e.key, what, didYouMean(e.key, names(fields)))
			continue
		}
		if part != "" {
			d.mark(part+"."+e.key, e.whole())
		} else {
			d.mark(e.key, e.whole())
		}
		fields[i].read(e.value)
	}
}

func names(fields []field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return list
}

func takes(what string, fields []field) string {
	return what + " takes: " + strings.Join(names(fields), ", ")
}

// text reads a scalar as text, with environment variables put in.
func (d *decoder) text(n *node, what string) string {
	switch n.kind {
	case nodeString, nodeNumber, nodeBool:
		return d.expand(n)
	case nodeNull:
		d.fail(n.at, "", "%s is empty", what)
	default:
		d.fail(n.at, "", "%s is %s; want a text", what, nodeText[n.kind])
	}
	return ""
}

// sentence is text that must not be blank.
func (d *decoder) sentence(n *node, what string) string {
	s := d.text(n, what)
	if strings.TrimSpace(n.text) == "" && n.kind == nodeString {
		d.fail(n.at, "", "%s is empty", what)
	}
	return s
}

// texts reads one text or a list of them.
func (d *decoder) texts(n *node, what string) []string {
	if n.kind != nodeList {
		if s := d.text(n, what); s != "" {
			return []string{s}
		}
		return nil
	}
	list := make([]string, 0, len(n.items))
	for _, item := range n.items {
		list = append(list, d.text(item, what))
	}
	return list
}

// textMap reads a map of texts.
func (d *decoder) textMap(n *node, what string) map[string]string {
	if n.kind != nodeMap {
		d.fail(n.at, "", "%s is %s; want a map", what, nodeText[n.kind])
		return nil
	}
	m := map[string]string{}
	for _, e := range n.entries {
		m[e.key] = d.text(e.value, what+" "+e.key)
	}
	return m
}

// oneOf reads a text that is one of the names.
func (d *decoder) oneOf(n *node, what string, allowed ...string) string {
	s := d.text(n, what)
	if s == "" || slices.Contains(allowed, s) {
		return s
	}
	d.fail(n.at, what+" is one of: "+strings.Join(allowed, ", "), "%s %q is unknown%s", what, s, didYouMean(s, allowed))
	return ""
}

func (d *decoder) boolean(n *node, what string) bool {
	if s := d.scalar(n, what, nodeBool); s == "true" || s == "false" {
		return s == "true"
	}
	if n.kind != nodeMap && n.kind != nodeList {
		d.fail(n.at, "", "%s is %q; want true or false", what, n.text)
	}
	return false
}

// integer reads a whole number of at least low.
func (d *decoder) integer(n *node, what string, low, high int64) int64 {
	s := d.scalar(n, what, nodeNumber)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.fail(n.at, "", "%s is %q; want a whole number", what, s)
		return 0
	}
	if v < low || v > high {
		d.fail(n.at, "", "%s is %d; want %d to %d", what, v, low, high)
		return 0
	}
	return v
}

// scalar reads the text of a scalar; "" after a problem was noted.
func (d *decoder) scalar(n *node, what string, want nodeKind) string {
	switch n.kind {
	case nodeMap, nodeList:
		d.fail(n.at, "", "%s is %s; want %s", what, nodeText[n.kind], nodeText[want])
		return ""
	case nodeNull:
		d.fail(n.at, "", "%s is empty; want %s", what, nodeText[want])
		return ""
	default:
		return strings.TrimSpace(d.expand(n))
	}
}

func (d *decoder) size(n *node, what string) int64 {
	return parsed(d, n, what, parseSize)
}

func (d *decoder) duration(n *node, what string) time.Duration {
	return parsed(d, n, what, parseDuration)
}

func (d *decoder) rangeOf(n *node, what string, q quantity) *Range {
	if n.kind == nodeMap || n.kind == nodeList || n.kind == nodeNull {
		d.fail(n.at, "", "%s is %s; want %s", what, nodeText[n.kind], q.example())
		return nil
	}
	r, err := parseRange(d.expand(n), q)
	if err != nil {
		d.fail(n.at, "", "%s: %v", what, err)
		return nil
	}
	return &r
}

// parsed reads a scalar with parse, whose error says what it wants.
func parsed[T any](d *decoder, n *node, what string, parse func(string) (T, error)) T {
	var zero T
	s := d.scalar(n, what, nodeString)
	if s == "" {
		if n.kind == nodeString && strings.TrimSpace(n.text) == "" {
			d.fail(n.at, "", "%s is empty", what)
		}
		return zero
	}
	v, err := parse(s)
	if err != nil {
		d.fail(n.at, "", "%s: %v", what, err)
		return zero
	}
	return v
}

// list returns the items of a list.
func (d *decoder) list(n *node, what string) []*node {
	if n.kind != nodeList {
		d.fail(n.at, "", "%s is %s; want a list", what, nodeText[n.kind])
		return nil
	}
	return n.items
}
