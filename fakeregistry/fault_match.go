package fakeregistry

import (
	"fmt"
	"mime"
	"net"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A matcher is a Match made ready.
type matcher struct {
	Match
	early []wire.Pattern // that select before the answer
	late  []wire.Pattern // that select by the answer
	path  *regexp.Regexp
	name  string // of the header, canonical
	value string // glob over it; "" is any
	whole bool   // value was given
}

func newMatcher(m Match) (matcher, error) {
	x := matcher{Match: m}
	for _, p := range m.Ops {
		if p.Answer == "" {
			x.early = append(x.early, p)
		} else {
			x.late = append(x.late, p)
		}
	}
	if m.Path != "" {
		re, err := regexp.Compile(m.Path)
		if err != nil {
			return x, fmt.Errorf("path: %w", err)
		}
		x.path = re
	}
	if m.Header != "" {
		name, value, whole := strings.Cut(m.Header, ":")
		x.name, x.value, x.whole = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value), whole
	}
	if _, err := path.Match(m.Repo, ""); err != nil {
		return x, fmt.Errorf("repo: %q is not a name or glob: %w", m.Repo, err)
	}
	return x, nil
}

// A query is one request as faults see it. It belongs to the goroutine of its
// request.
type query struct {
	r     *http.Request
	route wire.Route
	link  string
	known []digest.Digest // what the body may be, by how it begins
	now   time.Time
	lines int64 // how many connections there are, where a connection is opened and a fault limits them
}

// digest is what the request is about, as far as it is known.
func (q *query) digest() digest.Digest {
	if q.route.Digest == "" && len(q.known) == 1 {
		return q.known[0]
	}
	return q.route.Digest
}

// op reports whether the operation is selected before the answer is known.
func (m *matcher) op(o wire.Op) bool {
	if len(m.Ops) == 0 {
		return wire.Pattern{Op: "any"}.MatchOp(o)
	}
	return matchAny(m.early, o)
}

// maybe reports whether the operation is selected once it was answered somehow.
func (m *matcher) maybe(o wire.Op) bool { return matchAny(m.late, o) }

// answered reports whether the answer selects the request.
func (m *matcher) answered(e wire.Exchange) bool {
	for _, p := range m.late {
		if p.Match(e) {
			return true
		}
	}
	return false
}

func matchAny(list []wire.Pattern, o wire.Op) bool {
	for _, p := range list {
		if p.MatchOp(o) {
			return true
		}
	}
	return false
}

// request reports whether everything but the operation selects q.
func (m *matcher) request(q *query) bool {
	if m.Host != "" && !sameHost(m.Host, q.r.Host) ||
		m.Repo != "" && !globName(m.Repo, q.route.Repository) ||
		m.Tag != "" && m.Tag != q.route.Tag ||
		m.Method != "" && !strings.EqualFold(m.Method, q.r.Method) {
		return false
	}
	if m.Digest != "" && m.Digest != q.route.Digest && (q.route.Digest != "" || !slices.Contains(q.known, m.Digest)) {
		return false
	}
	if m.MediaType != "" && !sameMedia(m.MediaType, q.r) {
		return false
	}
	if m.path != nil && !m.path.MatchString(q.r.URL.Path) {
		return false
	}
	return m.name == "" || m.header(q.r.Header.Values(m.name))
}

func (m *matcher) header(values []string) bool {
	for _, v := range values {
		if !m.whole || globText(m.value, v) {
			return true
		}
	}
	return false
}

// sameHost compares a host as written, with or without port, to an address.
func sameHost(want, addr string) bool {
	if strings.EqualFold(want, addr) {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && strings.EqualFold(want, host)
}

func globName(glob, name string) bool {
	ok, err := path.Match(glob, name)
	return err == nil && ok
}

// globText matches a text in which * stands for anything, blanks and slashes too.
func globText(glob, text string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}

// sameMedia compares the type of a request's body. docker before 1.10 sends
// schema 1 without any (P-222).
func sameMedia(want string, r *http.Request) bool {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		got = ""
	}
	switch want {
	case "schema1":
		return got == mediatype.Schema1 || got == mediatype.Schema1Signed ||
			got == "" && wire.ParseRoute(r.Method, r.URL).Op == wire.OpManifestPut
	case "schema2":
		return got == mediatype.Schema2
	case "list":
		return got == mediatype.List
	case "oci":
		return got == "application/vnd.oci.image.manifest.v1+json"
	case "index":
		return got == "application/vnd.oci.image.index.v1+json"
	}
	return strings.EqualFold(want, got)
}
