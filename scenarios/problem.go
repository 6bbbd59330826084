package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pushcheck/pushcheck/internal/report"
)

// A Problem is one thing that is wrong with a scenario file.
type Problem struct {
	Position Position
	Message  string // `unknown key "afer" for fault reset; did you mean "after"?`
	Accepts  string // what would be accepted: "reset takes: after, side"; may be ""
	Source   string // the text of the line; "" when there is none
}

// Errors is every problem of the files that were read, by file and line.
type Errors struct{ Problems []Problem }

// Error shows each problem with an excerpt and a caret, several lines each.
func (e *Errors) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.String()
	}
	return strings.Join(parts, "\n")
}

// String shows the problem as a message with an excerpt:
//
//	reset.yaml:8:5: unknown key "afer" for fault reset; did you mean "after"?
//	   8 |     afer: 1MiB
//	     |     ^^^^
//	   reset takes: after, side (and nth, times, …)
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", report.Visible(place(p.Position)), report.Visible(p.Message))
	if strings.TrimSpace(p.Source) != "" {
		number := fmt.Sprintf("%4d", p.Position.Line)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s", number, excerpt(p.Source), strings.Repeat(" ", len(number)), caret(p.Source, p.Position))
	}
	if p.Accepts != "" {
		fmt.Fprintf(&b, "\n   %s", report.Visible(p.Accepts))
	}
	return b.String()
}

// place is "file:line:col", or "file:line" or "file" where less is known.
func place(at Position) string {
	switch {
	case at.File == "" && at.Line == 0:
		return "scenario"
	case at.Line == 0:
		return at.File
	}
	return fmt.Sprintf("%s:%d:%d", at.File, at.Line, at.Column)
}

// excerpt is a line of a file with nothing in it that commands a terminal.
func excerpt(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = report.Visible(parts[i])
	}
	return strings.Join(parts, "\t")
}

// caret is the line below an excerpt: tabs stay tabs so that it lines up.
func caret(line string, at Position) string {
	var b strings.Builder
	i := 1
	for _, r := range line {
		if i >= at.Column {
			break
		}
		if r == '\t' {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat(" ", utf8.RuneCountInString(report.Visible(string(r)))))
		}
		i++
	}
	b.WriteString(strings.Repeat("^", max(at.Length, 1)))
	return b.String()
}

// sortProblems orders by file, line and column and removes repetitions: what
// several cases share is decoded for each of them.
func sortProblems(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Position.File, b.Position.File),
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
		)
	})
	return slices.CompactFunc(list, func(a, b Problem) bool {
		return a.Position == b.Position && a.Message == b.Message
	})
}
