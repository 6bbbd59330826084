package scenarios

import (
	"slices"
	"strings"
)

// expand puts environment variables into a scalar: ${NAME} and ${NAME:-default}.
// It works on what was parsed, so that positions stay true. A variable that is
// neither set nor has a default is noted; the scenario is then skipped.
func (d *decoder) expand(n *node) string {
	if n.kind != nodeString || !strings.Contains(n.text, "${") {
		return n.text
	}
	var b strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		inner, tail, closed := strings.Cut(after, "}")
		if !closed {
			d.fail(n.at, "", "${%s has no closing brace", after)
			return b.String()
		}
		b.WriteString(d.variable(n, inner))
		rest = tail
	}
}

// variable is the value of what stands between the braces.
func (d *decoder) variable(n *node, inner string) string {
	name, fallback, hasDefault := strings.Cut(inner, ":-")
	if !validVariable(name) {
		d.fail(n.at, "", "${%s} is not a variable; want ${NAME} or ${NAME:-default}", inner)
		return ""
	}
	if d.env != nil {
		if v, ok := d.env(name); ok && (v != "" || !hasDefault) {
			return v
		}
	}
	if !hasDefault && !slices.Contains(d.unset, name) {
		d.unset = append(d.unset, name)
	}
	return fallback
}

func validVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
