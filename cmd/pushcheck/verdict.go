package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// How much of what differs is shown unless --verbose asks for all.
const (
	diffsShown = 6   // of a step
	linesShown = 8   // of either side of a difference
	widthShown = 160 // runes of a line
)

// verdictText writes a line a step, and below it what differs.
type verdictText struct {
	w       io.Writer
	verbose bool
}

func (t verdictText) verdict(v replay.Verdict) {
	word := "equal"
	if !v.Equal() {
		word = "DIFFERS"
	}
	fmt.Fprintf(t.w, "%-8s %s\n", word, printable(stepName(v)))
	for _, why := range v.Reasons {
		fmt.Fprintf(t.w, "         counted as equal, %s\n", why)
	}
	if v.Unplayable != nil {
		fmt.Fprintf(t.w, "         cannot be played: %s\n", indented(printable(v.Unplayable.Error())))
	}
	diffs := joined(v.Diffs)
	for i, d := range diffs {
		if i == diffsShown && !t.verbose {
			fmt.Fprintf(t.w, "  … and %s; --verbose shows all\n", plural(len(diffs)-i, "difference"))
			break
		}
		t.diff(d)
	}
}

// joined puts neighbours together of which one side has nothing: what one side
// lacks altogether is one difference.
func joined(diffs []replay.Diff) []replay.Diff {
	const nothing = "nothing"
	var out []replay.Diff
	first := ""
	for _, d := range diffs {
		kind, _, numbered := strings.Cut(d.Where, "object ")
		if !numbered {
			kind, _, numbered = strings.Cut(d.Where, "request ")
		}
		oneSided := numbered && (d.Recorded == nothing) != (d.Played == nothing)
		last := len(out) - 1
		if !oneSided || first != kind || last < 0 {
			out, first = append(out, d), ""
			if oneSided {
				first = kind
			}
			continue
		}
		begin, _, _ := strings.Cut(out[last].Where, " and on")
		out[last] = replay.Diff{Where: begin + " and on", Recorded: both(out[last].Recorded, d.Recorded), Played: both(out[last].Played, d.Played)}
	}
	return out
}

func both(a, b string) string {
	switch {
	case a == "nothing":
		return b
	case b == "nothing":
		return a
	}
	return strings.TrimRight(a, "\r\n") + "\n" + b
}

func (t verdictText) sum(r *replay.Report) error {
	fmt.Fprintf(t.w, "%d of %d steps equal\n", r.Equal(), len(r.Verdicts))
	return allEqual(r.Equal(), len(r.Verdicts))
}

// diff shows one difference: recorded after -, played after +, and what both have
// in common before and after folded.
func (t verdictText) diff(d replay.Diff) {
	fmt.Fprintf(t.w, "  %s\n", printable(d.Where))
	recorded, played := textLines(d.Recorded), textLines(d.Played)
	before, after := common(recorded, played)
	if before > 0 {
		fmt.Fprintf(t.w, "      … %s\n", plural(before, "equal line"))
	}
	t.side("-", recorded[before:len(recorded)-after])
	t.side("+", played[before:len(played)-after])
	if after > 0 {
		fmt.Fprintf(t.w, "      … %s\n", plural(after, "equal line"))
	}
}

func (t verdictText) side(mark string, lines []string) {
	for i, line := range lines {
		if i == linesShown && !t.verbose {
			fmt.Fprintf(t.w, "    %s … and %s\n", mark, plural(len(lines)-i, "line"))
			return
		}
		if r := []rune(line); len(r) > widthShown && !t.verbose {
			line = string(r[:widthShown]) + "…"
		}
		fmt.Fprintf(t.w, "    %s %s\n", mark, line)
	}
}

// common counts the lines with which both begin, and then end.
func common(a, b []string) (before, after int) {
	for before < min(len(a), len(b)) && a[before] == b[before] {
		before++
	}
	for after < min(len(a), len(b))-before && a[len(a)-1-after] == b[len(b)-1-after] {
		after++
	}
	if before == len(a) && before == len(b) { // they differ in their last line's end only
		return 0, 0
	}
	return before, after
}

func textLines(s string) []string {
	return strings.Split(printable(strings.TrimRight(s, "\r\n")), "\n")
}

func indented(s string) string { return strings.ReplaceAll(s, "\n", "\n         ") }

// printable makes text of a recording harmless for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}
