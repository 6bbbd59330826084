package page

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/report"
)

//go:embed page.html
var markup string

//go:embed page.css
var style string

//go:embed page.js
var script string

// layout is the page's template, parsed when the first page is written.
var layout = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Parse(markup))
})

// WriteHTML writes one HTML page that needs nothing else: style and script stand
// in it, by their digests the only ones that may run, and nothing is fetched.
// Whatever a peer said is text there, with its control characters shown. The tables
// work without the script, which adds the arrow keys and the filter. So does what
// stands behind the cells, unless there is much of it: then it is packed, and the
// script unpacks it; see packer.
//
// Evidence is written as it is rendered, one after the other.
//
// Errors: those of w.
func (p *Page) WriteHTML(w io.Writer) error {
	v := pageView{
		Page: p, Style: template.CSS(style), Script: template.JS(script), //nolint:gosec // our own files
		Policy: "default-src 'none'; style-src '" + sourceDigest(style) + "'; script-src '" + sourceDigest(script) + "'; base-uri 'none'; form-action 'none'",
	}
	for i, t := range p.Tables {
		v.Views = append(v.Views, p.tableView(i, t))
	}
	buffered := bufio.NewWriter(w)
	if err := layout().Execute(buffered, v); err != nil {
		return err
	}
	write := writePlain
	if v.Packed() {
		write = writePacked
	}
	if err := write(buffered, v.cells()); err != nil {
		return err
	}
	if err := layout().ExecuteTemplate(buffered, "end", v); err != nil {
		return err
	}
	return buffered.Flush()
}

// sourceDigest is a text as a content security policy names it (CSP Level 3,
// "hash-source").
func sourceDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// A pageView is a Page as the template sees it.
type pageView struct {
	*Page
	Style  template.CSS
	Script template.JS
	Policy string
	Views  []tableView
}

// Again is the command that makes the page again.
func (v pageView) Again() string { return clean(v.Command) }

// Legend is every verdict with how many cells have it.
func (v pageView) Legend() []legendEntry {
	count := v.Count()
	var list []legendEntry
	for _, one := range v.Verdicts {
		list = append(list, legendEntry{one, count[one.Name]})
	}
	return list
}

// cells are those that have evidence, in the order of the page.
func (v pageView) cells() iter.Seq[cellView] {
	return func(yield func(cellView) bool) {
		for _, t := range v.Views {
			for _, g := range t.Groups {
				for _, r := range g.Rows {
					for _, c := range r.Cells {
						if c.Evidence != nil && !yield(c) {
							return
						}
					}
				}
			}
		}
	}
}

type legendEntry struct {
	Verdict
	Cells int
}

type tableView struct {
	Table
	Groups []groupView
}

// Span is how many columns a group's name spans.
func (t tableView) Span() int { return len(t.Columns) }

// Wide says that the columns are many, and their names stand upright.
func (t tableView) Wide() bool { return len(t.Columns) > 6 }

type groupView struct {
	Name string
	Rows []rowView
}

type rowView struct {
	Head
	Cells []cellView
}

// A cellView is a cell with its place.
type cellView struct {
	Cell
	Sign   Verdict
	ID     string
	Row    string
	Column string
}

// tableView gives every cell its ID: "c" and the numbers of table, row and column.
func (p *Page) tableView(n int, t Table) tableView {
	v := tableView{Table: t}
	v.Title, v.Corner = clean(t.Title), clean(t.Corner)
	v.Columns = slices.Clone(t.Columns)
	for i, c := range v.Columns {
		v.Columns[i] = c.clean()
	}
	for i, r := range t.Rows {
		r.Head = r.clean()
		row := rowView{Head: r.Head}
		for j, c := range r.Cells {
			c.Count, c.Summary = clean(c.Count), clean(c.Summary)
			row.Cells = append(row.Cells, cellView{
				Cell: c, Sign: p.verdict(c.Verdict), ID: fmt.Sprintf("c%d-%d-%d", n+1, i+1, j+1), Row: r.Name, Column: v.Columns[j].Name,
			})
		}
		if len(v.Groups) == 0 || v.Groups[len(v.Groups)-1].Name != r.Group {
			v.Groups = append(v.Groups, groupView{Name: r.Group})
		}
		last := &v.Groups[len(v.Groups)-1]
		last.Rows = append(last.Rows, row)
	}
	return v
}

// maxName bounds the name of a row or a column, in characters.
const maxName = 240

func (h Head) clean() Head {
	name := clean(h.Name)
	if r := []rune(name); len(r) > maxName {
		name = string(r[:maxName]) + "…"
	}
	return Head{name, clean(h.Detail)}
}

// Label is what the cell says to who does not see it.
func (c cellView) Label() string {
	label := c.Row + ", " + c.Column + ": " + c.Verdict
	if c.Summary != "" {
		label += ". " + c.Summary
	}
	return clean(label)
}

// maxText bounds one text of a page, in characters, and maxLines one list.
const (
	maxText  = 4000
	maxLines = 250
)

// clean makes a text from anywhere fit for one line of the page.
func clean(s string) string {
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + fmt.Sprintf("… (%d characters more)", len(r)-maxText)
	}
	return report.Visible(s)
}

// lines cleans a text of several lines.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if len(list) == maxLines {
			return append(list, "…")
		}
		list = append(list, clean(strings.TrimRight(line, "\r\n")))
	}
	return list
}
