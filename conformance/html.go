package conformance

import (
	"fmt"
	"io"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/report/page"
)

// WriteHTML writes the report as one page that needs nothing else: the matrix of
// operations and content with both margins, and every check with its exchanges,
// folded. again is the command that makes it again; it may be "".
//
// Errors: w's.
func (r *Report) WriteHTML(w io.Writer, again string, failOn Level) error {
	p := &page.Page{
		Title: "What " + r.Target + " does with a push", Command: again, Lead: r.lead(), Verdicts: pageVerdicts(),
	}
	if causes := r.causeTable(failOn); len(causes.Rows) > 0 {
		p.Tables = append(p.Tables, causes)
	}
	p.Tables = append(p.Tables, r.matrixTable(), r.checkTable(failOn))
	for i := range p.Lead {
		p.Lead[i] = r.clean(p.Lead[i])
	}
	p.Title = r.clean(p.Title)
	if r.LeftBehind {
		p.Notes = append(p.Notes, "What was pushed is still there, under "+r.Prefix+".")
	}
	return p.WriteHTML(w)
}

// lead is what there is to know first: what the registry can, and the counts.
func (r *Report) lead() []string {
	var can []string
	for _, c := range r.Capabilities() {
		can = append(can, c.Name+": "+c.State)
	}
	return []string{strings.Join(can, " · "), fmt.Sprintf("%s. %s, seed %d.", r.counts(), r.traffic(), r.Seed)}
}

// causeTable is what is wrong, and whom that hurts, with what shows it.
func (r *Report) causeTable(failOn Level) page.Table {
	t := page.Table{Title: "What is not met", Corner: "check and cause", Columns: []page.Head{{Name: "verdict"}}, Again: true}
	for _, c := range r.Causes() {
		first := r.Verdict(c.Checks[0])
		title := someOf(c.Checks, 12) + ": " + r.brief(c.Title)
		if c.Hurts != "" && c.Word != Errored {
			title += ". Hurts " + c.Hurts
		}
		summary := c.Word.doc()
		if len(c.Blocked) > 0 {
			summary += ", and blocks " + count(len(c.Blocked), "check") + ": " + strings.Join(c.Blocked, ", ")
		}
		t.Rows = append(t.Rows, page.Row{
			Head: page.Head{Name: title},
			Cells: []page.Cell{{
				Verdict: string(c.Word), Summary: summary, Evidence: &page.Evidence{Result: r.evidence(*first, failOn)},
			}},
		})
	}
	return t
}

// doc is the sentence of a word in the legend.
func (w Word) doc() string {
	for _, v := range pageVerdicts() {
		if v.Name == string(w) {
			return v.Doc
		}
	}
	return ""
}

// brief is a text without secrets whose long words, such as digests, are cut.
func (r *Report) brief(s string) string {
	words := strings.Split(r.clean(s), " ")
	for i, w := range words {
		if letters := []rune(w); len(letters) > 60 {
			words[i] = string(letters[:24]) + "…"
		}
	}
	return strings.Join(words, " ")
}

// pageVerdicts is the legend.
func pageVerdicts() []page.Verdict {
	return []page.Verdict{
		{Name: string(Pass), Mark: "✓", Tone: page.ToneGood, Doc: "the requirement is met"},
		{Name: string(FellBack), Mark: "↺", Tone: page.ToneFair, Doc: "it is lawfully done another way"},
		{Name: string(Unsupported), Mark: "–", Tone: page.ToneCalm, Doc: "the registry lawfully lacks it"},
		{Name: string(Note), Mark: "i", Tone: page.ToneCalm, Doc: "a MAY is not met"},
		{Name: string(Known), Mark: "k", Tone: page.ToneWarn, Doc: "not met, as is known"},
		{Name: string(Warn), Mark: "!", Tone: page.ToneWarn, Doc: "a SHOULD is not met"},
		{Name: string(BlockedBy), Mark: "⊘", Tone: page.ToneCalm, Doc: "another check failed, without which this one tells nothing"},
		{Name: string(Errored), Mark: "?", Tone: page.ToneHang, Doc: "it could not be seen"},
		{Name: string(Fail), Mark: "✗", Tone: page.ToneBad, Doc: "a MUST is not met"},
	}
}

// matrixTable is the matrix with its margins, without what nothing came to.
func (r *Report) matrixTable() page.Table {
	m := r.Matrix()
	t := page.Table{Title: "Operation × content", Corner: "operation × content", Columns: []page.Head{{Name: "all"}}, Again: true}
	var used []int
	for i, c := range m.Contents {
		if m.ByContent[i].Word != "" {
			used = append(used, i)
			t.Columns = append(t.Columns, page.Head{Name: c})
		}
	}
	margin := page.Row{Head: page.Head{Name: "all"}, Cells: []page.Cell{{}}}
	for _, i := range used {
		margin.Cells = append(margin.Cells, m.ByContent[i].page())
	}
	t.Rows = append(t.Rows, margin)
	for i, op := range m.Operations {
		if m.ByOperation[i].Word == "" {
			continue
		}
		row := page.Row{Head: page.Head{Name: op}, Cells: []page.Cell{m.ByOperation[i].page()}}
		for _, j := range used {
			row.Cells = append(row.Cells, m.Cells[i][j].page())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// page is the cell on a page.
func (c MatrixCell) page() page.Cell {
	if c.Word == "" {
		return page.Cell{}
	}
	cell := page.Cell{Verdict: string(c.Word), Count: fmt.Sprint(c.Passed), Summary: count(c.Passed, "check") + " passed here"}
	if len(c.Checks) > 0 {
		cell.Count = fmt.Sprint(len(c.Checks))
		cell.Summary = "not met: " + strings.Join(c.Checks, ", ") + "; " + cell.Summary
	}
	return cell
}

// checkTable is every check with what stands behind its verdict.
func (r *Report) checkTable(failOn Level) page.Table {
	t := page.Table{Title: "Checks", Corner: "check", Columns: []page.Head{{Name: "verdict"}}}
	for _, v := range r.Verdicts {
		cell := page.Cell{Verdict: string(v.Word), Summary: r.clean(v.title())}
		if v.Word != Pass || len(v.Exchanges) > 0 {
			cell.Evidence = &page.Evidence{Result: r.evidence(v, failOn)}
		}
		t.Rows = append(t.Rows, page.Row{
			Group: v.Check.Group(), Head: page.Head{Name: v.Check.ID + " " + v.Check.Doc, Detail: v.Check.Level.String()}, Cells: []page.Cell{cell},
		})
	}
	return t
}

// evidence is what there is to see of a verdict.
func (r *Report) evidence(v Verdict, failOn Level) report.Result {
	out := r.result(v, failOn)
	out.Again = r.again(v)
	out.Trace = v.Exchanges
	if v.Word == Pass {
		out.Trace = out.Trace[:min(len(out.Trace), 8)] // so that a page of what passes stays small
	}
	if v.Check.Hurts != "" && v.Violation != nil {
		out.Said = append(out.Said, "hurts "+v.Check.Hurts)
	}
	out.Said = append(out.Said, "spec "+v.Check.Spec+" "+v.Check.Link())
	if v.Violation != nil {
		for line := range strings.Lines(v.Violation.Curl) {
			out.Said = append(out.Said, "try "+shorten(r.clean(strings.TrimRight(line, "\n"))))
		}
	}
	for _, m := range v.Measured {
		out.Said = append(out.Said, r.clean(m.String()))
	}
	return out
}

// again is the command that looks again.
func (r *Report) again(v Verdict) string {
	return fmt.Sprintf("pushcheck conformance --run %s --seed %d %s", v.Check.ID, r.Seed, r.Target)
}
