package scenarios

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios/library"
)

// An Explanation is what there is to say about a name.
type Explanation struct {
	Name  string
	What  string   // "fault", "key", "parameter", "quirk", "oddity", "operation", "invariant", "outcome", "error code", "exit code", "era", "client", "pattern", "scenario"
	Doc   string   // sentences
	Rows  []Row    // parameters, rules, cases
	Files []string // IDs of built-in scenario files that use it
}

// A Row is one line of an Explanation's table.
type Row struct{ Name, Type, Default, Doc string }

// Explain says what a fault, operation, invariant, outcome, error code, exit
// code, era, client, key of the file format, parameter of a fault, quirk, oddity or built-in scenario is, and
// which operations a pattern matches. A name that means several things has several
// explanations.
//
// Errors: *NotFoundError with near names; an error of reading.
func Explain(name string) ([]Explanation, error) {
	var found []Explanation
	for _, explain := range []func(string) (Explanation, bool){
		explainFault, explainOp, explainInvariant, explainTable(outcomeDocs, "outcome"), explainTable(codeDocs, "error code"),
		explainTable(exitDocs, "exit code"), explainEra, explainClient, explainKey, explainParam, explainQuirk, explainOddity, explainGlob,
	} {
		if e, ok := explain(name); ok {
			found = append(found, e)
		}
	}
	scenario, err := explainScenario(name)
	if err != nil {
		return nil, err
	}
	found = append(found, scenario...)
	if len(found) == 0 {
		return nil, &NotFoundError{Name: name, Near: near(name, Explainable())}
	}
	return found, nil
}

// Explainable lists every name that Explain knows, for completion.
func Explainable() []string {
	list := append(faultNames(), anyOf)
	for _, op := range wire.Ops() {
		list = append(list, string(op))
	}
	list = append(list, InvariantNames()...)
	list = append(list, formatKeyNames()...)
	for _, q := range quirkList() {
		list = append(list, q.Name)
	}
	list = append(list, OddityNames()...)
	for _, table := range [][]docRow{outcomeDocs, codeDocs, exitDocs} {
		for _, row := range table {
			list = append(list, row.name)
		}
	}
	list = append(list, allEras()...)
	list = append(list, adapters...)
	list = append(append(list, "any"), paramNames()...)
	for _, p := range builtinPaths() {
		list = append(list, idOf(p))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func explainFault(name string) (Explanation, bool) {
	if name == anyOf {
		return Explanation{Name: name, What: "fault", Doc: "One of a list of faults each time, drawn from the run's seed.", Files: usedBy(name), Rows: []Row{
			{Name: anyOf, Type: "a list of faults", Doc: "the faults that are drawn from, with their defaults"},
			{Name: "at", Doc: "where it strikes, as after a fault's name"},
			{Name: "and", Doc: strings.Join(triggerKeys, ", ")},
		}}, true
	}
	kind, ok := fakeregistry.KindOf(name)
	if !ok {
		return Explanation{}, false
	}
	e := Explanation{Name: name, What: "fault", Doc: kind.Doc, Files: usedBy(name)}
	e.Rows = append(e.Rows, Row{Name: "strikes at", Doc: strings.Join(kind.Where, ", ") + " (layer " + kind.Layer + ", seam " + kind.Seam.String() + ")"})
	for _, p := range kind.Params {
		e.Rows = append(e.Rows, paramRow(p))
	}
	e.Rows = append(e.Rows, Row{Name: "and", Doc: strings.Join(triggerKeys, ", ")})
	return e, true
}

// formatDefault is what a parameter is unless it is given, as a file may say it; ""
// for none.
func formatDefault(p fakeregistry.Param) string {
	switch v := p.Default.(type) {
	case nil:
		return ""
	case int64:
		if p.Type == fakeregistry.ParamSize {
			return formatSize(v)
		}
		if p.Type == fakeregistry.ParamRate {
			return formatSize(v) + "/s"
		}
		return strconv.FormatInt(v, 10)
	case time.Duration:
		if v < 0 {
			return "∞"
		}
		return v.String()
	case []string:
		return strings.Join(v, ", ")
	case string:
		return v
	}
	return fmt.Sprint(p.Default)
}

func explainOp(name string) (Explanation, bool) {
	i := slices.IndexFunc(opDocs, func(r docRow) bool { return r.name == name })
	if i < 0 {
		return Explanation{}, false
	}
	e := Explanation{Name: name, What: "operation", Doc: opDocs[i].doc, Files: usedBy(name)}
	for _, k := range fakeregistry.Kinds() {
		for _, p := range k.Places() {
			if p.Op != "any" && p.MatchOp(wire.Op(name)) {
				e.Rows = append(e.Rows, Row{Name: k.Name, Type: "fault", Doc: k.Doc})
				break
			}
		}
	}
	return e, true
}

func explainInvariant(name string) (Explanation, bool) {
	for _, inv := range invariants() {
		if inv.name != name {
			continue
		}
		e := Explanation{Name: name, What: "invariant", Doc: inv.doc, Files: usedBy(name)}
		for _, era := range pusher.Eras() {
			for _, d := range era.Known {
				if d.Invariant == name {
					e.Rows = append(e.Rows, Row{Name: era.Name, Type: d.Rule, Doc: "known: " + d.Because})
				}
			}
		}
		return e, true
	}
	return Explanation{}, false
}

func explainEra(name string) (Explanation, bool) {
	era, built := eraOf(name)
	if !built {
		return Explanation{Name: name, What: "era", Doc: "A pusher that is not in this version: scenarios that name it are skipped."}, slices.Contains(eraNames, name)
	}
	e := Explanation{Name: name, What: "era", Doc: EraSentence(era), Files: usedBy(name), Rows: eraRows(era)}
	for _, d := range era.Known {
		e.Rows = append(e.Rows, Row{Name: d.Invariant, Type: d.Rule, Doc: "known: " + d.Because})
	}
	return e, true
}

func explainTable(table []docRow, what string) func(string) (Explanation, bool) {
	return func(name string) (Explanation, bool) {
		for _, row := range table {
			if row.name == name {
				e := Explanation{Name: name, What: what, Doc: row.doc}
				if what == "error code" { // a word such as warn stands for much else
					e.Files = usedBy(name)
				}
				return e, true
			}
		}
		return Explanation{}, false
	}
}

// explainScenario explains a built-in file by its ID, or a case of it.
func explainScenario(name string) ([]Explanation, error) {
	var found []Explanation
	for _, p := range builtinPaths() {
		id := idOf(p)
		if id != name && !strings.HasPrefix(name, id+"/") && !strings.HasPrefix(name, id+"@") {
			continue
		}
		list, err := Load(nil, name)
		if err != nil {
			return nil, err
		}
		e := Explanation{Name: name, What: "scenario", Doc: list[0].Title}
		for _, s := range list {
			doc := SkipReason(s)
			if doc != "" {
				doc = "skipped: " + doc
			}
			e.Rows = append(e.Rows, Row{Name: s.ID, Type: ClientName(s.Client), Doc: doc})
		}
		found = append(found, e)
	}
	return found, nil
}

// keyedBy lists the built-in files in which a name stands as a key.
func keyedBy(name string) []string { return filesWith(name, ':') }

// usedBy lists the built-in files in which a name stands as a word.
func usedBy(name string) []string { return filesWith(name, 0) }

// filesWith lists the built-in files in which a name stands as a word, with a
// character after it; 0 is any.
func filesWith(name string, after byte) []string {
	if _, err := strconv.Atoi(name); err == nil {
		return nil
	}
	var list []string
	for _, p := range builtinPaths() {
		if hasWord(builtinTexts()[p], name, after) {
			list = append(list, idOf(p))
		}
	}
	return list
}

// builtinTexts are the built-in files, by their paths, read once.
var builtinTexts = sync.OnceValue(func() map[string]string {
	texts := map[string]string{}
	for _, p := range builtinPaths() {
		text, _ := fs.ReadFile(library.Files, p) // embedded: it is there
		texts[p] = string(text)
	}
	return texts
})

func hasWord(text, word string, after byte) bool {
	letter := func(b byte) bool {
		return b == '-' || b == '.' || b == '_' || (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z')
	}
	for i := 0; ; {
		j := strings.Index(text[i:], word)
		if j < 0 {
			return false
		}
		start, end := i+j, i+j+len(word)
		if (start == 0 || !letter(text[start-1])) && (end == len(text) || !letter(text[end])) && (after == 0 || end < len(text) && text[end] == after) {
			return true
		}
		i = end
	}
}

// A docRow is one entry of a table of documentation.
type docRow struct{ name, doc string }

var outcomeDocs = []docRow{
	{report.Pass.String(), "Everything that was expected was seen, and every standing invariant held."},
	{report.Warn.String(), "Passed, with something that a person should look at."},
	{report.Known.String(), "Failed as the file's known list says it does, with a reason. It does not fail the run; passing would."},
	{report.Skipped.String(), "Not run: something that it needs is not there. The reason is shown."},
	{report.Fail.String(), "Something that was expected was not seen, an invariant broke, a fault never struck, or a known failure passed."},
	{report.Broken.String(), "It could not be found out: no port, no disk, a run that did not end. It says nothing about the client."},
}

var exitDocs = []docRow{
	{strconv.Itoa(ExitOK), "Everything chosen passed, was skipped with a reason, or failed as listed in known."},
	{strconv.Itoa(ExitFailed), "At least one scenario failed, or a known failure passed. It wins over 3."},
	{strconv.Itoa(ExitUsage), "Wrong usage, or a scenario file that is wrong; nothing was run."},
	{strconv.Itoa(ExitBroken), "The bench or its environment failed."},
	{strconv.Itoa(ExitNothing), "Nothing matched the selection, so that a renamed file cannot turn CI green."},
	{strconv.Itoa(ExitInterrupted), "Interrupted; reports of what finished are written."},
}
