package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/report/page"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// The verdicts of a matrix, as cells and programs name them.
const (
	MatrixPass    = "pass"
	MatrixDiffers = "differs"
	MatrixKnown   = "known"
	MatrixSkip    = "skip"
	MatrixFail    = "fail"
	MatrixBroken  = "broken"
)

// matrixVerdicts is the legend of a matrix.
func matrixVerdicts() []page.Verdict {
	return []page.Verdict{
		{Name: MatrixPass, Mark: "✓", Tone: page.ToneGood, Doc: "all that the scenario expects was seen, and every invariant holds"},
		{Name: MatrixDiffers, Mark: "≠", Tone: page.ToneFair, Doc: "every invariant holds, and it came at least as far, " +
			"but on another way than the one that the scenario describes for its own client"},
		{Name: MatrixKnown, Mark: "~", Tone: page.ToneWarn, Doc: "it failed as it is known to, for a reason that stands in the scenario"},
		{Name: MatrixFail, Mark: "✗", Tone: page.ToneBad, Doc: "it did not come as far as it must, or an invariant is broken"},
		{Name: report.Warn.String(), Mark: "!", Tone: page.ToneWarn, Doc: "something that should be otherwise, and need not"},
		{Name: MatrixBroken, Mark: "?", Tone: page.ToneHang, Doc: "the bench could not tell"},
		{Name: MatrixSkip, Mark: "–", Tone: page.ToneNone, Doc: "not run: something that the scenario needs is not there"},
	}
}

// As is a scenario with another client in the place of its own: an era or, by any
// other name, an adapter. What only the own client has, such as a digest cache,
// goes; its login and its trust stay. The scenario itself is not changed.
func As(s *Scenario, client string) *Scenario {
	one := *s
	one.Client = Client{
		Name: client, Login: s.Client.Login, Secure: s.Client.Secure, Trust: s.Client.Trust, V2Only: s.Client.V2Only,
		Meta: s.Client.Meta, TrustKey: s.Client.TrustKey, Cache: s.Client.Cache,
	}
	era, built := eraOf(client)
	if !built {
		one.Client.Adapter, one.Client.Cache, one.Client.Meta, one.Client.TrustKey = client, nil, nil, ""
		return &one
	}
	one.Client.Era = client
	if era.Layers.Concurrency > 0 {
		one.Client.Concurrency = s.Client.Concurrency
	}
	return &one
}

// A Matrix is scenarios × clients and how each came out.
type Matrix struct {
	Clients   []string
	Scenarios []*Scenario // as they were loaded: a row each
	// Results has a row for each scenario and in it a result for each client; nil
	// where the run ended before it, and where the scenario is a case of other clients
	// (Meant).
	Results [][]*Result
	own     []string // the clients for which the scenarios were written
}

// Matrix runs every scenario with every client in the place of its own. Scenarios
// that differ in their client alone are one row.
//
// Errors: as of Run.
func (r *Runner) Matrix(ctx context.Context, list []*Scenario, clients []string) (*Matrix, error) {
	m := &Matrix{Clients: clients}
	var all []*Scenario
	places := map[*Scenario][2]int{}
	meant := map[string]bool{} // clients, with what is run as them
	for _, c := range clients {
		for _, s := range Meant(list, c) {
			meant[c+" "+bare(s.ID)] = true
		}
	}
	for _, s := range list {
		if slices.ContainsFunc(m.Scenarios, func(o *Scenario) bool { return bare(o.ID) == bare(s.ID) }) {
			continue
		}
		m.Scenarios, m.own = append(m.Scenarios, s), append(m.own, ClientName(s.Client))
		m.Results = append(m.Results, make([]*Result, len(clients)))
		for i, c := range clients {
			if !meant[c+" "+bare(s.ID)] {
				continue
			}
			one := As(s, c)
			one.ID = bare(s.ID) + "@" + c
			places[one] = [2]int{len(m.Scenarios) - 1, i}
			all = append(all, one)
		}
	}
	summary, err := r.Run(ctx, all)
	byID := map[string]*Result{}
	for i := range summary.Results {
		byID[summary.Results[i].ID] = &summary.Results[i]
	}
	for s, at := range places {
		if res := byID[s.ID]; res != nil {
			res.Again = fmt.Sprintf("pushcheck run %s --client %s --seed %d --trace", bare(s.Name), m.Clients[at[1]], res.Seed)
			m.Results[at[0]][at[1]] = res
		}
	}
	return m, err
}

// bare is an ID without its client.
func bare(id string) string {
	before, _, _ := strings.Cut(id, "@")
	return before
}

// grouped parts an ID into its folder, "" for none, and the rest.
func grouped(id string) (group, name string) {
	group, name, found := strings.Cut(id, "/")
	if !found {
		return "", id
	}
	return group, name
}

// Verdict is how one result is told in a matrix; "" where there is none.
func (m *Matrix) Verdict(row, column int) string {
	res := m.Results[row][column]
	switch {
	case res == nil:
		return ""
	case res.Outcome == report.Fail && m.own[row] != m.Clients[column] && anotherWay(res):
		return MatrixDiffers
	}
	return res.Outcome.String()
}

// ways are the parts of expect that describe how a client goes, not where it
// arrives.
var ways = []string{"wire", "wire-exactly", "never", "count", "progress", "cache", "error", "via", "within"}

// anotherWay reports whether a client broke no invariant and came at least as far
// as the scenario's own. Where that one must fail and this one pushed, what the
// registry holds is another thing as well.
func anotherWay(res *Result) bool {
	further := res.Ending == ResultPushed && slices.ContainsFunc(res.Failures, func(f report.Failure) bool { return partOf(f.Name) == "result" })
	return !slices.ContainsFunc(res.Failures, func(f report.Failure) bool {
		part := partOf(f.Name)
		return !strings.Contains(f.Name, "expect.") || !slices.Contains(ways, part) && (!further || part != "result" && part != "registry" && part != "exit")
	})
}

// Page is the matrix with the evidence behind each cell. command makes it again.
func (m *Matrix) Page(command string) *page.Page {
	p := &page.Page{
		Title: "Clients × scenarios", Command: command, Verdicts: matrixVerdicts(),
		Lead: []string{fmt.Sprintf("%s, each pushed by %s.", plural(len(m.Scenarios), "scenario"), strings.Join(m.Clients, ", "))},
	}
	t := page.Table{Corner: "scenario"}
	for _, c := range m.Clients {
		t.Columns = append(t.Columns, page.Head{Name: c})
	}
	for i, s := range m.Scenarios {
		group, name := grouped(bare(s.ID))
		row := page.Row{Group: group, Head: page.Head{Name: name, Detail: s.Title}}
		for j := range m.Clients {
			row.Cells = append(row.Cells, m.cell(i, j))
		}
		t.Rows = append(t.Rows, row)
	}
	p.Tables = []page.Table{t}
	return p
}

func (m *Matrix) cell(i, j int) page.Cell {
	res := m.Results[i][j]
	if res == nil {
		return page.Cell{}
	}
	c := page.Cell{Verdict: m.Verdict(i, j), Summary: summaryOf(*res)}
	c.Evidence = &page.Evidence{Result: *res, File: fileOf(m.Scenarios[i]), Text: textOf(m.Scenarios[i])}
	return c
}

// fileOf is the name of the file that a scenario stands in.
func fileOf(s *Scenario) string {
	if s.Position.File != "" {
		return s.Position.File
	}
	return s.Path
}

// textOf is the text of that file without the passwords in it.
func textOf(s *Scenario) string {
	return wire.NewScrubber(secretsOf(s)...).Secrets(strings.Join(s.Lines, "\n"))
}

// summaryOf is a result in one sentence, as reports may show it.
func summaryOf(res Result) string {
	res = res.Scrubbed()
	switch {
	case res.Because != "":
		return res.Because
	case len(res.Failures) > 0:
		text := res.Failures[0].Name + ": " + res.Failures[0].Message
		if n := len(res.Failures) - 1; n > 0 {
			text += fmt.Sprintf(", and %d more", n)
		}
		return text
	case res.Ending == ResultPushed:
		return "the push succeeded"
	}
	return res.Ending
}

// RunPage is how a run of scenarios came out, as a page: a row a result.
func RunPage(results []Result, list []*Scenario, command string) *page.Page {
	p := &page.Page{Title: "Scenarios", Command: command, Verdicts: matrixVerdicts()}
	t := page.Table{Corner: "scenario", Columns: []page.Head{{Name: "outcome"}}}
	files := map[string]*Scenario{}
	for _, s := range list {
		files[s.ID] = s
	}
	for _, res := range results {
		group, name := grouped(res.ID)
		e := &page.Evidence{Result: res}
		if s := files[res.ID]; s != nil {
			e.File, e.Text = fileOf(s), textOf(s)
		}
		t.Rows = append(t.Rows, page.Row{
			Group: group, Head: page.Head{Name: name, Detail: res.Title},
			Cells: []page.Cell{{Verdict: res.Outcome.String(), Summary: summaryOf(res), Evidence: e}},
		})
	}
	p.Tables = []page.Table{t}
	return p
}
