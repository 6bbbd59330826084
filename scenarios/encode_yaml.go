package scenarios

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A mapping is a map under construction: what is empty is left out.
type mapping struct{ entries []entry }

func (b *mapping) put(key string, n *node) {
	if n != nil {
		b.entries = append(b.entries, entry{key: key, value: n})
	}
}

func (b *mapping) text(key, v string) {
	if v != "" {
		b.put(key, textNode(v))
	}
}

func (b *mapping) texts(key string, list []string) {
	if list != nil {
		b.put(key, encodeTexts(list))
	}
}

func (b *mapping) textMap(key string, m map[string]string) {
	if m == nil {
		return
	}
	var inner mapping
	for _, name := range sortedKeys(m) {
		inner.put(name, textNode(m[name]))
	}
	b.put(key, inner.node())
}

func (b *mapping) whole(key string, n int64) {
	if n != 0 {
		b.put(key, plainNode(strconv.FormatInt(n, 10)))
	}
}

func (b *mapping) yes(key string, v bool) {
	if v {
		b.put(key, plainNode("true"))
	}
}

func (b *mapping) time(key string, d time.Duration) {
	if d != 0 {
		b.put(key, plainNode(formatTime(d)))
	}
}

func (b *mapping) span(key string, r *Range, q quantity) {
	if r != nil {
		b.put(key, encodeRange(*r, q))
	}
}

func (b *mapping) node() *node { return &node{kind: nodeMap, entries: b.entries} }

// some is the map, or nil when it is empty.
func (b *mapping) some() *node {
	if len(b.entries) == 0 {
		return nil
	}
	return b.node()
}

// textNode is a text, plainNode one that stands as it is: a number, a size, true.
func textNode(s string) *node  { return &node{kind: nodeString, text: s} }
func plainNode(s string) *node { return &node{kind: nodeNumber, text: s} }

func encodeTexts(list []string) *node {
	n := &node{kind: nodeList}
	for _, s := range list {
		n.items = append(n.items, textNode(s))
	}
	return n
}

// encodeEach is a list of what encode makes of each; nil for none.
func encodeEach[T any](list []T, encode func(T) *node) *node {
	if len(list) == 0 {
		return nil
	}
	n := &node{kind: nodeList}
	for _, x := range list {
		n.items = append(n.items, encode(x))
	}
	return n
}

// maxColumns is how wide a line of an encoded file gets before what it holds is
// spread over several.
const maxColumns = 110

// render writes the map of a file.
func render(root *node) string {
	var b strings.Builder
	writeEntries(&b, root, 0)
	return b.String()
}

func writeEntries(b *strings.Builder, n *node, depth int) {
	for i, e := range n.entries {
		if i > 0 || depth == 0 {
			b.WriteString(strings.Repeat("  ", depth))
		}
		b.WriteString(quotedKey(e.key) + ":")
		writeValue(b, e.value, depth+1, len(e.key)+2*depth)
	}
}

// writeValue writes what follows "key:", or "-", at a column: on the same line
// where it fits.
func writeValue(b *strings.Builder, n *node, depth, column int) {
	line := flow(n)
	long := len(line)+column > maxColumns || depth == 1 && n.kind == nodeList && len(n.items) > 0 && n.items[0].kind == nodeMap
	switch {
	case n.kind == nodeMap && len(n.entries) > 0 && long:
		b.WriteString("\n" + strings.Repeat("  ", depth))
		writeEntries(b, n, depth)
	case n.kind == nodeList && len(n.items) > 0 && long:
		b.WriteString("\n")
		for _, item := range n.items {
			b.WriteString(strings.Repeat("  ", depth) + "-")
			writeItem(b, item, depth+1)
		}
	case n.kind == nodeNull:
		b.WriteString("\n")
	default:
		b.WriteString(" " + line + "\n")
	}
}

// writeItem writes what follows "-": a map begins on the same line, and at the top
// of a file it is spread out where it has several keys.
func writeItem(b *strings.Builder, n *node, depth int) {
	line := flow(n)
	switch {
	case n.kind == nodeMap && len(n.entries) > 0 && (depth == 2 || len(line)+2*depth > maxColumns):
		b.WriteString(" ")
		writeEntries(b, n, depth)
	case n.kind == nodeList && len(line)+2*depth > maxColumns:
		writeValue(b, n, depth, maxColumns)
	default:
		b.WriteString(" " + line + "\n")
	}
}

// flow is a value on one line.
func flow(n *node) string {
	var parts []string
	switch n.kind {
	case nodeMap:
		for _, e := range n.entries {
			parts = append(parts, quotedKey(e.key)+": "+flow(e.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case nodeList:
		for _, item := range n.items {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case nodeNull:
		return "null"
	case nodeNumber, nodeBool:
		return n.text
	default:
		return quoted(n.text)
	}
}

// quoted is a text as it stands where nothing else could be read in it, else
// between quotes.
func quoted(s string) string {
	if s == "" || !utf8.ValidString(s) || !word(s) || strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.TrimSpace(s) != s {
		return doubleQuoted(s)
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan":
		return doubleQuoted(s)
	}
	if first := s[0]; first == '-' || first == '.' || first == '+' || first >= '0' && first <= '9' {
		if !strings.ContainsAny(s, "/ ") { // it may be read as a number, a date, a list
			return doubleQuoted(s)
		}
	}
	return s
}

// quotedKey is a key: a colon within it would end it.
func quotedKey(s string) string {
	if strings.Contains(s, ":") {
		return doubleQuoted(s)
	}
	return quoted(s)
}

// word reports whether a text holds nothing that means something to YAML.
func word(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '/'
		if !letter && (i == 0 && r != '.' || !strings.ContainsRune(" .-+:;()=^~$@", r) && r < 0xa0) {
			return false
		}
	}
	return true
}

// doubleQuoted is a text between double quotes, as JSON and YAML have it.
func doubleQuoted(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "�")) }
