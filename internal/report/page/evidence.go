package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// An evidenceView is what stands behind one cell, ready to be written.
type evidenceView struct {
	Cell       cellView
	Result     report.Result // scrubbed
	Again      string
	File       string
	Scenario   []string
	Said       []string
	Held       []report.Holding
	Failures   []failureView
	Broken     []report.Invariant // that do not hold, known ones too
	Checked    int                // invariants
	Lifelines  []string           // who takes part, the client first
	Steps      []stepView
	LeftOut    int // exchanges that are not shown
	Ending     string
	EndingGood bool
}

type failureView struct {
	Name, Message, Note, At, Source string
}

// A stepView is one exchange of the sequence diagram.
type stepView struct {
	report.Line
	To     int    // the lifeline that it goes to: 2 is the first after the client's
	When   string // "+0.200s"; "" at the run's beginning
	Took   string // "took 0.200s"; "" when it took no time
	Amount string // "1024 B"; "" for none
	Bad    bool   // refused or broken
}

// How much of a wire is shown: from its start, around faults, and at its end.
const (
	shownSteps = 120
	headSteps  = 40
	tailSteps  = 40
)

// newEvidenceView prepares the evidence of a cell that has some.
func newEvidenceView(c cellView) *evidenceView {
	e := c.Evidence
	r := e.Result.Scrubbed()
	v := &evidenceView{
		Cell: c, Result: r, Again: clean(e.again(r)), File: clean(e.File), Scenario: lines(e.Text),
		Ending: clean(r.Ending), EndingGood: r.Ending == "pushed", Checked: len(r.Invariants),
	}
	v.Result.Title, v.Result.Because, v.Result.Client = clean(r.Title), clean(r.Because), clean(r.Client)
	for _, f := range bounded(r.Failures) {
		one := failureView{Name: clean(f.Name), Message: clean(f.Message), Note: clean(f.Note), Source: clean(f.Source)}
		if f.Position.File != "" {
			one.At = clean(fmt.Sprintf("%s:%d:%d", f.Position.File, f.Position.Line, f.Position.Column))
		}
		v.Failures = append(v.Failures, one)
	}
	for _, i := range r.Invariants {
		if !i.Holds {
			v.Broken = append(v.Broken, report.Invariant{Name: clean(i.Name), Waived: clean(i.Waived), Detail: clean(i.Detail)})
		}
	}
	for _, s := range bounded(r.Said) {
		v.Said = append(v.Said, clean(s))
	}
	for _, h := range bounded(r.Held) {
		v.Held = append(v.Held, report.Holding{What: clean(h.What), Is: clean(h.Is)})
	}
	v.diagram(r.Lines())
	return v
}

func bounded[T any](list []T) []T { return list[:min(len(list), maxLines)] }

// diagram lays the exchanges out.
func (v *evidenceView) diagram(list []report.Line) {
	places := v.lifelines(list)
	for _, l := range list {
		l.Op, l.Event, l.Expected = wire.Op(clean(string(l.Op))), clean(l.Event), clean(l.Expected)
		s := stepView{Line: l, To: places[l.Host], Bad: l.Broken || l.Status >= 400}
		if l.At >= time.Millisecond {
			s.When = fmt.Sprintf("+%.3fs", l.At.Seconds())
		}
		if l.Elapsed >= time.Millisecond {
			s.Took = fmt.Sprintf("took %.3fs", l.Elapsed.Seconds())
		}
		if l.Size > 0 {
			s.Amount = strconv.FormatInt(l.Size, 10) + " B"
		}
		v.Steps = append(v.Steps, s)
	}
	if n := len(v.Steps); n > shownSteps {
		var kept []stepView
		for i, s := range v.Steps {
			near := i < headSteps || i >= n-tailSteps
			if near || len(kept) < shownSteps-tailSteps && (s.Faults != "" || s.Expected != "") {
				kept = append(kept, s)
			}
		}
		v.Steps, v.LeftOut = kept, n-len(kept)
	}
}

// maxLifelines bounds who has a line of his own; the others share the last.
const maxLifelines = 4

// lifelines names who takes part and says which line a host has.
func (v *evidenceView) lifelines(list []report.Line) map[string]int {
	tokens := map[string]bool{} // hosts that were asked for tokens only
	var hosts []string
	for _, l := range list {
		if l.Event != "" || l.Host == "" {
			continue
		}
		only, seen := tokens[l.Host]
		if !seen {
			hosts, only = append(hosts, l.Host), true
		}
		tokens[l.Host] = only && l.Op == wire.OpToken
	}
	slices.SortStableFunc(hosts, func(a, b string) int { return rank(tokens[a]) - rank(tokens[b]) })
	v.Lifelines = []string{"client"}
	places := map[string]int{}
	registries := 0
	for _, h := range hosts {
		name := "token service"
		if !tokens[h] {
			registries++
			name = "registry"
			if registries > 1 {
				name += " " + strconv.Itoa(registries)
			}
		}
		if len(v.Lifelines) < maxLifelines {
			v.Lifelines = append(v.Lifelines, name)
		} else {
			v.Lifelines[maxLifelines-1] = "others"
		}
		places[h] = len(v.Lifelines)
	}
	if len(v.Lifelines) == 1 {
		v.Lifelines = append(v.Lifelines, "registry")
	}
	return places
}

// rank puts registries before token services.
func rank(token bool) int {
	if token {
		return 1
	}
	return 0
}

// Count is the number of lifelines, as a class of the style sheet.
func (v *evidenceView) Count() string { return "n" + strconv.Itoa(len(v.Lifelines)) }

// Place is the lifeline that an exchange goes to, as a class of the style sheet.
func (s stepView) Place() string { return "to" + strconv.Itoa(max(s.To, 2)) }

// Marks are the names of the faults that struck.
func (s stepView) Marks() []string {
	if s.Faults == "" {
		return nil
	}
	return strings.Split(clean(s.Faults), ",")
}

// Fired are the faults that were declared and how often they struck.
func (v *evidenceView) Fired() []string {
	var list []string
	for _, f := range v.Result.Fired {
		list = append(list, clean(fmt.Sprintf("%s struck %d×", f.Fault, f.Times)))
	}
	return list
}
