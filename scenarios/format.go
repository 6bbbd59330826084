package scenarios

import "slices"

// A formatBlock is one map of the file format in the documentation: what its keys
// mean and which values they take. The decoder's own tables say which keys there
// are; a test holds that each of them has its sentence here.
type formatBlock struct {
	name string // as the decoder's messages have it: "registry"
	at   string // where such a map stands: "registry", "steps[…].delete"
	keys []formatKey
}

// A formatKey is one key of a block.
type formatKey struct {
	name  string
	shape shape
	doc   string // one sentence
}

// A shape is which values a key takes.
type shape struct {
	text   string // for people: "a size such as 64KiB"
	schema map[string]any
}

// decoderBlocks are the keys of every block as the decoder has them, by the block's
// name: it reads a scenario in which each of them stands, and its tables are noted.
func decoderBlocks() map[string][]string {
	blocks := map[string][]string{}
	src := "scenario: x\nregistry: {}\nimage: {}\nclient: {}\npush: a/b\nexpect: {wire: [{each: layers, wire: []}, {any-order: []}, {ping: {}}], registry: {schema1: {}}}\n" +
		"steps: [{delete: {}}]\nprobe: [{expect: {}}]\nknown: {x: {}}\nfaults: [{delay: {}}]\n"
	root := parse([]byte(src), func(span, string) {})
	d := &decoder{positions: map[string]Position{}, saw: func(what, part string, fields []field) {
		switch {
		case what == "registry" && part == "expect.registry":
			what = part
		case what == "event ping":
			what = "event"
		}
		blocks[what] = names(fields)
	}}
	d.block(root, "scenario", "", d.scenarioFields(&Scenario{}, func(n *node) { d.clients(n) }))
	blocks["fault"] = names(d.triggers(&Fault{}))
	return blocks
}

// documentedBlocks are the blocks of the format in the order of the page, each with
// the keys that the decoder has. One without a sentence takes anything.
func documentedBlocks() []formatBlock {
	known := decoderBlocks()
	list := formatBlocks()
	for i, b := range list {
		var keys []formatKey
		for _, name := range known[b.name] {
			j := slices.IndexFunc(b.keys, func(k formatKey) bool { return k.name == name })
			if j < 0 {
				keys = append(keys, formatKey{name: name, shape: shape{"", map[string]any{}}})
				continue
			}
			keys = append(keys, b.keys[j])
		}
		list[i].keys = keys
	}
	return list
}

// keysNamed finds a key of the format in every block that has it.
func keysNamed(name string) []Row {
	var rows []Row
	for _, b := range documentedBlocks() {
		for _, k := range b.keys {
			if k.name == name {
				rows = append(rows, Row{Name: b.at, Type: k.shape.text, Doc: k.doc})
			}
		}
	}
	return rows
}

// explainKey explains a key of the file format.
func explainKey(name string) (Explanation, bool) {
	rows := keysNamed(name)
	if len(rows) == 0 {
		return Explanation{}, false
	}
	e := Explanation{Name: name, What: "key", Doc: rows[0].Doc, Files: keyedBy(name)}
	if len(rows) > 1 {
		e.Doc = "A key of the scenario format that means something of its own in each place."
	} else {
		rows[0].Doc = "" // it is said already
	}
	e.Rows = rows
	return e, true
}

// formatKeyNames are the keys of the format, each once, for completion.
func formatKeyNames() []string {
	var list []string
	for _, b := range documentedBlocks() {
		for _, k := range b.keys {
			list = append(list, k.name)
		}
	}
	return list
}

// explainQuirk explains a quirk of our own V2.
func explainQuirk(name string) (Explanation, bool) {
	for _, q := range quirkList() {
		if q.Name == name {
			return Explanation{Name: name, What: "quirk", Doc: q.Doc, Rows: []Row{{Name: "of", Doc: q.Registry}}, Files: usedBy(name)}, true
		}
	}
	return Explanation{}, false
}
