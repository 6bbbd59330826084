package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// headWidth is the column at which the right part of a failure's head ends.
const headWidth = 80

// block is a result as people read it: the head line, what did not hold, the wire
// around it, and how to see it again. r is scrubbed. all shows the whole wire, said what
// the client told its user.
func (p painter) block(r Result, all, said bool) string {
	var b strings.Builder
	p.head(&b, r)
	switch {
	case r.Outcome == Broken:
		b.WriteString("  could not be run: " + visible(r.Because) + "\n")
	case r.Because != "":
		b.WriteString("  " + visible(r.Because) + "\n")
	}
	if len(r.Failures) == 0 {
		p.excerpt(&b, Failure{Position: r.Position})
	}
	for _, f := range r.Failures {
		line := visible(f.Message)
		if f.Name != "" {
			line = p.paint(bold, visible(f.Name)+":") + " " + line
		}
		b.WriteString("  " + line + "\n")
		p.excerpt(&b, f)
	}
	if all || len(r.Failures) > 0 || len(r.Trace) > 0 {
		p.wireTable(&b, r, all)
	}
	if said {
		p.said(&b, r)
	}
	p.verdicts(&b, r)
	if r.Again != "" {
		b.WriteString("  again:  " + visible(r.Again) + "\n")
	}
	if len(r.Files) > 0 {
		b.WriteString("  files:  " + visible(strings.Join(r.Files, " ")) + "\n")
	}
	return b.String()
}

func (p painter) head(b *strings.Builder, r Result) {
	sign, style := r.Outcome.mark()
	right := fmt.Sprintf("seed %d  %s", r.Seed, seconds(r.Elapsed))
	if r.Client != "" {
		right = visible(r.Client) + "  " + right
	}
	left := sign + " " + visible(r.ID)
	space := max(2, headWidth-runes(left)-runes(right))
	b.WriteString(p.paint(style, sign) + " " + p.paint(bold, visible(r.ID)) + strings.Repeat(" ", space) + p.paint(dim, right) + "\n")
}

// verdicts says how the invariants and the faults came out.
func (p painter) verdicts(b *strings.Builder, r Result) {
	var parts []string
	if len(r.Invariants) > 0 {
		parts = append(parts, "invariants: "+invariants(r.Invariants))
	}
	if len(r.Fired) > 0 {
		parts = append(parts, "faults: "+firings(r.Fired))
	}
	if len(parts) > 0 {
		b.WriteString("  " + strings.Join(parts, "        ") + "\n")
	}
	for _, v := range r.Invariants {
		if !v.Holds && v.Waived == "" {
			b.WriteString("    " + p.paint(red, visible(v.Name)) + ": " + visible(v.Detail) + "\n")
		}
	}
}

func invariants(list []Invariant) string {
	broken, waived := 0, 0
	for _, v := range list {
		switch {
		case v.Holds:
		case v.Waived != "":
			waived++
		default:
			broken++
		}
	}
	text := strconv.Itoa(len(list)) + " checked"
	switch {
	case broken == 0 && waived == 0:
		text += ", all hold"
	case broken == 0:
		text += fmt.Sprintf(", all hold but %d waived", waived)
	case waived == 0:
		text += fmt.Sprintf(", %d broken", broken)
	default:
		text += fmt.Sprintf(", %d broken, %d waived", broken, waived)
	}
	return text
}

func firings(list []Count) string {
	parts := make([]string, len(list))
	for i, f := range list {
		parts[i] = fmt.Sprintf("%s fired %d×", visible(f.Fault), f.Times)
		if f.Times == 0 {
			parts[i] = visible(f.Fault) + " never fired"
		}
	}
	return strings.Join(parts, ", ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
