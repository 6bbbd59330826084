package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// scrubbed is r, free of secrets and the same on every run, as every report
// shows it. s learns from the trace.
func (r Result) scrubbed(s *wire.Scrubber) Result {
	r.Trace = s.Trace(r.Trace)
	r.Title, r.Because, r.Ending, r.Again = s.Secrets(r.Title), s.Text(r.Because), s.Text(r.Ending), s.Secrets(r.Again)
	r.Need = s.Secrets(r.Need)
	failures := make([]Failure, len(r.Failures))
	for i, f := range r.Failures {
		f.Message, f.Note, f.Expected, f.Source = s.Text(f.Message), s.Text(f.Note), s.Text(f.Expected), s.Secrets(f.Source)
		failures[i] = f
	}
	r.Failures = failures
	invariants := make([]Invariant, len(r.Invariants))
	for i, v := range r.Invariants {
		v.Detail, v.Waived = s.Text(v.Detail), s.Text(v.Waived)
		invariants[i] = v
	}
	r.Invariants = invariants
	said := make([]string, len(r.Said))
	for i, line := range r.Said {
		said[i] = s.Text(line)
	}
	r.Said = said
	held := make([]Holding, len(r.Held))
	for i, h := range r.Held {
		held[i] = Holding{What: s.Text(h.What), Is: s.Text(h.Is)}
	}
	r.Held = held
	return r
}

// Scrubbed is r, free of secrets and the same on every run, for a writer outside
// this package. Its text may still have control characters: see Visible.
func (r Result) Scrubbed() Result { return r.scrubbed(newScrubber(r.Secrets)) }

func newScrubber(secrets []string) *wire.Scrubber {
	s := wire.NewScrubber(secrets...)
	s.KeepTimes = true
	return s
}

// Visible makes a text from anywhere fit to be shown on one line of a terminal:
// what is not printable becomes its Go escape. It is safe for concurrent use.
func Visible(s string) string { return visible(s) }

// visible makes a text from anywhere fit to be shown on one line: whatever is not
// a printable character, such as the escapes that command a terminal, becomes
// its Go escape.
func visible(s string) string {
	if isVisible(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case strconv.IsPrint(c):
			b.WriteString(s[i : i+n])
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

func isVisible(s string) bool {
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
