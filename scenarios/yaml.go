package scenarios

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a scenario file may be at most, so that a broken or hostile one is refused
// and not read for ever: the parser takes time that grows with the square of a
// file's length and of its nesting.
const (
	maxFile  = 64 << 10
	maxDepth = 40
	maxOpen  = 400 // brackets or dashes in a row, counted in whatever they stand
)

// A nodeKind is what a node of a file is.
type nodeKind int

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeMap
	nodeList
)

var nodeText = [...]string{"nothing", "true or false", "a number", "a text", "a map", "a list"}

// A span is where something stands in its file; line and column from 1.
type span struct{ line, column, length int }

// A node is a value of a file, without what the format refuses: anchors,
// aliases, merge keys, tags.
type node struct {
	kind    nodeKind
	text    string // of a scalar: its value
	at      span
	entries []entry // of a map, duplicates removed
	items   []*node // of a list
}

// An entry is one key of a map with its value.
type entry struct {
	key   string
	at    span // of the key
	value *node
}

// whole is the span of key and value, for a caret below both.
func (e entry) whole() span { return join(e.at, e.value.at) }

// join is from the beginning of a to the end of b where both stand on one line,
// else a.
func join(a, b span) span {
	if a.line != b.line || b.column+b.length <= a.column+a.length {
		return a
	}
	return span{a.line, a.column, b.column + b.length - a.column}
}

// parse reads a file into nodes. It returns nil when there is nothing to decode;
// every problem is reported to report.
func parse(src []byte, report func(span, string)) (root *node) {
	if len(src) > maxFile {
		report(span{1, 1, 1}, fmt.Sprintf("the file has more than %d bytes, which is the most that a scenario may have", maxFile))
		return nil
	}
	if !utf8.Valid(src) {
		report(span{1, 1, 1}, "the file is not UTF-8")
		return nil
	}
	if line, deep := deepest(src); deep > maxOpen {
		report(span{line, 1, 1}, fmt.Sprintf("this is nested more than %d deep", maxDepth))
		return nil
	}
	defer func() { // the parser is somebody else's: a file must never end the process
		if p := recover(); p != nil {
			report(span{1, 1, 1}, "this is not YAML that can be read")
			root = nil
		}
	}()
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		reportSyntax(err, report)
		return nil
	}
	c := converter{report: report, lines: strings.Split(string(src), "\n")}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.DirectiveNode); ok {
			c.refuse(doc.Body, "a scenario file has no %% directives")
			continue
		}
		if root != nil {
			c.refuse(doc.Body, "a file is one scenario; put variations under cases and other scenarios into files of their own")
			break
		}
		root = c.node(doc.Body, 0)
	}
	if root == nil {
		report(span{1, 1, 1}, `the file is empty; a scenario begins with "scenario:" and a sentence`)
	}
	return root
}

// deepest is the line in which the most brackets are open, or the most dashes
// begin, and how many. It does not know texts from brackets: it is a bound.
func deepest(src []byte) (line, deep int) {
	open, number := 0, 1
	dashes := 0
	for _, c := range src {
		switch c {
		case '[', '{':
			open++
		case ']', '}':
			open = max(open-1, 0)
		case '-', '?':
			dashes++
		case '\n':
			number++
			dashes = 0
		case ' ':
		default:
			dashes = 0
		}
		if now := max(open, dashes); now > deep {
			line, deep = number, now
		}
	}
	return line, deep
}

// reportSyntax turns a parser's error into a problem.
func reportSyntax(err error, report func(span, string)) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		report(tokenSpan(syntax.Token), syntax.Message)
		return
	}
	report(span{1, 1, 1}, strings.SplitN(err.Error(), "\n", 2)[0])
}

// A converter makes nodes of the parser's.
type converter struct {
	report func(span, string)
	lines  []string
}

func (c *converter) refuse(n ast.Node, format string, args ...any) {
	c.report(c.spanOf(n), fmt.Sprintf(format, args...))
}

// node converts n. What is refused becomes a null, after it was reported.
func (c *converter) node(n ast.Node, depth int) *node {
	if depth > maxDepth {
		c.refuse(n, "this is nested more than %d deep", maxDepth)
		return &node{at: c.spanOf(n)}
	}
	out := &node{at: c.spanOf(n)}
	switch n := n.(type) {
	case *ast.MappingNode:
		c.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		c.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = nodeList
		for _, v := range n.Values {
			out.items = append(out.items, c.node(v, depth+1))
		}
		out.at = c.listSpan(n, out)
	case *ast.StringNode:
		out.kind, out.text = nodeString, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = nodeString, n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = nodeNumber, n.GetToken().Value
	case *ast.BoolNode:
		out.kind, out.text = nodeBool, n.GetToken().Value
	case *ast.NullNode:
	case *ast.AnchorNode:
		c.refuse(n, "anchors are not part of the format; share by naming the thing, or use cases")
		return c.node(n.Value, depth+1)
	case *ast.AliasNode:
		c.refuse(n, "aliases are not part of the format; write the value out, or use cases")
	case *ast.TagNode:
		c.refuse(n, "tags such as %s are not part of the format", n.Start.Value)
		if n.Value != nil {
			return c.node(n.Value, depth+1)
		}
	default:
		c.refuse(n, "this is not part of the format")
	}
	return out
}

func (c *converter) mapping(out *node, values []*ast.MappingValueNode, depth int) {
	out.kind = nodeMap
	first := map[string]span{}
	for _, v := range values {
		key, at, ok := c.key(v.Key)
		value := c.node(v.Value, depth+1)
		if !ok {
			continue
		}
		if before, dup := first[key]; dup {
			c.report(at, fmt.Sprintf("key %q is there twice; the first is in line %d", key, before.line))
			continue
		}
		first[key] = at
		if value.kind == nodeNull && value.at.length <= 1 { // point at the key, not at the nothing behind it
			value.at = at
		}
		out.entries = append(out.entries, entry{key: key, at: at, value: value})
	}
	out.at = c.mapSpan(out)
}

// key reads a mapping's key.
func (c *converter) key(k ast.MapKeyNode) (string, span, bool) {
	at := c.spanOf(k)
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, at, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return k.GetToken().Value, at, true
	case *ast.MergeKeyNode:
		c.report(at, "merge keys are not part of the format; write the keys out, or use cases")
	case *ast.MappingKeyNode:
		c.report(at, "keys with ? are not part of the format")
	default:
		c.report(at, "this cannot be a key")
	}
	return "", at, false
}

// mapSpan is the first entry of a map, up to the end of its line.
func (c *converter) mapSpan(n *node) span {
	if len(n.entries) == 0 {
		return n.at
	}
	first := n.entries[0].at
	last := n.entries[len(n.entries)-1].whole()
	at := join(first, last)
	if last.line != first.line {
		at = n.entries[0].whole()
	}
	return at
}

func (c *converter) listSpan(l *ast.SequenceNode, n *node) span {
	if l.IsFlowStyle && l.End != nil && l.End.Position.Line == n.at.line {
		return span{n.at.line, n.at.column, l.End.Position.Column - n.at.column + 1}
	}
	return n.at
}

// spanOf is where n begins and how long it is on its first line.
func (c *converter) spanOf(n ast.Node) span {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return tokenSpan(n.Start)
		}
		if len(n.Values) > 0 {
			return c.spanOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return c.spanOf(n.Key)
	case *ast.LiteralNode:
		return tokenSpan(n.Start)
	}
	if n == nil || n.GetToken() == nil {
		return span{1, 1, 1}
	}
	return tokenSpan(n.GetToken())
}

func tokenSpan(t *token.Token) span {
	text := strings.TrimSpace(t.Origin)
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	length := max(utf8.RuneCountInString(text), 1)
	line, column := 1, 1
	if t.Position != nil {
		line, column = max(t.Position.Line, 1), max(t.Position.Column, 1)
	}
	return span{line, column, length}
}
