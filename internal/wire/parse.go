package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// A TraceError says where the text form of a trace is not as FormatTrace writes it.
type TraceError struct {
	Line    int // from 1
	Problem string
}

// Error implements error.
func (e *TraceError) Error() string { return fmt.Sprintf("trace: line %d: %s", e.Line, e.Problem) }

// ParseTrace reads what FormatTrace wrote: ParseTrace(FormatTrace(t)) equals
// Scrub(t). Routes are read from methods and targets; of an exchange without
// them only the operation is known.
//
// Errors: *TraceError.
func ParseTrace(s string) (Trace, error) {
	p := &traceParser{lines: strings.Split(s, "\n")}
	if err := p.first(); err != nil {
		return nil, err
	}
	for p.next() {
		if err := p.parse(); err != nil {
			return nil, err
		}
	}
	p.flush()
	return p.trace, nil
}

type traceParser struct {
	lines []string
	at    int // number of the line in hand, from 1
	line  string
	trace Trace
	e     *Exchange // the block under way
	body  *Body     // of the half under way, once its line was read
	heads int       // lines of its head so far
}

func (p *traceParser) fail(format string, args ...any) error {
	return &TraceError{Line: p.at, Problem: fmt.Sprintf(format, args...)}
}

func (p *traceParser) next() bool {
	if p.at >= len(p.lines) {
		return false
	}
	p.line = p.lines[p.at]
	p.at++
	return true
}

func (p *traceParser) first() error {
	p.next()
	number, ok := strings.CutPrefix(p.line, "pushcheck-trace ")
	if !ok {
		return p.fail("this is no trace; want pushcheck-trace %d", FormatVersion)
	}
	if number != strconv.Itoa(FormatVersion) {
		return p.fail("this is a trace of form %s; only %d can be read", number, FormatVersion)
	}
	return nil
}

func (p *traceParser) parse() error {
	switch {
	case p.line == "":
		return nil
	case p.line[0] == '#':
		return p.parseBlock()
	case p.e == nil:
		return p.fail("want a line that begins with #")
	case strings.HasPrefix(p.line, "> "):
		return p.parseRequest(p.line[2:])
	case strings.HasPrefix(p.line, "< "):
		return p.parseResponse(p.line[2:])
	case strings.HasPrefix(p.line, "! "):
		return p.parseFailure(p.line[2:])
	}
	return p.fail("want a line that begins with #, >, < or !")
}

func (p *traceParser) flush() {
	if p.e == nil {
		return
	}
	if e := p.e; e.Request.Method != "" && e.Request.Target != "" {
		e.Route = routeOfTarget(e.Request.Method, e.Request.Target)
	}
	p.trace = append(p.trace, *p.e)
	p.e, p.body = nil, nil
}

func (p *traceParser) parseBlock() error {
	p.flush()
	seq, rest, err := p.word(p.line[1:])
	if err != nil {
		return err
	}
	p.e = &Exchange{}
	if p.e.Seq, err = strconv.Atoi(seq); err != nil {
		return p.fail("%q is no number of an exchange", seq)
	}
	op, rest, err := p.word(rest)
	if err != nil {
		return err
	}
	p.e.Route.Op = Op(op)
	for rest != "" {
		name, value, ok := cutField(rest)
		if !ok {
			if p.e.Route.Op != OpEvent {
				return p.fail("%q is not conn=, at=, took=, fault= or open", rest)
			}
			p.e.Request.Target, err = p.text(rest)
			return err
		}
		if value, rest, err = p.word(value); err != nil {
			return err
		}
		if err := p.field(name, value); err != nil {
			return err
		}
	}
	return nil
}

// cutField cuts the name of a field off its value.
func cutField(s string) (name, value string, ok bool) {
	if s == "open" || strings.HasPrefix(s, "open ") {
		return "open", s, true
	}
	for _, name := range [...]string{"conn", "at", "took", "fault"} {
		if value, ok := strings.CutPrefix(s, name+"="); ok {
			return name, value, true
		}
	}
	return "", s, false
}

func (p *traceParser) field(name, value string) (err error) {
	switch name {
	case "conn":
		p.e.Conn, err = strconv.Atoi(value)
	case "at":
		p.e.At, err = time.ParseDuration(value)
	case "took":
		p.e.Elapsed, err = time.ParseDuration(value)
	case "fault":
		p.e.Fault = value
	case "open":
		p.e.Open = true
	}
	if err != nil {
		return p.fail("%q cannot be %s=", value, name)
	}
	return nil
}

func (p *traceParser) parseRequest(s string) error {
	if p.e.Request.Method != "" || p.e.Request.Target != "" || p.e.Request.Host != "" {
		return p.parseHalf(s, &p.e.Request.Header, &p.e.Request.Body)
	}
	method, s, err := p.word(s)
	if err != nil {
		return err
	}
	origin, s, err := p.word(s)
	if err != nil {
		return err
	}
	target, s, err := p.word(s)
	if err != nil {
		return err
	}
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || s != "" {
		return p.fail("want a method, scheme://host and a target")
	}
	r := &p.e.Request
	r.Method, r.Scheme, r.Host, r.Target = method, scheme, host, target
	p.body = nil
	return nil
}

func (p *traceParser) parseResponse(s string) error {
	r := &p.e.Response
	if r.Status != 0 {
		return p.parseHalf(s, &r.Header, &r.Body)
	}
	status, err := strconv.Atoi(s)
	if err != nil || status == 0 {
		return p.fail("%q is no status", s)
	}
	r.Status, p.body = status, nil
	return nil
}

// parseHalf reads a header, the line of a body, or a line of its head.
func (p *traceParser) parseHalf(s string, h *http.Header, b *Body) error {
	if rest, ok := strings.CutPrefix(s, "|"); ok && p.body == b {
		line, err := p.text(strings.TrimPrefix(rest, " "))
		if err != nil {
			return err
		}
		if p.heads > 0 {
			b.Head = append(b.Head, '\n')
		}
		b.Head = append(b.Head, line...)
		p.heads++
		return nil
	}
	if rest, ok := strings.CutPrefix(s, "body "); ok {
		p.body, p.heads = b, 0
		return p.parseBody(rest, b)
	}
	name, rest, err := p.name(s)
	if err != nil {
		return err
	}
	value, err := p.text(strings.TrimPrefix(rest, " "))
	if err != nil {
		return err
	}
	if *h == nil {
		*h = http.Header{}
	}
	(*h)[name] = append((*h)[name], value)
	return nil
}

func (p *traceParser) parseBody(s string, b *Body) error {
	length, s, err := p.word(s)
	if err != nil {
		return err
	}
	if b.Length, err = strconv.ParseInt(length, 10, 64); err != nil {
		return p.fail("%q is no length", length)
	}
	if s != "" && s != "cut" {
		var d string
		if d, s, err = p.word(s); err != nil {
			return err
		}
		b.Digest = digest.Digest(d)
	}
	if s != "" && s != "cut" {
		return p.fail("want body, a length, a digest and cut")
	}
	b.Cut = s == "cut"
	return nil
}

func (p *traceParser) parseFailure(s string) error {
	name, rest, err := p.word(s)
	if err != nil {
		return err
	}
	if name != "-" {
		f, ok := parseFailure(name)
		if !ok {
			return p.fail("%q is no failure; want one of %s", name, strings.Join(FailureNames(), ", "))
		}
		p.e.Failure = f
	}
	p.e.Err, err = p.text(rest)
	return err
}

// word takes a word off the front of s, with the space behind it.
func (p *traceParser) word(s string) (w, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		w, rest, _ = strings.Cut(s, " ")
		if w == "" {
			return "", "", p.fail("something is missing at the end of the line")
		}
		return w, rest, nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", p.fail("a quoted string does not end")
	}
	w, err = strconv.Unquote(quoted)
	return w, strings.TrimPrefix(s[len(quoted):], " "), err
}

// name takes a header's name off the front of s, with the colon behind it.
func (p *traceParser) name(s string) (name, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		w, _, _ := strings.Cut(s, " ")
		name, ok := strings.CutSuffix(w, ":")
		if !ok || name == "" {
			return "", "", p.fail("want a header, a body or a line of its head")
		}
		return name, s[len(w):], nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil || !strings.HasPrefix(s[len(quoted):], ":") {
		return "", "", p.fail("want a header")
	}
	name, err = strconv.Unquote(quoted)
	return name, s[len(quoted)+1:], err
}

// text reads what goes on to the end of the line.
func (p *traceParser) text(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s, nil
	}
	t, err := strconv.Unquote(s)
	if err != nil {
		return "", p.fail("a quoted string is not well formed")
	}
	return t, nil
}
