package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Schema is the JSON Schema (2020-12) of the scenario format, for editors: made of
// the decoder's tables and the catalogue of faults, indented, with a line end.
// Decode is stricter, and its messages are better.
func Schema() []byte {
	defs := map[string]any{
		"variable":  matching(`\$\{`),
		"text":      map[string]any{"type": []string{"string", "number", "boolean"}},
		"operation": operationSchema(),
	}
	blocks := map[string]map[string]any{}
	for _, b := range documentedBlocks() {
		blocks[b.name] = blockSchema(b)
		defs[defName(b.name)] = blocks[b.name]
	}
	top := blocks["scenario"]
	delete(defs, "scenario")
	defs["case"] = caseSchema(top)
	widen(defs)
	defs["fault"] = faultSchema()
	defs["triggers"] = map[string]any{"properties": blocks["fault"]["properties"]}
	defs["event"] = eventSchema(blocks["event"])
	whole := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://pushcheck.github.io/schema/scenario.json",
		"title": "pushcheck scenario, format 1", "$defs": defs,
		"required": []string{"scenario"},
	}
	maps.Copy(whole, top)
	out, err := json.MarshalIndent(whole, "", "  ")
	if err != nil { // nothing in it cannot be written
		panic(fmt.Sprintf("schema: %v", err))
	}
	return append(out, '\n')
}

func properties(keys []formatKey) map[string]any {
	m := map[string]any{}
	for _, k := range keys {
		one := map[string]any{}
		maps.Copy(one, k.shape.schema)
		one["description"] = k.doc
		m[k.name] = one
	}
	return m
}

func blockSchema(b formatBlock) map[string]any {
	return map[string]any{"type": "object", "properties": properties(b.keys), "additionalProperties": false}
}

// caseSchema is a case: the keys of a file that it may replace.
func caseSchema(top map[string]any) map[string]any {
	own := map[string]any{}
	all, _ := top["properties"].(map[string]any) //nolint:errcheck // blockSchema made it
	for _, name := range new(decoder).caseKeys() {
		own[name] = all[name]
	}
	return map[string]any{"type": "object", "properties": own, "additionalProperties": false}
}

// widen lets blocks be written short: a registry as its kind, an image as its file,
// a client as its name, a step as "restart".
func widen(defs map[string]any) {
	kinds := scalar(map[string]any{"enum": []string{KindV2, KindFake, KindV1, KindBoth}})
	defs["registry"] = either(kinds, defs["registry"])
	defs["image"] = either(map[string]any{"type": "string"}, defs["image"])
	names := slices.Concat(allEras(), adapters)
	defs["client"] = either(scalar(map[string]any{"enum": names}), defs["client"])
	defs["step"] = either(map[string]any{"const": VerbRestart}, defs["step"])
}

// eventSchema is one expected event: an operation, an operation with what is
// expected of it, or a group.
func eventSchema(fields map[string]any) map[string]any {
	return either(
		ref("operation"),
		ref("each"), ref("any-order"),
		map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": ref("operation"),
			"additionalProperties": either(ref("text"), fields),
		},
	)
}

// faultSchema is one fault: its name, or a map with it and what belongs to it.
func faultSchema() map[string]any {
	place := either(map[string]any{"type": "null"}, ref("operation"), listOf(ref("operation")), ref("where a fault strikes"))
	named, own, one := map[string]any{}, map[string]any{}, []any{}
	add := func(name, doc string, value map[string]any, beside map[string]any) {
		named[name] = map[string]any{"description": doc, "anyOf": []any{value}}
		own[name] = map[string]any{"properties": beside}
		one = append(one, map[string]any{"required": []string{name}})
	}
	add(anyOf, "One of these faults each time, drawn from the seed.", listOf(map[string]any{"enum": faultNames()}), map[string]any{"at": place})
	for _, k := range fakeregistry.Kinds() {
		beside := map[string]any{}
		for _, p := range k.Params {
			if !slices.Contains(triggerKeys, p.Name) {
				beside[p.Name] = map[string]any{"description": p.Doc, "anyOf": []any{paramShape(p).schema}}
			}
		}
		add(k.Name, k.Doc, place, beside)
	}
	return either(map[string]any{"enum": faultNames()}, map[string]any{
		"type": "object", "properties": named, "oneOf": one, "dependentSchemas": own,
		"allOf": []any{ref("triggers")}, "unevaluatedProperties": false,
	})
}

// paramShape is which values a fault's parameter takes.
func paramShape(p fakeregistry.Param) shape {
	s := paramTypeShape(p)
	if p.Type != fakeregistry.ParamEnum {
		s.text = p.Takes()
	}
	return s
}

func paramTypeShape(p fakeregistry.Param) shape {
	low, high := p.Bounds()
	switch p.Type {
	case fakeregistry.ParamInt:
		n := map[string]any{"type": "integer"}
		if low != math.MinInt64 {
			n["minimum"], n["maximum"] = low, high
		}
		return shape{schema: scalar(n, matching("^[+-]?[0-9]+$"))}
	case fakeregistry.ParamStatus:
		return wholeShape(low, high)
	case fakeregistry.ParamSize:
		n := map[string]any{"type": "integer", "minimum": low, "maximum": high}
		return shape{schema: scalar(n, matching(sizePattern("")))}
	case fakeregistry.ParamDuration:
		return timeShape()
	case fakeregistry.ParamRate:
		return shape{schema: scalar(matching(sizePattern("/s")))}
	case fakeregistry.ParamBool:
		return boolShape()
	case fakeregistry.ParamEnum:
		return oneOfShape(p.Values...)
	case fakeregistry.ParamStrings:
		if low > 0 {
			list := listOf(ref("text"))
			list["minItems"] = low
			return shape{schema: either(ref("text"), list)}
		}
		return textsShape()
	case fakeregistry.ParamDigests:
		return textsShape()
	case fakeregistry.ParamMap:
		return textMapShape("a map of texts")
	default:
		return textShape()
	}
}
