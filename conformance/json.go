package conformance

import (
	"encoding/json"
	"io"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// JSONFormat is the version of what WriteJSON writes.
const JSONFormat = 1

type jsonReport struct {
	Format   int           `json:"format"`
	Target   string        `json:"target"`
	Profile  string        `json:"profile"`
	Seed     uint64        `json:"seed"`
	Prefix   string        `json:"prefix"`
	Requests int64         `json:"requests"`
	Bytes    int64         `json:"bytes"`
	Counts   map[Word]int  `json:"counts"`
	Can      []Capability  `json:"capabilities"`
	Causes   []Cause       `json:"causes"`
	Verdicts []jsonVerdict `json:"checks"`
}

type jsonVerdict struct {
	ID        string   `json:"id"`
	Level     string   `json:"level"`
	Silent    bool     `json:"silent,omitempty"` // the specification does not speak of it
	Doc       string   `json:"doc"`
	Word      Word     `json:"verdict"`
	Reason    string   `json:"reason,omitempty"`
	BlockedBy string   `json:"blockedBy,omitempty"`
	Want      string   `json:"want,omitempty"`
	Got       string   `json:"got,omitempty"`
	Spec      string   `json:"spec"`
	Link      string   `json:"link"`
	Hurts     string   `json:"hurts,omitempty"`
	Curl      string   `json:"curl,omitempty"`
	Exchange  string   `json:"exchange,omitempty"`
	Exchanges []string `json:"exchanges,omitempty"` // of a check that did not pass
	Known     string   `json:"known,omitempty"`     // the reason
	KnownLink string   `json:"knownLink,omitempty"` // and where it is discussed
	Seconds   float64  `json:"seconds"`

	Measured []Measure `json:"measured,omitempty"`
}

// WriteJSON writes the report for programs, as one document without secrets.
//
// Errors: w's.
func (r *Report) WriteJSON(w io.Writer) error {
	s := wire.NewScrubber(r.secrets...)
	out := jsonReport{
		Format: JSONFormat, Target: r.Target, Profile: r.Profile, Seed: r.Seed, Prefix: r.Prefix, Requests: r.Requests, Bytes: r.Bytes,
		Counts: map[Word]int{}, Can: []Capability{}, Causes: []Cause{}, Verdicts: []jsonVerdict{},
	}
	for _, c := range r.Capabilities() {
		c.State = s.Secrets(c.State)
		out.Can = append(out.Can, c)
	}
	for _, c := range r.Causes() {
		c.Title = s.Secrets(c.Title)
		out.Causes = append(out.Causes, c)
	}
	for _, v := range r.Verdicts {
		out.Counts[v.Word]++
		j := jsonVerdict{
			ID: v.Check.ID, Level: v.Check.Level.String(), Silent: v.Check.Silent, Doc: v.Check.Doc, Word: v.Word, Reason: s.Secrets(v.Reason), BlockedBy: v.BlockedBy,
			Spec: v.Check.Spec, Link: v.Check.Link(), Hurts: v.Check.Hurts, Seconds: v.Elapsed.Seconds(),
		}
		for _, m := range v.Measured {
			m.Name, m.Text = s.Secrets(m.Name), s.Secrets(m.Text)
			j.Measured = append(j.Measured, m)
		}
		if v.Known != nil {
			j.Known, j.KnownLink = v.Known.Reason, v.Known.Link
		}
		if v.Violation != nil {
			j.Want, j.Got, j.Curl = s.Secrets(v.Violation.Want), s.Secrets(v.Violation.Got), s.Secrets(v.Violation.Curl)
			if v.Violation.Exchange != nil {
				j.Exchange = wire.FormatExchange(s.Exchange(*v.Violation.Exchange))
			}
			for _, e := range v.Exchanges {
				j.Exchanges = append(j.Exchanges, wire.FormatExchange(s.Exchange(e)))
			}
		}
		out.Verdicts = append(out.Verdicts, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

// WriteJUnit writes the report for CI systems: a suite for each group, a case for
// each check. What counts as a failure is what ExitCode(failOn) counts.
//
// Errors: w's.
func (r *Report) WriteJUnit(w io.Writer, failOn Level) error {
	j := report.NewJUnit(w)
	for _, v := range r.Verdicts {
		j.Result(r.result(v, failOn))
	}
	return j.Summary(report.Summary{})
}

// result is a verdict in the model that all reports of pushcheck share.
func (r *Report) result(v Verdict, failOn Level) report.Result {
	out := report.Result{
		ID: "conformance/" + v.Check.Group() + "/" + v.Check.ID, Title: v.Check.Doc, Seed: r.Seed, Because: v.Reason,
		Trace: v.Exchanges, Elapsed: v.Elapsed, Secrets: r.secrets,
	}
	switch v.Word {
	case Pass:
		out.Outcome, out.Trace = report.Pass, nil
	case Fail:
		out.Outcome = report.Fail
	case Warn, Note:
		out.Outcome = report.Warn
		if v.Check.Level <= failOn {
			out.Outcome = report.Fail
		}
	case Unsupported, FellBack, BlockedBy:
		out.Outcome, out.Because = report.Skipped, string(v.Word)+": "+v.Reason
	case Known:
		out.Outcome, out.Because = report.Known, v.Known.Reason
	case Errored:
		out.Outcome = report.Broken
	}
	if v.Violation != nil {
		after := 0
		if v.Violation.Exchange != nil {
			after = v.Violation.Exchange.Seq
		}
		out.Failures = []report.Failure{{
			Name: v.Check.ID, Message: "want " + v.Violation.Want + ", got " + v.Violation.Got,
			Note: v.Check.Link(), After: after,
		}}
	}
	return out
}
