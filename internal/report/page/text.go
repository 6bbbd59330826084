package page

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pushcheck/pushcheck/internal/report"
)

// WriteText writes the tables for a terminal: a mark a cell, columns by number,
// and what the marks and numbers mean.
//
// Errors: those of w.
func (p *Page) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, t := range p.Tables {
		p.textTable(&b, t)
		b.WriteString("\n")
	}
	count := p.Count()
	for _, v := range p.Verdicts {
		if n := count[v.Name]; n > 0 {
			fmt.Fprintf(&b, "%s %5d %s: %s\n", v.Mark, n, v.Name, v.Doc)
		}
	}
	for _, note := range p.Notes {
		b.WriteString("\n" + report.Visible(note) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Page) textTable(b *strings.Builder, t Table) {
	name, group := utf8.RuneCountInString(t.Corner), 0
	for _, r := range t.Rows {
		name, group = max(name, utf8.RuneCountInString(report.Visible(r.Name))), max(group, utf8.RuneCountInString(r.Group))
	}
	if group > 0 {
		group += 2
	}
	if t.Title != "" {
		b.WriteString(report.Visible(t.Title) + "\n")
	}
	width := len(strconv.Itoa(len(t.Columns))) + 1
	for i, c := range t.Columns {
		fmt.Fprintf(b, "%*d  %s\n", width, i+1, report.Visible(c.Name))
	}
	b.WriteString("\n")
	p.textNumbers(b, len(t.Columns), group, name, t.Corner)
	last := ""
	for _, r := range t.Rows {
		shown := ""
		if r.Group != last {
			shown, last = r.Group, r.Group
		}
		line := fill(shown, group) + fill(report.Visible(r.Name), name)
		for _, c := range r.Cells {
			line += " " + p.verdict(c.Verdict).Mark
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// textNumbers writes the columns' numbers, a digit below the other.
func (p *Page) textNumbers(b *strings.Builder, n, group, name int, corner string) {
	digits := len(strconv.Itoa(n))
	for d := range digits {
		head := ""
		if d == digits-1 {
			head = corner
		}
		line := fill("", group) + fill(head, name)
		for i := range n {
			line += " " + fmt.Sprintf("%*d", digits, i+1)[d:d+1]
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// fill makes a text as wide as a column.
func fill(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
