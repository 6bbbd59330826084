package scenarios

import (
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// ref points at a definition of the schema.
func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + defName(name)} }

// defName is a block's name as a reference may have it.
func defName(block string) string { return strings.ReplaceAll(block, " ", "-") }

// either is a schema that takes what one of several takes.
func either(list ...any) map[string]any { return map[string]any{"anyOf": list} }

func listOf(item map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": item}
}

func matching(pattern string) map[string]any {
	return map[string]any{"type": "string", "pattern": pattern}
}

// scalar is a schema of one value, in whose place a value of the matrix or an
// environment variable may stand.
func scalar(s ...any) map[string]any { return either(append(s, ref("variable"))...) }

// The shapes of values.

func textShape() shape { return shape{"a text", ref("text")} }

func textsShape() shape {
	return shape{"a text or a list of texts", either(ref("text"), listOf(ref("text")))}
}

func textMapShape(what string) shape {
	return shape{what, map[string]any{"type": "object", "additionalProperties": ref("text")}}
}

func boolShape() shape {
	return shape{"true or false", scalar(map[string]any{"type": "boolean"})}
}

func wholeShape(low, high int64) shape {
	n := map[string]any{"type": "integer", "minimum": low}
	if high > 0 {
		n["maximum"] = high
	}
	return shape{"a whole number", scalar(n, matching("^[0-9]+$"))}
}

func sizeShape() shape {
	return shape{"a size such as 4096, 64KiB or 1.5MB", scalar(map[string]any{"type": "integer", "minimum": 0}, matching(sizePattern("")))}
}

func timeShape() shape {
	return shape{"a time such as 500ms, 5s or 1m30s", scalar(matching(timePattern))}
}

const timePattern = `^ *(∞|infinite|0|([0-9]+([.][0-9]*)? *(ns|us|µs|μs|ms|s|m|h) *)+)$`

// sizePattern is a size and what follows it.
func sizePattern(end string) string {
	var suffixes []string
	for _, u := range units {
		suffixes = append(suffixes, u.name)
	}
	return "^ *[0-9]+([.][0-9]+)?(e[0-9]+)? *(" + strings.Join(suffixes, "|") + ")?" + end + " *$"
}

func rangeShape(q quantity) shape {
	return shape{q.example(), either(map[string]any{"type": "number", "minimum": 0}, matching(`^ *((<=?|>=?) *)?[0-9].*$`), ref("variable"))}
}

func oneOfShape(words ...string) shape {
	return shape{strings.Join(words, ", "), scalar(map[string]any{"enum": words})}
}

func opShape() shape {
	return shape{"an operation, with or without an answer: upload.put@201", ref("operation")}
}

func blockShape(text, name string) shape { return shape{text, either(ref(name), ref("variable"))} }

func blocksShape(text, name string) shape {
	return shape{text, either(listOf(either(ref(name), ref("variable"))), ref("variable"))}
}

// operationSchema takes what ParsePattern takes.
func operationSchema() map[string]any {
	var ops []string
	for _, op := range wire.Ops() {
		ops = append(ops, strings.ReplaceAll(string(op), ".", "[.]"))
	}
	answers := "[1-5]([0-9][0-9]|xx)|" + strings.Join(wire.FailureNames(), "|")
	named := append([]any{"any"}, anys(operationNames()[1:])...)
	return either(
		map[string]any{"enum": named},
		matching("^(any|"+strings.Join(ops, "|")+`|[a-z0-9.-]*[*?\[][^@]*)(@(`+answers+"))?$"),
		ref("variable"),
	)
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
