package scenarios

import (
	"slices"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/pusher"
)

// An invariant is one thing that every push must keep, judged from what was seen
// of it.
type invariant struct {
	name string
	doc  string
	test func(p *seenPush) []finding
}

// A finding is one way in which a push kept or broke an invariant. None is an
// invariant that holds and was never tempted.
type finding struct {
	broken string // what broke it; "" when it was kept
	// rules are the rules of docs/rules.md that explain such a breach, one of which
	// an era names among its known deviations. A kept finding with rules says that
	// the situation of those rules occurred: an era that is known to break then and
	// did not is wrong.
	rules []string
	// outgrown says that a foreign client kept what it was sure to break; "" else.
	outgrown string
	note     string // shown though it was kept: "ambiguous: …"
	seq      int    // of the exchange that it is about; 0 for none
	at       string // the part of the scenario that it is about; "" is the push
}

// invariants lists the standing invariants in the order of every report.
func invariants() []invariant {
	return []invariant{
		{"truth", "A reported success means that the tag resolves to the image, that every blob is there, and that its bytes match.", truth},
		{"no-half-tag", "After a failure the tag is as before, unless the registry had done what was asked and a fault kept " +
			"the client from knowing: then both are legal, and the report says ambiguous.", noHalfTag},
		{"blobs-first", "No manifest is put before all its blobs were confirmed by a HEAD, a mount or a 201.", blobsFirst},
		{"secrets-stay", "Credentials and tokens go only to the host and realm that they are meant for, never over plaintext " +
			"after TLS was seen, and never into logs or progress.", secretsStay},
		{"no-downgrade", "No plain HTTP after a successful TLS exchange with that host, no V1 after V2 was confirmed.", noDowngrade},
		{"bounded", "At most 6 requests of an operation for one thing, and few tokens.", bounded},
		{"patience", "No repeat before Retry-After, no repeat of a final refusal.", patience},
		{"no-double-count", "The body of an upload is not sent again into a session that may have taken it.", noDoubleCount},
		{"clean-up", "Upload sessions that the client abandoned are cancelled. A cancel that was refused or broke off counts, " +
			"unless the client was asked who it is and did not say.", cleanUp},
		{"quiet-end", "No request, connection or file outlives the push.", quietEnd},
		{"progress-tells-truth", "A layer shown as pushed is pushed, a digest shown was taken, and shown bytes never exceed sent ones.", progressTruth},
		{"fired", "Every declared fault struck, unless it is optional.", nil},
		{"expected-traffic", "No request is outside the protocol.", expectedTraffic},
	}
}

// InvariantNames lists the standing invariants in the order of every report.
func InvariantNames() []string {
	var names []string
	for _, i := range invariants() {
		names = append(names, i.name)
	}
	return names
}

func knownInvariant(name string) bool { return slices.Contains(InvariantNames(), name) }

// judgeInvariants judges every push by every invariant. idle is what "fired"
// found: a finding for each fault that never struck.
func judgeInvariants(s *Scenario, pushes []*seenPush, idle []finding) ([]report.Invariant, []report.Failure) {
	var verdicts []report.Invariant
	var failures []report.Failure
	waive := s.Expect.Waive
	for _, inv := range invariants() {
		v := report.Invariant{Name: inv.name, Holds: true}
		found := idle
		owner := make([]*seenPush, len(idle))
		if inv.test != nil {
			if !slices.ContainsFunc(pushes, func(p *seenPush) bool { return p.sees(inv.name) }) {
				continue // nobody could tell
			}
			found, owner = nil, nil
			for _, p := range pushes {
				own := inv.test(p)
				if !slices.ContainsFunc(own, func(f finding) bool { return f.broken != "" }) {
					own = append(own, p.outgrown(inv.name)...)
				}
				for _, f := range own {
					found, owner = append(found, f), append(owner, p)
				}
			}
		}
		for i, f := range found {
			failures = append(failures, weigh(s, inv.name, f, owner[i], waive, &v)...)
		}
		if reason, waived := waive[inv.name]; waived && v.Holds {
			failures = append(failures, invariantFailure(s, inv.name, nil,
				finding{broken: "it holds, although it is waived: " + reason, at: "expect.waive." + inv.name}))
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, failures
}

// weigh adds one finding to a verdict and returns the failure that it is, if any.
func weigh(s *Scenario, name string, f finding, p *seenPush, waive map[string]string, v *report.Invariant) []report.Failure {
	known := deviation(p, name, f.rules)
	if reason := p.forgiven(name); reason != "" && f.broken != "" && waive[name] == "" {
		v.Holds, v.Waived, v.Detail = false, p.foreign.name+": "+reason, f.broken
		return nil
	}
	switch reason, waived := waive[name]; {
	case f.outgrown != "" && !waived:
		f.broken = f.outgrown
	case f.broken == "" && known != nil:
		f.broken = p.era.Name + " is known to break this (" + known.Rule + ": " + known.Because + ") and did not: the era or its list is wrong"
	case f.broken == "":
		if v.Detail == "" {
			v.Detail = f.note
		}
		return nil
	case waived:
		v.Holds, v.Waived, v.Detail = false, reason, f.broken
		return nil
	case known != nil:
		v.Holds, v.Waived, v.Detail = false, known.Rule+": "+known.Because, f.broken
		return nil
	}
	v.Holds, v.Waived, v.Detail = false, "", f.broken
	return []report.Failure{invariantFailure(s, name, p, f)}
}

// deviation finds what an era is known to break in a situation.
func deviation(p *seenPush, name string, rules []string) *pusher.Deviation {
	if p == nil {
		return nil
	}
	for i, d := range p.era.Known {
		if d.Invariant == name && slices.Contains(rules, d.Rule) {
			return &p.era.Known[i]
		}
	}
	return nil
}

func invariantFailure(s *Scenario, name string, p *seenPush, f finding) report.Failure {
	part := f.at
	if part == "" && p != nil {
		part = partIndex("steps", p.step)
	}
	at := partPosition(s, part)
	return report.Failure{
		Name: "invariant " + name, Message: f.broken, Position: at, Source: lineOf(s, at.Line), After: f.seq,
	}
}
