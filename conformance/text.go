package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// TextOptions say how WriteText writes. The zero value is plain and short.
type TextOptions struct {
	Verbose bool // name every check
	Color   bool // paint the verdicts
	Columns int  // of the screen: what is prose is broken there; 0 for never
}

// WriteText writes the report for people: a tree of groups, what is not met with
// all that shows it, and a summary of one screen. Nothing in it is a secret, and
// nothing moves a terminal's cursor.
//
// Errors: w's.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	var b strings.Builder
	t := textWriter{b: &b, scrub: wire.NewScrubber(r.secrets...), color: o.Color, columns: o.Columns}
	t.tree(r, o.Verbose)
	for _, c := range r.Causes() {
		if o.Verbose || c.Word == Fail || c.Word == Warn {
			t.cause(r, c, o.Verbose)
		}
	}
	t.summary(r)
	_, err := io.WriteString(w, b.String())
	return err
}

// Detail is all that there is to say of how one check ended, as WriteText shows it: for
// what is not met with the exchange, the clause and the commands. Nothing in it is a
// secret, and nothing moves a terminal's cursor. It is "" for a check that did not run.
func (r *Report) Detail(id string) string {
	v := r.Verdict(id)
	if v == nil {
		return ""
	}
	var b strings.Builder
	t := textWriter{b: &b, scrub: wire.NewScrubber(r.secrets...)}
	if v.Violation == nil {
		t.line("%s %s: %s", v.Word, v.Check.ID, v.title())
	} else {
		t.detail(*v, r.again(*v))
	}
	return strings.TrimSpace(b.String())
}

type textWriter struct {
	b     *strings.Builder
	scrub *wire.Scrubber
	color bool

	columns int // 0 is no limit
}

// paint colours a line that begins with a verdict, as loud as that is.
func (t textWriter) paint(line string) string {
	if !t.color {
		return line
	}
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	code := map[string]string{"fail": "31", "FAIL": "31;1", "error": "35", "warn": "33", "WARN": "33;1", "known": "36"}[word]
	if code == "" {
		return line
	}
	at := strings.Index(line, word)
	return line[:at] + "\x1b[" + code + "m" + word + "\x1b[0m" + line[at+len(word):]
}

// line writes a line of what may come from the registry.
func (t textWriter) line(format string, args ...any) {
	text := t.scrub.Secrets(fmt.Sprintf(format, args...))
	t.b.WriteString(t.paint(visible(text)) + "\n")
}

// prose writes a line that is broken at the screen's edge, and goes on below so many
// characters of it.
func (t textWriter) prose(indent int, format string, args ...any) {
	text := visible(t.scrub.Secrets(fmt.Sprintf(format, args...)))
	first := true
	for rest := []rune(text); len(rest) > 0; first = false {
		width := t.columns
		if !first {
			width -= indent
		}
		part := rest
		if t.columns > 2*indent && len(rest) > width {
			part = rest[:breakAt(rest, width)]
		}
		rest = []rune(strings.TrimLeft(string(rest[len(part):]), " "))
		if first {
			t.b.WriteString(t.paint(string(part)) + "\n")
		} else {
			t.b.WriteString(strings.Repeat(" ", indent) + string(part) + "\n")
		}
	}
}

// breakAt is where a line of at most so many characters ends: before a space, or in a
// word that is longer.
func breakAt(text []rune, width int) int {
	for i := width; i > width/2; i-- {
		if text[i] == ' ' {
			return i
		}
	}
	return width
}

// tree names each group, and in it each check that did not simply pass.
func (t textWriter) tree(r *Report, verbose bool) {
	var groups []string
	for _, v := range r.Verdicts {
		if g := v.Check.Group(); !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, g := range groups {
		passed, all, blocked := 0, 0, 0
		for _, v := range r.Verdicts {
			if v.Check.Group() != g {
				continue
			}
			all++
			switch v.Word {
			case Pass:
				passed++
			case BlockedBy:
				blocked++
			case Fail, Warn, Note, Known, Unsupported, FellBack, Errored:
			}
		}
		if blocked == all && !verbose {
			continue
		}
		t.line("%-6s %d of %d pass", g, passed, all)
		t.group(r, g, verbose)
	}
}

// group names the checks of a group, those with one reason in one line.
func (t textWriter) group(r *Report, g string, verbose bool) {
	alike := map[string][]string{}
	key := func(v Verdict) string {
		if v.Word != Unsupported && v.Word != FellBack && v.Word != Errored || verbose {
			return v.Check.ID
		}
		return string(v.Word) + v.Reason
	}
	for _, v := range r.Verdicts {
		if v.Check.Group() == g {
			alike[key(v)] = append(alike[key(v)], v.Check.ID)
		}
	}
	for _, v := range r.Verdicts {
		ids := alike[key(v)]
		if v.Check.Group() != g || len(ids) == 0 || !verbose && g != "perf" && (v.Word == Pass || v.Word == BlockedBy) {
			continue
		}
		delete(alike, key(v))
		name := ids[0]
		if len(ids) > 1 {
			name += fmt.Sprintf(" and %d more", len(ids)-1)
		}
		t.prose(24, "  %-11s %-9s %s", v.Word, name, v.title())
		for _, m := range v.Measured {
			if verbose || g == "perf" {
				t.line("              %s", m)
			}
		}
	}
}

// clean is a text without secrets.
func (r *Report) clean(s string) string { return wire.NewScrubber(r.secrets...).Secrets(s) }

// size is a number of bytes in words.
func size(n int64) string {
	switch {
	case n < 10<<10:
		return count(int(n), "byte")
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

func (v Verdict) title() string {
	switch v.Word {
	case Unsupported, FellBack, BlockedBy, Errored:
		return v.Reason
	case Known:
		return v.Known.Reason
	case Pass, Fail, Warn, Note:
		if v.Known != nil {
			return v.Reason
		}
	}
	return v.Check.Doc
}

// cause shows a check that a cause was found by, and names the others that show it.
func (t textWriter) cause(r *Report, c Cause, verbose bool) {
	for i, id := range c.Checks {
		v := r.Verdict(id)
		if v.Violation == nil || i > 0 && !verbose {
			continue
		}
		t.detail(*v, r.again(*v))
		if also := c.Checks[1:]; !verbose && len(also) > 0 {
			t.prose(9, "  also   %s", someOf(also, 8))
		}
	}
}

// someOf names no more than so many of some checks.
func someOf(ids []string, limit int) string {
	if len(ids) <= limit+1 {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:limit], ", "), len(ids)-limit)
}

// detail shows all that is known of what is not met.
func (t textWriter) detail(v Verdict, again string) {
	t.line("")
	t.prose(2, "%s %s: %s", strings.ToUpper(string(v.Word)), v.Check.ID, v.Check.Doc)
	t.prose(9, "  want   %s", v.Violation.Want)
	t.prose(9, "  got    %s", v.Violation.Got)
	if e := v.Violation.Exchange; e != nil {
		for i, line := range strings.Split(strings.TrimRight(wire.FormatExchange(t.scrub.Exchange(*e)), "\n"), "\n") {
			if i < 30 {
				t.line("  | %s", line)
			}
		}
	}
	level := v.Check.Level.String()
	if v.Check.Silent {
		level += ", by what clients need"
	}
	t.line("  spec   %s (%s) %s", v.Check.Spec, level, v.Check.Link())
	if v.Check.Hurts != "" {
		t.prose(9, "  hurts  %s", v.Check.Hurts)
	}
	for i, line := range strings.Split(v.Violation.Curl, "\n") {
		if line != "" {
			t.line("  %-6s %s", map[bool]string{true: "try"}[i == 0], shorten(t.scrub.Secrets(line)))
		}
	}
	t.line("  again  %s", again)
}

// shorten keeps a command to what a screen takes.
func shorten(s string) string {
	const limit = 2000
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

// summary is what fits one screen: what the registry can, what is wrong with it
// and whom that hurts, and the counts.
func (t textWriter) summary(r *Report) {
	t.line("")
	t.line("%s", r.Target)
	can := r.Capabilities()
	if len(can) > 1 && !slices.ContainsFunc(can, func(c Capability) bool { return c.State != can[0].State }) {
		can = []Capability{{"everything", can[0].State}}
	}
	for _, c := range can {
		t.prose(25, "  %-22s %s", c.Name, c.State)
	}
	causes := r.Causes()
	for i, c := range causes {
		if i == 10 {
			t.line("  … and %d more", len(causes)-i)
			break
		}
		t.prose(6, "%-5s %s: %s", c.Word, someOf(c.Checks, 5), shorten(r.brief(c.Title)))
		if c.Hurts != "" && c.Word != Errored {
			t.prose(12, "      hurts %s", c.Hurts)
		}
		if len(c.Blocked) > 0 {
			t.line("      blocks %s", count(len(c.Blocked), "check"))
		}
	}
	t.prose(2, "%s", r.counts())
	t.prose(2, "%s", r.traffic())
	t.line("seed %d", r.Seed)
	if r.LeftBehind {
		t.line("what was pushed is still there, under %s", r.Prefix)
	}
}

// counts is how many checks ended how: "12 checks: 11 pass, 1 fail".
func (r *Report) counts() string {
	var parts []string
	for _, w := range Words() {
		if n := r.Count(w); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w))
		}
	}
	return count(len(r.Verdicts), "check") + ": " + strings.Join(parts, ", ")
}

// traffic is what the run sent and got.
func (r *Report) traffic() string {
	return count(int(r.Requests), "request") + ", " + size(r.Bytes) + " of bodies"
}

// A Capability is something that a registry may be able to do.
type Capability struct {
	Name  string `json:"name"`
	State string `json:"state"` // "yes", "no: …", "falls back: …"
}

// Capabilities are what the run showed that the registry can do, as far as it
// looked.
func (r *Report) Capabilities() []Capability {
	var list []Capability
	for _, row := range [][2]string{
		{"upload of a blob", "mono-03"},
		{"upload in chunks", "chunk-01"},
		{"upload as docker does", "chunk-19"},
		{"upload in one POST", "mono-09"},
		{"mount", "mount-01"},
		{"docker's images", "man-01"},
		{"OCI images", "man-03"},
		{"tags", "tag-01"},
		{"referrers", "ref-01"},
		{"deletion", "del-02"},
		{"authentication", "auth-01"},
	} {
		v := r.Verdict(row[1])
		if v == nil {
			continue
		}
		state := "yes"
		switch v.Word {
		case Unsupported:
			state = "no: " + v.Reason
		case FellBack:
			state = "falls back: " + v.Reason
		case BlockedBy, Errored:
			state = "not known: " + v.Reason
		case Fail, Warn, Note, Known:
			state = "wrong: see " + v.Check.ID
		case Pass:
		}
		list = append(list, Capability{row[0], state})
	}
	return list
}
