package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// maxVariations bounds what the matrix of one file multiplies to.
const maxVariations = 1000

// A variation is one way in which a file is run: a case of it with one value of
// each axis of its matrix put in.
type variation struct {
	root    *node
	suffix  string // of the ID: "/wrong-password/layer-size=1MiB"
	client  bool   // that the case names its client
	partial bool   // only there so that what every case replaces is read too
}

// variations spreads a file out.
func (d *decoder) variations(root *node) []variation {
	var cases, matrix *node
	rest := &node{kind: nodeMap, at: root.at}
	for _, e := range root.entries {
		switch e.key {
		case "cases":
			cases = e.value
		case "matrix":
			matrix = e.value
		default:
			rest.entries = append(rest.entries, e)
		}
	}
	list := []variation{{root: rest}}
	if cases != nil {
		list = append([]variation{{root: rest, partial: true}}, d.cases(cases, rest)...)
	}
	axes := d.axes(matrix)
	var out []variation
	used := map[string]bool{}
	for _, v := range list {
		out = append(out, d.combine(v, axes, used)...)
	}
	for _, a := range axes {
		if !used[a.key] && len(list) > 0 {
			d.fail(a.at, "", "axis %s is never used; write ${{ %s }} where its values belong", a.key, a.key)
		}
	}
	if len(out) > maxVariations {
		d.fail(matrix.at, "", "the matrix makes %d scenarios; at most %d are allowed", len(out), maxVariations)
		return nil
	}
	return out
}

// cases lays each case over what is shared.
func (d *decoder) cases(n *node, shared *node) []variation {
	if n.kind != nodeMap || len(n.entries) == 0 {
		d.fail(n.at, "", "cases is %s; want a map from names to what differs", nodeText[n.kind])
		return nil
	}
	allowed := d.caseKeys()
	var list []variation
	for _, e := range n.entries {
		if !validCaseName(e.key) {
			d.fail(e.at, "", "case name %q is not made of letters, digits, dots and hyphens", e.key)
		}
		if e.value.kind != nodeMap {
			d.fail(e.value.at, "", "case %s is %s; want a map of what differs", e.key, nodeText[e.value.kind])
			continue
		}
		own := &node{kind: nodeMap, at: e.value.at}
		for _, k := range e.value.entries {
			if !slices.Contains(allowed, k.key) {
				d.fail(k.at, "a case takes: "+strings.Join(allowed, ", "), "unknown key %q for case %s%s", k.key, e.key, didYouMean(k.key, allowed))
				continue
			}
			own.entries = append(own.entries, k)
		}
		client := slices.ContainsFunc(own.entries, func(k entry) bool { return k.key == "client" })
		list = append(list, variation{root: overlay(shared, own), suffix: "/" + e.key, client: client})
	}
	return list
}

func validCaseName(s string) bool {
	for _, r := range s {
		letter := (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9')
		if !letter && r != '.' && r != '-' && r != '_' {
			return false
		}
	}
	return s != ""
}

// overlay is shared with the keys of own in their place. expect is merged key by
// key; push and steps replace each other.
func overlay(shared, own *node) *node {
	out := &node{kind: nodeMap, at: shared.at}
	find := func(n *node, key string) int {
		return slices.IndexFunc(n.entries, func(e entry) bool { return e.key == key })
	}
	for _, e := range shared.entries {
		if (e.key == "push" && find(own, "steps") >= 0) || (e.key == "steps" && find(own, "push") >= 0) {
			continue
		}
		i := find(own, e.key)
		switch {
		case i < 0:
			out.entries = append(out.entries, e)
		case e.key == "expect" && e.value.kind == nodeMap && own.entries[i].value.kind == nodeMap:
			merged := own.entries[i]
			merged.value = overlay(e.value, own.entries[i].value)
			merged.value.at = own.entries[i].value.at
			out.entries = append(out.entries, merged)
		default:
			out.entries = append(out.entries, own.entries[i])
		}
	}
	for _, e := range own.entries {
		if find(shared, e.key) < 0 || (find(out, e.key) < 0) {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

// axes reads the matrix.
func (d *decoder) axes(n *node) []entry {
	if n == nil {
		return nil
	}
	if n.kind != nodeMap {
		d.fail(n.at, "", "matrix is %s; want a map from axes to lists of values", nodeText[n.kind])
		return nil
	}
	var axes []entry
	for _, e := range n.entries {
		switch {
		case !validCaseName(e.key):
			d.fail(e.at, "", "axis %q is not made of letters, digits, dots and hyphens", e.key)
		case e.value.kind != nodeList || len(e.value.items) == 0:
			d.fail(e.value.at, "", "axis %s is %s; want a list of values", e.key, nodeText[e.value.kind])
		default:
			axes = append(axes, e)
		}
	}
	return axes
}

// combine puts every combination of the axes into a variation.
func (d *decoder) combine(v variation, axes []entry, used map[string]bool) []variation {
	total := 1
	for _, a := range axes {
		if total *= len(a.value.items); total > maxVariations {
			d.fail(a.at, "", "the matrix makes more than %d scenarios", maxVariations)
			return nil
		}
	}
	var out []variation
	for i := range total {
		values := map[string]*node{}
		var labels []string
		for j, rest := len(axes)-1, i; j >= 0; j-- {
			items := axes[j].value.items
			value := items[rest%len(items)]
			label := value.text
			if value.kind == nodeMap || value.kind == nodeList || !validCaseName(label) {
				label = fmt.Sprint(rest%len(items) + 1)
			}
			values[axes[j].key] = value
			labels = append([]string{axes[j].key + "=" + label}, labels...)
			rest /= len(items)
		}
		one := variation{root: d.substitute(v.root, values, used), suffix: v.suffix, client: v.client, partial: v.partial}
		if len(labels) > 0 {
			one.suffix += "/" + strings.Join(labels, ",")
		}
		out = append(out, one)
		if v.partial {
			break
		}
	}
	return out
}

// substitute puts matrix values in where ${{ axis }} is a whole value.
func (d *decoder) substitute(n *node, values map[string]*node, used map[string]bool) *node {
	out := *n
	switch n.kind {
	case nodeMap:
		out.entries = slices.Clone(n.entries)
		for i := range out.entries {
			out.entries[i].value = d.substitute(out.entries[i].value, values, used)
		}
	case nodeList:
		out.items = slices.Clone(n.items)
		for i := range out.items {
			out.items[i] = d.substitute(out.items[i], values, used)
		}
	case nodeString:
		if strings.Contains(n.text, "${{") {
			return d.axisValue(n, values, used)
		}
	case nodeNull, nodeBool, nodeNumber:
	}
	return &out
}

func (d *decoder) axisValue(n *node, values map[string]*node, used map[string]bool) *node {
	inner, ok := strings.CutPrefix(n.text, "${{")
	inner, closed := strings.CutSuffix(inner, "}}")
	name := strings.TrimSpace(inner)
	if !ok || !closed || strings.Contains(name, "}}") {
		d.fail(n.at, "", "a matrix value replaces a whole value: write ${{ axis }} and nothing else")
		return &node{kind: nodeString, at: n.at, text: "-"}
	}
	value, found := values[name]
	if !found {
		var axes []string
		for a := range values {
			axes = append(axes, a)
		}
		slices.Sort(axes)
		d.fail(n.at, "", "${{ %s }} is not an axis of the matrix%s", name, didYouMean(name, axes))
		return &node{kind: nodeString, at: n.at, text: "-"}
	}
	used[name] = true
	out := *value
	out.at = n.at
	return &out
}
