package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A KnownDeviation is a requirement that a registry is known not to meet.
type KnownDeviation struct {
	ID     string // of the check
	Reason string
	Link   string // to where it is discussed; may be ""
	Place  string // file:line:column of its entry
}

// knows finds what is said to be known of no check, or twice of one.
//
// Errors: ErrOptions.
func (o Options) knows() error {
	all := o.Checks
	if all == nil {
		all = Checks()
	}
	seen := map[string]bool{}
	for _, k := range o.Known {
		switch {
		case !slices.ContainsFunc(all, func(c *Check) bool { return c.ID == k.ID }):
			return fmt.Errorf("%w: something is known of %q, and no check is called so", ErrOptions, k.ID)
		case seen[k.ID]:
			return fmt.Errorf("%w: two things are known of %s", ErrOptions, k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}

// ErrKnown says that a file of known deviations cannot be meant.
var ErrKnown = errors.New("wrong file of known deviations")

// knownLimit is how large a file of known deviations may be, in bytes.
const knownLimit = 256 << 10

// ReadKnown reads a file of known deviations: a YAML map from the ID of a check to
// a reason, or to a map of reason and link. name is the file's, for messages.
//
//	chunk-17: answers 500 to a wrong Content-Range
//	err-04:
//	  reason: PAGINATION_NUMBER_INVALID is none of the specification's codes
//	  link: https://registry.example/issues/12
//
// Errors: ErrKnown with file:line:column for what is no such map, an ID that no
// check has or that stands there twice, and an entry without a reason.
func ReadKnown(name string, data []byte) (list []KnownDeviation, err error) {
	wrong := func(line, column int, format string, args ...any) error {
		return fmt.Errorf("%w: %s:%d:%d: %s", ErrKnown, name, line, column, fmt.Sprintf(format, args...))
	}
	if len(data) > knownLimit {
		return nil, wrong(1, 1, "the file has more than %d bytes", knownLimit)
	}
	defer func() { // the parser is somebody else's: a file must never end the process
		if p := recover(); p != nil {
			list, err = nil, wrong(1, 1, "this is not YAML that can be read")
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		if e := yaml.Error(nil); errors.As(err, &e) && e.GetToken() != nil {
			return nil, wrong(e.GetToken().Position.Line, e.GetToken().Position.Column, "%s", e.GetMessage())
		}
		return nil, wrong(1, 1, "%s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		k := knownReader{name: name, wrong: wrong, seen: map[string]bool{}}
		more, err := k.read(doc.Body)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// A knownReader reads one document.
type knownReader struct {
	name  string
	wrong func(line, column int, format string, args ...any) error
	seen  map[string]bool
}

// at is an error at a node.
func (k knownReader) at(n ast.Node, format string, args ...any) error {
	p := n.GetToken().Position
	return k.wrong(p.Line, p.Column, format, args...)
}

// entries are the keys and values of a map.
func (k knownReader) entries(n ast.Node) ([]*ast.MappingValueNode, error) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, nil
	}
	return nil, k.at(n, "this is no map; write a check's ID, a colon and the reason")
}

func (k knownReader) read(n ast.Node) ([]KnownDeviation, error) {
	entries, err := k.entries(n)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range Checks() {
		ids = append(ids, c.ID)
	}
	var list []KnownDeviation
	for _, e := range entries {
		p := e.Key.GetToken().Position
		d := KnownDeviation{ID: e.Key.GetToken().Value, Place: fmt.Sprintf("%s:%d:%d", k.name, p.Line, p.Column)}
		switch {
		case !slices.Contains(ids, d.ID):
			return nil, k.at(e.Key, "no check is called %q", d.ID)
		case k.seen[d.ID]:
			return nil, k.at(e.Key, "%s stands there already", d.ID)
		}
		k.seen[d.ID] = true
		if err := k.entry(&d, e.Value); err != nil {
			return nil, err
		}
		if strings.TrimSpace(d.Reason) == "" {
			return nil, k.at(e.Key, "%s has no reason", d.ID)
		}
		list = append(list, d)
	}
	return list, nil
}

// entry reads what is known of one check.
func (k knownReader) entry(d *KnownDeviation, value ast.Node) error {
	if text, ok := value.(ast.ScalarNode); ok {
		d.Reason = fmt.Sprint(text.GetValue())
		if text.GetValue() == nil {
			d.Reason = ""
		}
		return nil
	}
	fields, err := k.entries(value)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range fields {
		name := f.Key.GetToken().Value
		text, ok := f.Value.(ast.ScalarNode)
		if !ok || text.GetValue() == nil {
			return k.at(f.Value, "%s is a text", name)
		}
		if seen[name] {
			return k.at(f.Key, "%s stands there already", name)
		}
		seen[name] = true
		said := fmt.Sprint(text.GetValue())
		switch name {
		case "reason":
			d.Reason = said
		case "link":
			if u, err := url.Parse(said); err != nil || u.Host == "" {
				return k.at(f.Value, "the link %q is no address", said)
			}
			d.Link = said
		default:
			return k.at(f.Key, "there is no %q here; there is reason and link", name)
		}
	}
	return nil
}

// apply marks what is known, and what is known and not so any more.
func (r *Report) apply(known []KnownDeviation) {
	for i := range known {
		v := r.Verdict(known[i].ID)
		if v == nil {
			continue
		}
		v.Known = &known[i]
		switch v.Word {
		case Fail, Warn, Note, Known:
			v.Word = Known
		case Pass, FellBack, Unsupported:
			v.Word = Fail
			v.Reason = fmt.Sprintf("it is known to deviate (%s) and does not any more: take it out of %s", known[i].Reason, cmp.Or(known[i].Place, "what is known"))
		case BlockedBy, Errored:
		}
	}
}
