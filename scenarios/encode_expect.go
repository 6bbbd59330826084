package scenarios

import (
	"math"
	"strconv"
)

func encodeExpect(x Expect) *node {
	var b mapping
	b.text("result", x.Result)
	b.text("error", x.Error)
	if x.Exit != nil {
		b.put("exit", plainNode(strconv.Itoa(*x.Exit)))
	}
	b.text("via", x.Via)
	b.time("within", x.Within)
	events := func(key string, list []Event) {
		if list != nil {
			b.put(key, eventList(list))
		}
	}
	events("wire", x.Wire)
	events("wire-exactly", x.Exactly)
	events("never", x.Never)
	if len(x.Count) > 0 {
		var counts mapping
		for _, c := range x.Count {
			counts.put(c.Event.Op.String(), encodeRange(c.Times, plain))
		}
		b.put("count", counts.node())
	}
	b.put("registry", encodeState(x.Registry))
	b.put("progress", encodeProgress(x.Progress))
	b.textMap("cache", x.Cache)
	b.textMap("waive", x.Waive)
	return b.some()
}

func eventList(list []Event) *node {
	n := &node{kind: nodeList}
	for _, e := range list {
		n.items = append(n.items, encodeEvent(e))
	}
	return n
}

func encodeEvent(e Event) *node {
	var b mapping
	switch {
	case e.Each != "":
		b.text("each", e.Each)
		b.put("wire", eventList(e.Wire))
		return b.node()
	case e.AnyOrder != nil:
		b.put("any-order", eventList(e.AnyOrder))
		return b.node()
	}
	for _, x := range [...]struct{ key, value string }{
		{"digest", e.Digest}, {"repo", e.Repo}, {"tag", e.Tag}, {"media", e.Media}, {"host", e.Host},
	} {
		b.text(x.key, x.value)
	}
	b.span("bytes", e.Bytes, bytesQuantity)
	b.span("from", e.From, bytesQuantity)
	b.text("range", e.Range)
	b.span("gap", e.Gap, timeQuantity)
	b.text("auth", e.Auth)
	b.put("header", headerNode(e.Header))
	b.put("answer-header", headerNode(e.AnswerHeader))
	b.text("answer-body", e.AnswerBody)
	var out mapping
	switch {
	case len(b.entries) > 0:
		out.put(e.Op.String(), b.node())
	case e.Op.Answer != "":
		out.put(e.Op.Op, plainNode(e.Op.Answer))
	default:
		return textNode(e.Op.String())
	}
	return out.node()
}

func encodeState(s *State) *node {
	if s == nil {
		return nil
	}
	var b mapping
	b.textMap("tags", s.Tags)
	b.textMap("blobs", s.Blobs)
	b.span("uploads", s.Uploads, plain)
	b.span("referrers", s.Referrers, plain)
	if s.Schema1 != nil {
		var one mapping
		one.text("signature", s.Schema1.Signature)
		one.span("layers", s.Schema1.Layers, plain)
		one.span("empty-layers", s.Schema1.EmptyLayers, plain)
		b.put("schema1", one.node())
	}
	b.textMap("v1", s.V1)
	return b.node()
}

func encodeProgress(p *Progress) *node {
	if p == nil {
		return nil
	}
	var b mapping
	for _, layer := range sortedKeys(p.Layers) {
		b.put(layer, encodeTexts(p.Layers[layer]))
	}
	b.texts("lines", p.Lines)
	b.texts("never", p.Never)
	return b.node()
}

// encodeRange is a range as parseRange reads it.
func encodeRange(r Range, q quantity) *node {
	if r.Min == 0 && r.Max == math.MaxInt64 {
		return textNode(">= 0")
	}
	return textNode(formatRange(r, q))
}

// headerNode is what is expected of headers, as headers reads it; nil for nothing.
func headerNode(list map[string]string) *node {
	if len(list) == 0 {
		return nil
	}
	var b mapping
	for _, name := range sortedKeys(list) {
		value := textNode(list[name])
		if list[name] == Absent {
			value = &node{kind: nodeNull}
		}
		b.put(name, value)
	}
	return b.node()
}
