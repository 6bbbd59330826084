package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A matcher compares exchanges with expected events.
type matcher struct {
	contents *contents
	hosts    []string // addresses of the scenario's hosts
}

// selects reports whether a pattern means e. A request that never got as far as
// HTTP counts as its own operation only where the pattern names such an answer:
// "never: [v1.ping]" is about requests that a registry could have seen.
func selects(p Pattern, e wire.Exchange) bool {
	if (seen{Exchange: e}).reached() || e.Route.Op == wire.OpEvent {
		return Pattern{Op: p.Op}.Match(e) && (p.Answer == "" || answered(p.Answer, e))
	}
	below := map[wire.Failure]wire.Op{
		wire.FailureRefused: wire.OpConnect, wire.FailureDNS: wire.OpDNS, wire.FailureTLS: wire.OpTLS,
	}[e.Failure]
	if p.Op == string(below) {
		return p.Answer == "" || wire.MatchAnswer(p.Answer, e)
	}
	return p.Answer != "" && p.Match(e)
}

// answered reports whether an exchange was answered by want. A connection that a
// fault reset is a reset however the kernel told it: a client that writes may
// find it closed.
func answered(want string, e wire.Exchange) bool {
	if wire.MatchAnswer(want, e) {
		return true
	}
	return want == wire.FailureReset.String() && e.Failure == wire.FailureClosed && slices.Contains(strings.Split(e.Fault, ","), "reset")
}

// match reports whether e is the event x, and if not, whether it is at least
// about the same operation and content, with what is different.
func (m matcher) match(x Event, e seen, before *seen) (ok, about bool, why string) {
	op := Pattern{Op: x.Op.Op}
	if !selects(op, e.Exchange) && !selects(x.Op, e.Exchange) {
		return false, false, ""
	}
	if x.Digest != "" && !m.isContent(x.Digest, e) {
		return false, false, ""
	}
	if x.Op.Answer != "" && !answered(x.Op.Answer, e.Exchange) {
		return false, true, "was answered " + e.Answer() + ", not " + x.Op.Answer
	}
	for _, test := range m.tests(x, e, before) {
		if test != "" {
			return false, true, test
		}
	}
	return true, true, ""
}

// tests are what else an event says; each result is "" or what is different.
func (m matcher) tests(x Event, e seen, before *seen) []string {
	return []string{
		differs("repository", x.Repo, e.Route.Repository),
		differs("tag", x.Tag, e.Route.Tag),
		m.media(x.Media, e),
		m.host(x.Host, e),
		m.sent(x.Bytes, e),
		m.from(x.From, e),
		answeredRange(x.Range, e),
		gap(x.Gap, e, before),
		authorization(x.Auth, e),
		headers(x.Header, e.Request.Header, func(want, got string) bool { return want == got }),
		headers(x.AnswerHeader, e.Response.Header, matchText),
		answerBody(x.AnswerBody, e),
	}
}

// sent compares how much was sent: in bytes on the wire or, of the whole of a
// layer, as the scenario gives its size.
func (m matcher) sent(want *Range, e seen) string {
	l, ok := m.contents.layer(e.layer)
	if ok && want != nil && l.payload > 0 && e.Request.Body.Digest == l.digest && in(l.payload, *want) {
		return ""
	}
	return outside("sent", want, e.Request.Body.Length, bytesQuantity)
}

func differs(what, want, got string) string {
	if want == "" || want == got {
		return ""
	}
	return fmt.Sprintf("had %s %q, not %q", what, got, want)
}

func outside(what string, want *Range, got int64, q quantity) string {
	if want == nil || in(got, *want) {
		return ""
	}
	return fmt.Sprintf("%s %s, not %s", what, q.format(got), formatRange(*want, q))
}

func (m matcher) isContent(name string, e seen) bool {
	if name == e.layer || e.Route.ImageID != "" {
		return name == e.layer
	}
	d, ok := m.contents.digestOf(name)
	return ok && d != "" && (e.content == d || e.Route.Digest == d)
}

func (m matcher) media(want string, e seen) string {
	if want == "" {
		return ""
	}
	header := e.Request.Header.Get("Content-Type")
	body := string(e.Request.Body.Head)
	if want == mediaFormat(header, body) || want == header {
		return ""
	}
	return fmt.Sprintf("was %s (Content-Type %q), not %s", mediaFormat(header, body), header, want)
}

// mediaFormat is the family of a manifest by its media type, or by its content
// where the type says nothing: docker 1.8 sends none (P-222).
func mediaFormat(header, body string) string {
	switch t, _, _ := strings.Cut(header, ";"); strings.TrimSpace(t) {
	case mediatype.Schema1, mediatype.Schema1Signed:
		return "schema1"
	case mediatype.Schema2:
		return "schema2"
	case mediatype.List:
		return "list"
	case "application/vnd.oci.image.manifest.v1+json":
		return "oci"
	case "application/vnd.oci.image.index.v1+json":
		return "index"
	}
	if strings.Contains(body, `"fsLayers"`) || strings.Contains(body, `"schemaVersion": 1`) {
		return "schema1"
	}
	return "unknown"
}

func (m matcher) host(want string, e seen) string {
	if want == "" || want == e.Request.Host {
		return ""
	}
	if n, ok := strings.CutPrefix(want, "host"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 1 && i <= len(m.hosts) {
			if m.hosts[i-1] == e.Request.Host {
				return ""
			}
		}
	}
	return fmt.Sprintf("went to %s, not %s", e.Request.Host, want)
}

func (m matcher) from(want *Range, e seen) string {
	if want == nil {
		return ""
	}
	header := e.Request.Header.Get("Content-Range")
	start, _, _ := strings.Cut(strings.TrimPrefix(header, "bytes "), "-")
	n, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		return "had no Content-Range"
	}
	return outside("began at", want, n, bytesQuantity)
}

func answeredRange(want string, e seen) string {
	if want == "" {
		return ""
	}
	got := e.Response.Header.Get("Range")
	start, end, err := parseByteRange(want)
	gotStart, gotEnd, gotErr := parseByteRange(got)
	if err != nil || gotErr != nil || gotEnd.Min != gotEnd.Max || start != gotStart || !in(gotEnd.Min, end) {
		return fmt.Sprintf("answered Range %q, not %s", got, want)
	}
	return ""
}

func gap(want *Range, e seen, before *seen) string {
	if want == nil {
		return ""
	}
	if before == nil {
		return "has nothing before it that a gap could be measured from"
	}
	got := e.At - (before.At + before.Elapsed)
	if in(int64(got), *want) {
		return ""
	}
	return fmt.Sprintf("came after %s, not %s", got.Round(time.Millisecond), formatRange(*want, timeQuantity))
}

// authorization compares the scheme of Authorization; "token" is V1's.
func authorization(want string, e seen) string {
	if want == "" {
		return ""
	}
	scheme, _, _ := strings.Cut(e.Request.Header.Get("Authorization"), " ")
	got := strings.ToLower(scheme)
	if got == "" {
		got = "none"
	}
	if got == want {
		return ""
	}
	return fmt.Sprintf("had auth %s, not %s", got, want)
}

func headers(want map[string]string, in http.Header, equal func(want, got string) bool) string {
	for _, name := range sortedKeys(want) {
		values := in.Values(name)
		switch value := want[name]; {
		case value == Absent && len(values) > 0:
			return fmt.Sprintf("had header %s, which should be absent", name)
		case value == AnyValue && len(values) == 0, value != Absent && value != AnyValue && !slices.ContainsFunc(values, func(got string) bool { return equal(value, got) }):
			return fmt.Sprintf("had %s %q, not %q", name, values, value)
		}
	}
	return ""
}

// matchText matches a text in which * stands for anything.
func matchText(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	for _, part := range parts[1:last] {
		if ok {
			_, rest, ok = strings.Cut(rest, part)
		}
	}
	return ok && strings.HasSuffix(rest, parts[last])
}

func answerBody(want string, e seen) string {
	if want == "" || strings.Contains(string(e.Response.Body.Head), want) {
		return ""
	}
	return fmt.Sprintf("was answered without %q in the body", want)
}

// describe is an event as messages name it: "upload.put of layer1 → 201".
func describe(x Event) string {
	switch {
	case len(x.AnyOrder) > 0:
		return "any-order"
	case x.Each != "":
		return "each " + x.Each
	}
	text := x.Op.Op
	if x.Digest != "" {
		text += " of " + short(x.Digest)
	}
	if x.Tag != "" {
		text += " of tag " + x.Tag
	}
	return text
}

// describeAnswer is describe with the expected answer.
func describeAnswer(x Event) string {
	if x.Op.Answer != "" {
		return describe(x) + " → " + x.Op.Answer
	}
	return describe(x)
}

// short cuts a digest to what a person can compare.
func short(name string) string {
	if d := digest.Digest(name); d.Validate() == nil {
		return d.Algorithm().String() + ":" + d.Encoded()[:12]
	}
	return name
}
