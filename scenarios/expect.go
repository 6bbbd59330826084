package scenarios

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
)

// A judge compares what was seen of one push with what was expected.
type judge struct {
	s        *Scenario
	p        *seenPush
	m        matcher
	failures []report.Failure
}

// judgeExpect returns every expectation of a push that did not hold.
func judgeExpect(s *Scenario, p *seenPush) []report.Failure {
	j := &judge{s: s, p: p, m: matcher{contents: p.contents, hosts: p.registry}}
	j.outcome()
	j.wire()
	j.registry()
	j.progress()
	j.cache()
	return j.failures
}

// fail notes what did not hold. part goes on after "expect.".
func (j *judge) fail(part, note, format string, args ...any) *report.Failure {
	name := j.p.part + "." + part
	at := partPosition(j.s, name)
	j.failures = append(j.failures, report.Failure{
		Name: name, Message: fmt.Sprintf(format, args...), Note: note, Position: at, Source: lineOf(j.s, at.Line),
	})
	return &j.failures[len(j.failures)-1]
}

func (j *judge) outcome() {
	x := j.p.expect
	j.result(x)
	if x.Error != "" && !errorMatches(x.Error, j.p) {
		if j.p.succeeded() {
			j.fail("error", "there was none", "the push succeeded; %s was expected", x.Error)
		} else {
			j.fail("error", "not this", "the error was %q", j.p.ending())
		}
	}
	if x.Exit != nil {
		code := 1
		switch {
		case j.p.foreign != nil:
			code = j.p.foreign.exit
		case j.p.succeeded():
			code = 0
		}
		if code != *x.Exit {
			j.fail("exit", "", "the client ended with %d, not %d", code, *x.Exit)
		}
	}
	if x.Via != "" && x.Via != fmt.Sprintf("v%d", j.p.via) {
		got := "no protocol took it"
		if j.p.via != 0 {
			got = fmt.Sprintf("it went over v%d", j.p.via)
		}
		j.fail("via", got, "the push did not go over %s", x.Via)
	}
	if took := j.p.end - j.p.start; x.Within > 0 && took > x.Within {
		j.fail("within", "", "the push took %s of its own time, more than %s", took, x.Within)
	}
}

func (j *judge) result(x Expect) {
	want := x.Result
	if want == "" {
		want = ResultPushed
	}
	got := ResultFailed
	switch {
	case j.p.cancelled:
		got = ResultCancelled
	case j.p.succeeded():
		got = ResultPushed
	}
	switch {
	case j.p.hung:
		j.fail("result", "it hung", "the push did not end within the time limit of %s (of the scenario's own time)", j.p.limit(j.s))
	case want == ResultTruthful || want == got:
	case got == ResultFailed:
		j.fail("result", "it failed", "the push failed: %s", j.p.ending())
	default:
		j.fail("result", "it "+pastOf(got), "the push %s; %s was expected", pastOf(got), want)
	}
}

func pastOf(result string) string {
	if result == ResultPushed {
		return "succeeded"
	}
	return "was " + result
}

// errorMatches compares an expected error with what the client said: a code of
// the registry API as docker words it (P-251), or a part of the text.
func errorMatches(want string, p *seenPush) bool {
	if p.err == nil {
		return false
	}
	text := p.err.Error()
	if strings.Contains(text, want) {
		return true
	}
	if p.foreign != nil {
		return p.foreign.says(want)
	}
	if want != strings.ToUpper(want) || strings.ContainsAny(want, " :\"") {
		return false
	}
	words := strings.ReplaceAll(strings.ToLower(want), "_", " ")
	for line := range strings.Lines(text) { // several errors come as a line each
		if strings.HasPrefix(line, words+":") || strings.TrimSpace(line) == words || strings.Contains(line, ": "+words+":") {
			return true
		}
	}
	return false
}

// wire judges the four parts about exchanges.
func (j *judge) wire() {
	x := j.p.expect
	if x.Wire != nil {
		if m := j.m.ordered(x.Wire, j.p.trace, "wire"); m != nil {
			j.missed(m)
		}
	}
	if x.Exactly != nil {
		if m := j.m.exactly(x.Exactly, requests(j.p.trace), "wire-exactly"); m != nil {
			j.missed(m)
		}
	}
	for i, never := range x.Never {
		for k := range j.p.trace {
			e := j.p.trace[k]
			if ok, _, _ := j.m.match(never, e, nil); ok {
				f := j.fail(partIndex("never", i), "this happened", "%s happened in exchange #%d", label(e), e.Seq)
				f.After = e.Seq
				break
			}
		}
	}
	for _, c := range x.Count {
		j.count(c)
	}
}

// requests leaves out what the bench did itself.
func requests(trace []seen) []seen {
	var list []seen
	for _, e := range trace {
		if e.Route.Op != "event" {
			list = append(list, e)
		}
	}
	return list
}

func (j *judge) count(c Count) {
	n, last := 0, 0
	for _, e := range j.p.trace {
		if ok, _, _ := j.m.match(c.Event, e, nil); ok {
			n++
			last = e.Seq
		}
	}
	if !in(int64(n), c.Times) {
		name := c.Event.Op.String()
		f := j.fail("count."+name, fmt.Sprintf("seen %d×", n), "%s happened %s, not %s", name, times(n), formatRange(c.Times, plain))
		f.After = last
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// missed reports where a list of events stopped matching.
func (j *judge) missed(m *miss) {
	message, note := "", "the push ended instead"
	switch {
	case m.reason != "":
		message, note = m.reason, ""
	case m.last != nil:
		message = fmt.Sprintf("%s after %s did not happen", describeAnswer(m.event), lastWords(*m.last))
	default:
		message = describeAnswer(m.event) + " did not happen"
	}
	if m.near == nil && m.reason == "" { // it did not happen with any answer
		message = strings.Replace(message, describeAnswer(m.event), describe(m.event), 1)
	}
	if m.near != nil && m.why != "" {
		note = fmt.Sprintf("%s in #%d %s", label(*m.near), m.near.Seq, m.why)
	}
	f := j.fail(m.part, note, "%s", message)
	f.Expected = describeAnswer(m.event)
	if m.after != nil {
		f.After = m.after.Seq
	}
}

// lastWords is what was matched last, with its answer: "upload.put@401".
func lastWords(x Event) string {
	if x.Op.Answer != "" {
		return describe(x) + "@" + x.Op.Answer
	}
	return describe(x)
}

func (j *judge) cache() {
	for _, layer := range sortedKeys(j.p.expect.Cache) {
		want, got := j.p.expect.Cache[layer], j.p.cache[layer]
		l, _ := j.p.contents.layer(layer)
		switch {
		case want == "known" && got == string(l.digest), want == "absent" && got == "", want == got && got != "":
		case got == "":
			j.fail("cache."+layer, "no entry", "the digest cache has no entry for %s", layer)
		case want == "known":
			j.fail("cache."+layer, "another digest", "the digest cache has %s for %s, whose digest is %s", short(got), layer, short(string(l.digest)))
		default:
			j.fail("cache."+layer, "it is there", "the digest cache has %q for %s", short(got), layer)
		}
	}
}
