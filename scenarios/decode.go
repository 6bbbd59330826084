package scenarios

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Decode reads one scenario file and returns what it asks for: a Scenario for
// each case, each combination of its matrix and each client. name is shown in
// messages and makes the ID. Nothing is run and nothing else is read.
//
// Errors: *Errors with every problem of the file.
func Decode(name string, src []byte) ([]*Scenario, error) {
	return decodeFile(file{name: name, id: idOf(name)}, src)
}

// A file is where scenarios come from.
type file struct {
	name    string // shown in messages
	id      string
	find    string // what Load finds it by; "" is id
	env     func(string) (string, bool)
	clients []string // adapters beside those that the format knows
}

// idOf makes an ID of a path: what lies above it and ".yaml" are cut off.
func idOf(path string) string {
	id := strings.ReplaceAll(path, `\`, "/")
	for {
		rest, ok := strings.CutPrefix(id, "../")
		if !ok {
			rest, ok = strings.CutPrefix(id, "./")
		}
		if !ok {
			rest, ok = strings.CutPrefix(id, "/")
		}
		if !ok {
			break
		}
		id = rest
	}
	return strings.TrimSuffix(strings.TrimSuffix(id, ".yaml"), ".yml")
}

func decodeFile(f file, src []byte) ([]*Scenario, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // some editors begin a file with a byte order mark
	base := &decoder{file: f.name, lines: strings.Split(string(src), "\n"), env: f.env, positions: map[string]Position{}}
	root := parse(src, func(at span, message string) { base.fail(at, "", "%s", message) })
	if root == nil {
		return nil, &Errors{sortProblems(base.problems)}
	}
	if root.kind != nodeMap {
		base.fail(root.at, "", `the file is %s; a scenario is a map that begins with "scenario:" and a sentence`, nodeText[root.kind])
		return nil, &Errors{sortProblems(base.problems)}
	}
	variations := base.variations(root)
	var list []*Scenario
	problems := base.problems
	for _, v := range variations {
		d := &decoder{file: f.name, lines: base.lines, env: f.env, positions: map[string]Position{}, clientNames: f.clients}
		made := d.scenario(v, f)
		for _, s := range made {
			if !v.partial {
				d.problems = append(d.problems, check(s)...)
				list = append(list, s)
			}
		}
		problems = append(problems, d.problems...)
	}
	if len(problems) > 0 {
		return nil, &Errors{sortProblems(problems)}
	}
	return list, nil
}

// scenario decodes one variation: a Scenario for each of its clients.
func (d *decoder) scenario(v variation, f file) []*Scenario {
	s := &Scenario{}
	var clients []Client
	named := false
	d.block(v.root, "scenario", "", d.scenarioFields(s, func(n *node) { clients, named = d.clients(n) }))
	misspelt := slices.ContainsFunc(d.problems, func(p Problem) bool { return strings.Contains(p.Message, "for scenario; did you mean") })
	if !v.partial && !misspelt { // a key that is misspelt is not also missing
		d.checkRequired(v.root, s)
	}
	s.Position, s.Positions, s.Unset = d.positions["scenario"], d.positions, d.unset
	s.Lines = d.lines
	if clients == nil {
		clients = []Client{{}}
	}
	var list []*Scenario
	for _, c := range clients {
		one := *s
		one.Client, one.CaseClient = c, v.client
		suffix := v.suffix
		if named {
			suffix += "@" + ClientName(c)
		}
		one.ID = f.id + suffix
		one.Name = f.find + suffix
		if f.find == "" {
			one.Name = one.ID
		}
		list = append(list, &one)
	}
	return list
}

// scenarioFields is the table of a file's keys. cases and matrix are taken out
// before; they are here to be named.
func (d *decoder) scenarioFields(s *Scenario, client func(*node)) []field {
	done := func(*node) {}
	push := func(n *node) {
		if ref := d.sentence(n, "push"); ref != "" {
			d.mark(partIndex("steps", 0), n.at)
			s.Steps = []Step{{Verb: VerbPush, Push: ref}}
		}
	}
	return []field{
		{"scenario", func(n *node) { s.Title = d.sentence(n, "scenario") }},
		{"registry", func(n *node) { s.Registries = d.registries(n) }},
		{"image", func(n *node) { s.Image = d.image(n) }},
		{"client", client},
		{"push", push},
		{"steps", func(n *node) { s.Steps = d.steps(n) }},
		{"faults", func(n *node) { s.Faults = d.faults(n, "faults") }},
		{"expect", func(n *node) { s.Expect = d.expect(n, "expect") }},
		{"probe", func(n *node) { s.Probes = d.probes(n) }},
		{"cases", done},
		{"matrix", done},
		{"runs", func(n *node) { s.Runs = d.positive(n, "runs") }},
		{"seed", func(n *node) { s.Seed = d.seed(n) }},
		{"tests", func(n *node) { s.Tests = d.oneOf(n, "tests", "client", "registry") }},
		{"level", func(n *node) { s.Level = d.oneOf(n, "level", "must", "should", "may") }},
		{"spec", func(n *node) { s.Spec = d.sentence(n, "spec") }},
		{"known", func(n *node) { s.Known = d.known(n) }},
		{"see", func(n *node) { s.See = d.texts(n, "see") }},
		{"labels", func(n *node) { s.Labels = d.texts(n, "labels") }},
		{"needs", func(n *node) { s.Needs = d.texts(n, "needs") }},
		{"timeout", func(n *node) { s.Timeout = d.duration(n, "timeout") }},
		{"cleanup", func(n *node) { s.Cleanup = d.boolean(n, "cleanup") }},
		{"format", func(n *node) {
			if v := d.integer(n, "format", 1, 1<<30); v > FormatVersion {
				d.fail(n.at, "", "format %d is newer than this version, which reads format 1", v)
			}
		}},
	}
}

func (d *decoder) checkRequired(root *node, s *Scenario) {
	has := func(key string) bool {
		return slices.ContainsFunc(root.entries, func(e entry) bool { return e.key == key })
	}
	if !has("scenario") {
		d.fail(root.at, "", `there is no "scenario:", the sentence that is true when it passes`)
	}
	switch {
	case has("push") && has("steps"):
		d.fail(root.at, "", "there are both push and steps; put the push into the steps")
	case !has("push") && !has("steps"):
		d.fail(root.at, "", `nothing happens: there is neither "push:" nor "steps:"`)
	case s.Steps != nil && lastPush(s) < 0:
		d.fail(root.at, "", "no step pushes")
	}
}

// caseKeys are the keys that a case may replace.
func (d *decoder) caseKeys() []string {
	var keys []string
	for _, f := range d.scenarioFields(&Scenario{}, nil) {
		if f.name != "format" && f.name != "cases" && f.name != "matrix" {
			keys = append(keys, f.name)
		}
	}
	return keys
}

// partIndex names a member of a list in messages and positions, counted from 1 as
// people count.
func partIndex(part string, i int) string { return fmt.Sprintf("%s[%d]", part, i+1) }
