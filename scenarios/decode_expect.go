package scenarios

import (
	"strings"
)

// expect reads what must be seen of one push.
func (d *decoder) expect(n *node, part string) Expect {
	var x Expect
	d.block(n, "expect", part, []field{
		{"result", func(v *node) {
			x.Result = d.oneOf(v, "result", ResultPushed, ResultFailed, ResultCancelled, ResultTruthful)
		}},
		{"error", func(v *node) { x.Error = d.sentence(v, "error") }},
		{"exit", func(v *node) { code := int(d.integer(v, "exit", 0, 255)); x.Exit = &code }},
		{"via", func(v *node) { x.Via = d.oneOf(v, "via", "v1", "v2") }},
		{"within", func(v *node) { x.Within = d.duration(v, "within") }},
		{"wire", func(v *node) { x.Wire = d.events(v, part+".wire") }},
		{"wire-exactly", func(v *node) { x.Exactly = d.events(v, part+".wire-exactly") }},
		{"never", func(v *node) { x.Never = d.events(v, part+".never") }},
		{"count", func(v *node) { x.Count = d.counts(v, part+".count") }},
		{"registry", func(v *node) { x.Registry = d.state(v, part+".registry") }},
		{"progress", func(v *node) { x.Progress = d.progress(v, part+".progress") }},
		{"cache", func(v *node) { x.Cache = d.contentMap(v, "cache", part+".cache") }},
		{"waive", func(v *node) { x.Waive = d.waive(v, part+".waive") }},
	})
	return x
}

// tagStates are the words for what a tag names in the end.
var tagStates = []string{"pushed", "absent", "unchanged", "schema1", "schema2", "oci", "list", "index", "broken"}

// state reads what the registry must hold.
func (d *decoder) state(n *node, part string) *State {
	s := &State{}
	d.block(n, "registry", part, []field{
		{"tags", func(v *node) {
			s.Tags = d.stateMap(v, "tags", part+".tags", tagStates...)
		}},
		{"blobs", func(v *node) { s.Blobs = d.stateMap(v, "blobs", part+".blobs", "intact", "present", "absent") }},
		{"uploads", func(v *node) { s.Uploads = d.rangeOf(v, "uploads", plain) }},
		{"referrers", func(v *node) { s.Referrers = d.rangeOf(v, "referrers", plain) }},
		{"schema1", func(v *node) { s.Schema1 = d.schema1State(v, part+".schema1") }},
		{"v1", func(v *node) { s.V1 = d.stateMap(v, "v1", part+".v1", "complete", "incomplete", "absent") }},
	})
	return s
}

func (d *decoder) schema1State(n *node, part string) *Schema1State {
	s := &Schema1State{}
	d.block(n, "schema1", part, []field{
		{"signature", func(v *node) { s.Signature = d.oneOf(v, "signature", "valid", "invalid") }},
		{"layers", func(v *node) { s.Layers = d.rangeOf(v, "layers", plain) }},
		{"empty-layers", func(v *node) { s.EmptyLayers = d.rangeOf(v, "empty-layers", plain) }},
	})
	return s
}

// stateMap reads a map whose values are of a few words.
func (d *decoder) stateMap(n *node, what, part string, allowed ...string) map[string]string {
	if n.kind != nodeMap {
		d.fail(n.at, "", "%s is %s; want a map", what, nodeText[n.kind])
		return nil
	}
	m := map[string]string{}
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
		m[e.key] = d.oneOf(e.value, "state of "+e.key, allowed...)
	}
	return m
}

// contentMap reads a map from layers to texts.
func (d *decoder) contentMap(n *node, what, part string) map[string]string {
	m := d.textMap(n, what)
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
	}
	return m
}

func (d *decoder) progress(n *node, part string) *Progress {
	if n.kind != nodeMap {
		d.fail(n.at, "", "progress is %s; want a map from layers to what is shown of them", nodeText[n.kind])
		return nil
	}
	p := &Progress{Layers: map[string][]string{}}
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
		switch {
		case e.key == "never":
			p.Never = d.texts(e.value, "never")
		case e.key == "lines":
			p.Lines = d.texts(e.value, "lines")
		case strings.HasPrefix(e.key, "layer") || e.key == "config":
			p.Layers[e.key] = d.texts(e.value, e.key)
		default:
			d.fail(e.at, "progress takes: layer1 and so on, lines, never", "unknown key %q for progress%s", e.key,
				didYouMean(e.key, []string{"layer1", "lines", "never"}))
		}
	}
	return p
}

func (d *decoder) waive(n *node, part string) map[string]string {
	m := d.textMap(n, "waive")
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
		if !knownInvariant(e.key) {
			d.fail(e.at, "the invariants are: "+strings.Join(InvariantNames(), ", "), "%q is not an invariant%s", e.key,
				didYouMean(e.key, InvariantNames()))
		}
	}
	return m
}
