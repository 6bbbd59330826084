package scenarios

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report/page"
)

// sweepVerdicts is the legend of a sweep.
func sweepVerdicts() []page.Verdict {
	return []page.Verdict{
		{Name: SweepPushed, Mark: "✓", Tone: page.ToneGood, Doc: "the client said that it pushed, and it had, with no more requests than without the fault"},
		{Name: SweepRecovered, Mark: "↻", Tone: page.ToneFair, Doc: "it had pushed, with so many more requests"},
		{Name: SweepRefused, Mark: "⊘", Tone: page.ToneCalm, Doc: "the client said that it did not push, and nothing is half done"},
		{Name: SweepKnown, Mark: "~", Tone: page.ToneWarn, Doc: "what the client said is not so, as it is known of this client or of the fault; the reason is behind the cell"},
		{Name: SweepHung, Mark: "∞", Tone: page.ToneHang, Doc: "the push did not end within its time limit"},
		{Name: SweepBroken, Mark: "✗", Tone: page.ToneBad, Doc: "an invariant is broken"},
		{Name: SweepUnknown, Mark: "?", Tone: page.ToneHang, Doc: "the bench could not tell"},
		{Name: SweepSkipped, Mark: "–", Tone: page.ToneNone, Doc: "not run: this client cannot be put to that; the reason is behind the cell"},
		{Name: SweepUnstruck, Mark: "·", Tone: page.ToneNone, Doc: "the fault found nothing to disturb there"},
	}
}

// Page is the sweep as a heat map, with the evidence behind each cell. command
// makes it again.
func (s *SweepReport) Page(command string) *page.Page {
	ground, _, _ := s.Sweep.check() //nolint:errcheck // it was run
	p := &page.Page{
		Title: "Every fault at every step of " + s.Sweep.Client, Command: command, Verdicts: sweepVerdicts(),
		Lead: []string{fmt.Sprintf(
			"A push of two layers to a registry with %s takes %s. Each cell is that push once more, with one fault at one step: %s in all.",
			ground.Doc, plural(requestCount(s.Clean), "request"), pushCount(s.Ran))},
	}
	if s.Ran < s.Total {
		p.Lead = append(p.Lead, fmt.Sprintf("The sweep ended early: %d of %d pushes were made.", s.Ran, s.Total))
	}
	p.Lead = append(p.Lead, "An empty place is where a fault cannot strike by its nature. "+
		"Faults of names, connections and TLS strike the connection that the request opens. "+
		"A small ~ says that a further invariant is broken as this client is known to break it.")
	t := page.Table{Corner: "fault"}
	for _, step := range s.Steps {
		name := step.String()
		if step.What != "" {
			name += " · " + step.What
		}
		t.Columns = append(t.Columns, page.Head{Name: name})
	}
	for i, k := range s.Faults {
		row := page.Row{Group: k.Layer, Head: page.Head{Name: k.Name, Detail: k.Doc}}
		for _, c := range s.Cells[i] {
			row.Cells = append(row.Cells, c.cell())
		}
		t.Rows = append(t.Rows, row)
	}
	p.Tables = []page.Table{t}
	return p
}

// cell is a cell of the heat map.
func (c *SweepCell) cell() page.Cell {
	if c == nil {
		return page.Cell{}
	}
	one := page.Cell{Verdict: c.Verdict, Summary: c.Because()}
	if c.Verdict == SweepRecovered {
		one.Count = "+" + strconv.Itoa(c.Extra)
	}
	if len(c.Broken) > 0 && c.Verdict != SweepKnown && c.Verdict != SweepBroken {
		one.Count += "~"
	}
	if c.Verdict != SweepUnstruck {
		one.Evidence = &page.Evidence{Result: c.Result, File: c.Name, Text: c.Text}
	}
	return one
}

// Because says in a sentence what happened; "" where nothing struck.
func (c *SweepCell) Because() string {
	text := c.Result.Scrubbed().Ending
	switch c.Verdict {
	case SweepBroken, SweepUnknown, SweepSkipped:
		return summaryOf(c.Result)
	case SweepUnstruck:
		return ""
	case SweepRecovered, SweepPushed:
		text = "the push succeeded"
		if c.Extra > 0 {
			text += " with " + plural(c.Extra, "request") + " more than without the fault"
		}
		if c.Extra < 0 {
			text += " with " + plural(-c.Extra, "request") + " fewer than without the fault"
		}
	}
	if len(c.Broken) > 0 {
		text += "; known to be broken: " + strings.Join(c.Broken, ", ")
	}
	return text
}

func pushCount(n int) string {
	if n == 1 {
		return "one push"
	}
	return strconv.Itoa(n) + " pushes"
}
