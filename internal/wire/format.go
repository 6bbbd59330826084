package wire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// FormatVersion is the number of the trace's text form. It changes when a trace
// that was written before would be read otherwise.
const FormatVersion = 1

// FormatTrace is the text form of Scrub(t, secrets...): the same on every run
// and machine where the wire was the same, and free of secrets. ParseTrace reads
// it. The form, by example:
//
//	pushcheck-trace 1
//
//	#2 upload.patch conn=1 at=1.5s took=20ms fault=reset
//	> PATCH http://HOST /v2/lib/app/blobs/uploads/SESSION1?_state=STATE
//	> Content-Type: application/octet-stream
//	> body 4194304 sha256:6b86b2…
//	< 202
//	< Range: 0-4194303
//	< body 13 sha256:74fa09…
//	< | {"errors":[]}
//	! reset read tcp CLIENT->HOST: read: connection reset by peer
//
//	#3 event restart
//
// The first line is the form's number. Then comes a block an exchange, each
// after an empty line: Seq and operation; what was asked (>) and answered (<):
// method, scheme, host and target, or the status, then headers in order of name,
// then the body's length and digest, "cut" when it was not read to its end, and
// the lines of its head after a bar; and the failure (!) with the error's words,
// "-" for an error without one. An event has its text behind the operation.
// "open" in the first line of a block marks an exchange that was under way.
//
// What is zero or empty is left out. Anything that is not plain text, or that
// could be mistaken for something else, is written as a quoted Go string.
func FormatTrace(t Trace, secrets ...string) string { return NewScrubber(secrets...).Format(t) }

// Format is FormatTrace with the scrubber's own settings; with KeepTimes the
// trace tells when each exchange began and how long it took.
func (s *Scrubber) Format(t Trace) string {
	var b strings.Builder
	b.WriteString("pushcheck-trace " + strconv.Itoa(FormatVersion) + "\n")
	for _, e := range s.Trace(t) {
		writeExchange(&b, e)
	}
	return b.String()
}

// FormatExchange is one block of the text form, without the empty line before
// it. It scrubs nothing.
func FormatExchange(e Exchange) string {
	var b strings.Builder
	writeExchange(&b, e)
	return b.String()[1:]
}

func writeExchange(b *strings.Builder, e Exchange) {
	b.WriteString("\n#" + strconv.Itoa(e.Seq) + " " + word(string(e.Route.Op)))
	if e.Conn != 0 {
		b.WriteString(" conn=" + strconv.Itoa(e.Conn))
	}
	writeTime(b, "at", e.At)
	writeTime(b, "took", e.Elapsed)
	if e.Fault != "" {
		b.WriteString(" fault=" + word(e.Fault))
	}
	if e.Open {
		b.WriteString(" open")
	}
	if e.Route.Op == OpEvent {
		writeEvent(b, e.Request.Target)
	} else {
		b.WriteByte('\n')
		writeRequest(b, e.Request)
	}
	if e.Response.Status != 0 {
		b.WriteString("< " + strconv.Itoa(e.Response.Status) + "\n")
		writeHeader(b, "< ", e.Response.Header)
		writeBody(b, "< ", e.Response.Body)
	}
	switch {
	case e.Failure != FailureNone:
		b.WriteString(strings.TrimRight("! "+e.Failure.String()+" "+text(e.Err), " ") + "\n")
	case e.Err != "":
		b.WriteString("! - " + text(e.Err) + "\n")
	}
}

func writeEvent(b *strings.Builder, event string) {
	if _, _, field := cutField(event); field {
		event = strconv.QuoteToASCII(event)
	} else {
		event = text(event)
	}
	if event != "" {
		b.WriteString(" " + event)
	}
	b.WriteByte('\n')
}

func writeTime(b *strings.Builder, name string, d time.Duration) {
	if d != 0 {
		b.WriteString(" " + name + "=" + d.String())
	}
}

func writeRequest(b *strings.Builder, r Request) {
	if r.Method == "" && r.Target == "" && r.Host == "" {
		return
	}
	b.WriteString("> " + word(r.Method) + " " + word(r.Scheme+"://"+r.Host) + " " + word(r.Target) + "\n")
	writeHeader(b, "> ", r.Header)
	writeBody(b, "> ", r.Body)
}

func writeHeader(b *strings.Builder, prefix string, h http.Header) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			b.WriteString(prefix + word(name) + ":")
			if v != "" {
				b.WriteString(" " + text(v))
			}
			b.WriteByte('\n')
		}
	}
}

func writeBody(b *strings.Builder, prefix string, body Body) {
	if body.Length == 0 && !body.Cut && len(body.Head) == 0 {
		return
	}
	b.WriteString(prefix + "body " + strconv.FormatInt(body.Length, 10))
	if body.Digest != "" {
		b.WriteString(" " + word(string(body.Digest)))
	}
	if body.Cut {
		b.WriteString(" cut")
	}
	b.WriteByte('\n')
	if len(body.Head) == 0 {
		return
	}
	for line := range strings.SplitSeq(string(body.Head), "\n") {
		b.WriteString(prefix + "|")
		if line != "" {
			b.WriteString(" " + text(line))
		}
		b.WriteByte('\n')
	}
}

// word writes what must hold together between two spaces.
func word(s string) string {
	if s == "" || strings.ContainsAny(s, "\" \\") || !plain(s) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

// text writes what goes on to the end of the line.
func text(s string) string {
	if s == "" {
		return ""
	}
	if s[0] == '"' && s[len(s)-1] == '"' || s[0] == ' ' || s[len(s)-1] == ' ' || !plain(s) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

// plain reports whether s can stand in a line as it is.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !strconv.IsPrint(c) {
			return false
		}
	}
	return true
}
