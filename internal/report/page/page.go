// Package page is tables of verdicts with the evidence behind each of them: as
// text for a terminal, as JSON for programs, and as one HTML page that needs
// nothing else.
package page

import "github.com/pushcheck/pushcheck/internal/report"

// A Page is what one command found, as tables. It is data; Text, JSON and HTML
// write it, and scrub what they show.
type Page struct {
	Title   string
	Lead    []string // what there is to know before the tables, a paragraph each
	Command string   // that makes the page again; may be ""
	// Verdicts are those that cells may have, in the order of the legend. Every
	// Cell.Verdict is the Name of one of them, or "".
	Verdicts []Verdict
	Tables   []Table
	Notes    []string // below the tables, a paragraph each
}

// A Tone is how a verdict is to be taken. It chooses a colour, and never is the
// only thing that tells verdicts apart: Mark and Word do.
type Tone string

// The tones.
const (
	ToneGood Tone = "good" // as it should be
	ToneFair Tone = "fair" // as it should be, after more work
	ToneCalm Tone = "calm" // an honest no
	ToneWarn Tone = "warn" // accepted, with a reason
	ToneHang Tone = "hang" // no end
	ToneBad  Tone = "bad"  // wrong
	ToneNone Tone = "none" // nothing to see
)

// A Verdict is one entry of the legend.
type Verdict struct {
	Name string // for programs and in cells: "recovered"
	Mark string // one character, different for each verdict
	Tone Tone
	Doc  string // one sentence
}

// A Table is rows × columns of cells.
type Table struct {
	Title   string
	Corner  string // what rows and columns are: "fault × step"
	Columns []Head
	Rows    []Row
	// Again says that it shows what other tables have too: it is not counted.
	Again bool
}

// A Head names a column or a row.
type Head struct {
	Name   string
	Detail string // a sentence; may be ""
}

// A Row is the cells of one row, as many as the table has columns. Rows that
// follow each other with the same Group stand together.
type Row struct {
	Group string
	Head
	Cells []Cell
}

// A Cell is one verdict. The zero Cell is a place where there is nothing to find.
type Cell struct {
	Verdict string // Verdict.Name; "" for none
	Count   string // beside the mark, short: "+3"; may be ""
	Summary string // one sentence: what happened; may be ""
	// Evidence is what stands behind it; nil when there is none.
	Evidence *Evidence
}

// An Evidence is what is to be seen of one run.
type Evidence struct {
	Result report.Result // unscrubbed
	Again  string        // the command that runs it again; "" is Result.Again
	File   string        // name of the scenario file that runs it again; may be ""
	// Text is that file's. It is shown as it is, to be copied: whoever makes the page
	// sees to it that no secret stands in it.
	Text string
}

// verdict finds an entry of the legend; the zero Verdict when there is none.
func (p *Page) verdict(name string) Verdict {
	for _, v := range p.Verdicts {
		if v.Name == name {
			return v
		}
	}
	return Verdict{Mark: " ", Tone: ToneNone}
}

// Count is how many cells have each verdict, by name, without those that are shown
// again.
func (p *Page) Count() map[string]int {
	n := map[string]int{}
	for _, t := range p.Tables {
		for _, r := range t.Rows {
			for _, c := range r.Cells {
				if c.Verdict != "" && !t.Again {
					n[c.Verdict]++
				}
			}
		}
	}
	return n
}
