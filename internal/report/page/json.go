package page

import (
	"io"
	"time"

	"github.com/pushcheck/pushcheck/internal/report"
)

// JSONFormat is the number of the form that WriteJSON writes. It changes when a
// field that was there before means something else.
const JSONFormat = 1

// A Document is a Page as WriteJSON writes it.
type Document struct {
	Format   int             `json:"format"` // JSONFormat
	Title    string          `json:"title"`
	Command  string          `json:"command,omitempty"`
	Verdicts []DocVerdict    `json:"verdicts"`
	Tables   []DocumentTable `json:"tables"`
}

// A DocVerdict is one entry of the legend, and how many cells have it.
type DocVerdict struct {
	Name  string `json:"name"`
	Mark  string `json:"mark"`
	Doc   string `json:"doc"`
	Cells int    `json:"cells"`
}

// A DocumentTable is one table. Its cells are a list: those that say something.
type DocumentTable struct {
	Title   string         `json:"title,omitempty"`
	Columns []string       `json:"columns"`
	Rows    []string       `json:"rows"`
	Cells   []DocumentCell `json:"cells"`
}

// A DocumentCell is one cell and what stands behind it.
type DocumentCell struct {
	Row     string `json:"row"`
	Column  string `json:"column"`
	Verdict string `json:"verdict"`
	Count   string `json:"count,omitempty"`
	Summary string `json:"summary,omitempty"`

	ID         string            `json:"id,omitempty"`
	Client     string            `json:"client,omitempty"`
	Seed       uint64            `json:"seed,omitempty"`
	Outcome    string            `json:"outcome,omitempty"`
	Because    string            `json:"because,omitempty"`
	Ending     string            `json:"ending,omitempty"`
	Failures   []DocumentFailure `json:"failures,omitempty"`
	Invariants []string          `json:"broken,omitempty"` // names of those that do not hold, known ones too
	Said       []string          `json:"said,omitempty"`
	Held       map[string]string `json:"held,omitempty"`
	Wire       []DocumentLine    `json:"wire,omitempty"`
	Virtual    float64           `json:"virtual,omitempty"` // seconds of the scenario's own time
	Again      string            `json:"again,omitempty"`
	Scenario   string            `json:"scenario,omitempty"` // the file that runs it again
}

// A DocumentFailure is something that did not hold.
type DocumentFailure struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// A DocumentLine is one exchange.
type DocumentLine struct {
	Seq    int     `json:"seq"`
	At     float64 `json:"at"` // seconds since the run began
	Op     string  `json:"op"`
	What   string  `json:"what,omitempty"`
	Event  string  `json:"event,omitempty"`
	Fault  string  `json:"fault,omitempty"`
	Answer string  `json:"answer,omitempty"`
}

// WriteJSON writes the page as one JSON object on one line, a Document.
//
// Errors: those of w.
func (p *Page) WriteJSON(w io.Writer) error {
	doc := Document{Format: JSONFormat, Title: p.Title, Command: p.Command}
	count := p.Count()
	for _, v := range p.Verdicts {
		doc.Verdicts = append(doc.Verdicts, DocVerdict{v.Name, v.Mark, v.Doc, count[v.Name]})
	}
	for _, t := range p.Tables {
		one := DocumentTable{Title: t.Title, Cells: []DocumentCell{}}
		for _, c := range t.Columns {
			one.Columns = append(one.Columns, c.Name)
		}
		for _, r := range t.Rows {
			one.Rows = append(one.Rows, r.Name)
			for i, c := range r.Cells {
				if c.Verdict != "" {
					one.Cells = append(one.Cells, documentCell(r.Name, t.Columns[i].Name, c))
				}
			}
		}
		doc.Tables = append(doc.Tables, one)
	}
	line, err := report.EncodeJSON(doc)
	if err != nil {
		return err
	}
	_, err = w.Write(line)
	return err
}

func documentCell(row, column string, c Cell) DocumentCell {
	one := DocumentCell{Row: row, Column: column, Verdict: c.Verdict, Count: c.Count, Summary: c.Summary}
	if c.Evidence == nil {
		return one
	}
	r := c.Evidence.Result.Scrubbed()
	one.ID, one.Client, one.Seed, one.Outcome, one.Because = r.ID, r.Client, r.Seed, r.Outcome.String(), r.Because
	one.Ending, one.Said, one.Virtual = r.Ending, r.Said, seconds(r.Virtual)
	one.Again, one.Scenario = c.Evidence.again(r), c.Evidence.Text
	for _, f := range r.Failures {
		one.Failures = append(one.Failures, DocumentFailure{f.Name, f.Message})
	}
	for _, v := range r.Invariants {
		if !v.Holds {
			one.Invariants = append(one.Invariants, v.Name)
		}
	}
	for _, h := range r.Held {
		if one.Held == nil {
			one.Held = map[string]string{}
		}
		one.Held[h.What] = h.Is
	}
	for _, l := range r.Lines() {
		one.Wire = append(one.Wire, DocumentLine{l.Seq, seconds(l.At), string(l.Op), l.What, l.Event, l.Faults, l.Answer})
	}
	return one
}

// again is the command that runs it again; r is its result, scrubbed.
func (e *Evidence) again(r report.Result) string {
	if e.Again != "" {
		return e.Again
	}
	return r.Again
}

func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }
