package scenarios

import (
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// explainParam explains a parameter of faults, by what it is of each.
func explainParam(name string) (Explanation, bool) {
	e := Explanation{Name: name, What: "parameter", Doc: "A key beside a fault's name, of these faults."}
	for _, k := range fakeregistry.Kinds() {
		for _, p := range k.Params {
			if p.Name == name {
				row := paramRow(p)
				row.Name = k.Name
				e.Rows = append(e.Rows, row)
			}
		}
	}
	return e, len(e.Rows) > 0
}

// paramRow says what a parameter of a fault takes.
func paramRow(p fakeregistry.Param) Row {
	row := Row{Name: p.Name, Type: p.Takes(), Default: formatDefault(p), Doc: p.Doc}
	if len(p.Values) > 0 && p.Type == fakeregistry.ParamEnum {
		row.Type = strings.Join(p.Values, ", ")
	}
	return row
}

// paramNames are the parameters of all faults.
func paramNames() []string {
	var list []string
	for _, k := range fakeregistry.Kinds() {
		for _, p := range k.Params {
			list = append(list, p.Name)
		}
	}
	return list
}
