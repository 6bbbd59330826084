package scenarios

import (
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// explainClient explains an adapter that comes with the bench.
func explainClient(name string) (Explanation, bool) {
	if !slices.Contains(adapters, name) {
		return Explanation{}, false
	}
	for _, a := range BuiltinAdapters() {
		if a.Name == name {
			return Explanation{Name: name, What: "client", Doc: a.About, Rows: clientRows(a), Files: usedBy(name)}, true
		}
	}
	return Explanation{Name: name, What: "client", Doc: "A client without an adapter in this version: scenarios that name it are skipped."}, true
}

func clientRows(a Adapter) []Row {
	rows := []Row{
		{Name: "get", Type: "it with", Doc: a.Get},
		{Name: "can", Doc: strings.Join(a.Can, ", ")},
	}
	for _, argv := range a.Prepare {
		rows = append(rows, Row{Name: "before a push", Type: "runs", Doc: strings.Join(argv, " ")})
	}
	if a.Service != nil {
		rows = append(rows, Row{Name: "beside it", Type: "runs", Doc: strings.Join(a.Service.Run, " ")})
	}
	rows = append(rows, Row{Name: "a push", Type: "runs", Doc: strings.Join(a.Push, " ")})
	for _, w := range a.Errors {
		rows = append(rows, Row{Name: w.Code, Type: "reads as", Doc: w.Pattern})
	}
	for _, invariant := range InvariantNames() {
		h, ok := a.Known[invariant]
		if !ok {
			continue
		}
		doc := "known: " + h.Because
		if h.Faults != nil {
			doc += "; where " + strings.Join(h.Faults, ", ") + " struck"
		}
		for _, s := range h.Always {
			doc += "; always where " + s.Fault + " struck " + string(s.Op)
		}
		rows = append(rows, Row{Name: invariant, Doc: doc})
	}
	return rows
}

// explainGlob explains a pattern of operations by those that it matches.
func explainGlob(name string) (Explanation, bool) {
	if name != "any" && !strings.Contains(name, "*") {
		return Explanation{}, false
	}
	e := Explanation{Name: name, What: "pattern", Doc: "Stands for every operation that it matches."}
	if name == "any" {
		e.Doc = "Stands for every request."
		return e, true
	}
	for _, op := range opDocs {
		if (Pattern{Op: name}).MatchOp(wire.Op(op.name)) {
			e.Rows = append(e.Rows, Row{Name: op.name, Type: "operation", Doc: op.doc})
		}
	}
	return e, len(e.Rows) > 0
}
