package scenarios

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Encode writes a scenario as a file of its own: what Decode of it returns runs as
// s does. What it does not write is where s was read: the cases, the matrix and the
// comments of the file that it came from.
func Encode(s *Scenario) []byte {
	var b mapping
	b.text("scenario", s.Title)
	b.put("registry", encodeRegistries(s.Registries))
	b.put("image", encodeImage(s.Image))
	b.put("client", encodeClient(s.Client))
	if len(s.Steps) == 1 && plainPush(s.Steps[0]) {
		b.text("push", s.Steps[0].Push)
	} else {
		b.put("steps", encodeEach(s.Steps, encodeStep))
	}
	b.put("faults", encodeEach(s.Faults, encodeFault))
	b.put("expect", encodeExpect(s.Expect))
	b.put("probe", encodeEach(s.Probes, encodeProbe))
	b.whole("runs", int64(s.Runs))
	b.whole("seed", int64(s.Seed)) //nolint:gosec // the decoder reads no more
	b.text("tests", s.Tests)
	b.text("level", s.Level)
	b.text("spec", s.Spec)
	b.put("known", encodeKnown(s.Known))
	b.texts("see", s.See)
	b.texts("labels", s.Labels)
	b.texts("needs", s.Needs)
	b.time("timeout", s.Timeout)
	b.yes("cleanup", s.Cleanup)
	return []byte(render(b.node()))
}

// plainPush reports whether a step is what the key push of a file says.
func plainPush(t Step) bool {
	return (t.Verb == "" || t.Verb == VerbPush) && t.Faults == nil && t.Expect == nil
}

func encodeRegistries(list []Registry) *node {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return encodeRegistry(list[0])
	}
	return encodeEach(list, encodeRegistry)
}

func encodeRegistry(r Registry) *node {
	var b mapping
	if r.URL == "" && r.Run == nil {
		b.text("kind", r.Kind)
	}
	b.text("auth", r.Auth)
	b.textMap("users", r.Users)
	b.yes("tls", r.TLS)
	b.texts("accepts", r.Accepts)
	if r.Has != nil {
		var has mapping
		for _, repo := range sortedKeys(r.Has) {
			has.put(repo, encodeTexts(r.Has[repo]))
		}
		b.put("has", has.node())
	}
	b.yes("delete", r.Delete)
	b.yes("read-only", r.ReadOnly)
	b.text("style", r.Style)
	var quirks mapping
	for _, name := range sortedKeys(r.Quirks) {
		quirks.put(name, encodeValue(r.Quirks[name], 0))
	}
	b.put("quirks", quirks.some())
	if r.Ornery != nil && len(r.Ornery) == 0 {
		b.yes("ornery", true)
	}
	b.texts("ornery", r.Ornery)
	b.text("url", r.URL)
	b.texts("aliases", r.Aliases)
	b.text("user", r.User)
	b.text("password", r.Password)
	b.text("ca", r.CA)
	b.yes("insecure", r.Insecure)
	b.texts("run", r.Run)
	switch {
	case len(b.entries) == 0:
		return textNode(KindV2)
	case len(b.entries) == 1 && b.entries[0].key == "kind":
		return b.entries[0].value
	}
	return b.node()
}

func encodeImage(i Image) *node {
	var b mapping
	b.put("layers", encodeEach(i.Layers, func(n int64) *node { return plainNode(formatSize(n)) }))
	b.text("media", i.Media)
	b.put("identical", encodeEach(i.Identical, layerNames))
	b.put("foreign", layerNames(i.Foreign))
	b.texts("platforms", i.Platforms)
	b.texts("missing", i.Missing)
	b.textMap("annotations", i.Annotations)
	b.text("subject", i.Subject)
	b.text("file", i.File)
	if i.Tags != nil {
		b.put("tags", encodeTags(i))
	}
	if len(b.entries) == 1 && b.entries[0].key == "file" {
		return b.entries[0].value
	}
	return b.some()
}

// encodeTags is the local map: a list while every tag names the whole image.
func encodeTags(i Image) *node {
	list := &node{kind: nodeList}
	var m mapping
	whole := true
	for _, tag := range sortedKeys(i.Tags) {
		n := i.Tags[tag]
		if whole = whole && n == 0; n == 0 {
			n = layerCount(i)
		}
		list.items = append(list.items, textNode(tag))
		m.put(tag, plainNode("layer"+strconv.Itoa(n)))
	}
	if whole {
		return list
	}
	return m.node()
}

func layerNames(numbers []int) *node {
	return encodeEach(numbers, func(n int) *node { return plainNode("layer" + strconv.Itoa(n)) })
}

func encodeClient(c Client) *node {
	var b mapping
	b.text("era", c.Era)
	b.text("adapter", c.Adapter)
	b.texts("run", c.Run)
	if c.Login != nil {
		b.put("login", textNode(c.Login.User+":"+c.Login.Password))
	}
	b.textMap("cache", c.Cache)
	b.yes("secure", c.Secure)
	b.yes("trust", c.Trust)
	b.yes("v2-only", c.V2Only)
	b.textMap("meta", c.Meta)
	b.text("trust-key", c.TrustKey)
	b.whole("concurrency", int64(c.Concurrency))
	b.text("platform", c.Platform)
	b.yes("allow-nondistributable-artifacts", c.Foreign)
	if c.Chunk > 0 {
		b.put("chunk", plainNode(formatSize(c.Chunk)))
	}
	b.time("clock", c.Clock)
	switch {
	case len(b.entries) == 1 && c.Adapter != "":
		return textNode(c.Adapter)
	case len(b.entries) == 1 && c.Era != "":
		return textNode(c.Era)
	}
	return b.some()
}

func encodeStep(t Step) *node {
	var b mapping
	switch t.Verb {
	case VerbDelete:
		var x mapping
		x.text("blob", t.Delete.Blob)
		x.text("tag", t.Delete.Tag)
		x.text("from", t.Delete.From)
		b.put(VerbDelete, x.node())
	case VerbRestart:
		if t.Wait == 0 {
			return textNode(VerbRestart)
		}
		b.time(VerbRestart, t.Wait)
	case VerbWait:
		b.put(VerbWait, plainNode(formatTime(t.Wait)))
	case VerbCancel:
		b.text(VerbCancel, t.Push)
		if t.At != (Pattern{}) {
			b.text("at", t.At.String())
		} else {
			b.time("after", t.Wait)
		}
	default:
		b.text(VerbPush, t.Push)
	}
	b.put("faults", encodeEach(t.Faults, encodeFault))
	if t.Expect != nil {
		n := encodeExpect(*t.Expect)
		if n == nil { // it expects what every push must do
			n = &node{kind: nodeMap}
		}
		b.put("expect", n)
	}
	return b.node()
}

func encodeFault(f Fault) *node {
	var b mapping
	where := encodeWhere(f.Where)
	if f.Name == "" {
		b.put(anyOf, encodeTexts(f.AnyOf))
		b.put("at", where)
	} else {
		if where == nil {
			where = &node{kind: nodeNull}
		}
		b.put(f.Name, where)
	}
	for _, name := range sortedKeys(f.Args) {
		b.put(name, encodeValue(f.Args[name], paramType(f.Name, name)))
	}
	if f.EachNth {
		b.text("nth", "each")
	}
	encodeTrigger(&b, f.When)
	b.text("note", f.Note)
	if len(b.entries) == 1 && where != nil && where.kind == nodeNull {
		return textNode(f.Name)
	}
	return b.node()
}

func encodeTrigger(b *mapping, w fakeregistry.Trigger) {
	b.whole("nth", int64(w.Nth))
	b.whole("times", int64(w.Times))
	b.whole("every", int64(w.Every))
	if w.Chance > 0 {
		b.put("chance", plainNode(strconv.FormatFloat(w.Chance, 'g', -1, 64)))
	}
	b.text("per", w.Per)
	b.text("after-event", w.AfterEvent)
	b.text("until", w.Until)
	b.yes("optional", w.Optional)
}

// paramType is the type of a fault's parameter; zero when it has no such one.
func paramType(fault, name string) fakeregistry.ParamType {
	kind, _ := fakeregistry.KindOf(fault)
	i := slices.IndexFunc(kind.Params, func(p fakeregistry.Param) bool { return p.Name == name })
	if i < 0 {
		return 0
	}
	return kind.Params[i].Type
}

// encodeValue writes a decoded value as its type wants it.
func encodeValue(v any, as fakeregistry.ParamType) *node {
	switch v := v.(type) {
	case bool:
		return plainNode(strconv.FormatBool(v))
	case int64:
		switch as {
		case fakeregistry.ParamSize:
			return plainNode(formatSize(v))
		case fakeregistry.ParamRate:
			return plainNode(formatSize(v) + "/s")
		default:
			return plainNode(strconv.FormatInt(v, 10))
		}
	case time.Duration:
		return plainNode(formatTime(v))
	case []string:
		return encodeTexts(v)
	case contentNames:
		return encodeTexts(v)
	case map[string]string:
		var b mapping
		b.textMap("", v)
		return b.entries[0].value
	case string:
		return textNode(v)
	}
	return nil
}

func encodeWhere(w Where) *node {
	var b mapping
	ops := encodeEach(w.Ops, func(p Pattern) *node { return textNode(p.String()) })
	if len(w.Ops) == 1 {
		ops = ops.items[0]
	}
	b.put("op", ops)
	for _, x := range [...]struct{ key, value string }{
		{"host", w.Host},
		{"repo", w.Repo},
		{"tag", w.Tag},
		{"digest", w.Digest},
		{"media", w.Media},
		{"client", w.Client},
		{"header", w.Header},
		{"path", w.Path},
		{"method", w.Method},
	} {
		b.text(x.key, x.value)
	}
	b.whole("attempt", int64(w.Attempt))
	if len(b.entries) == 1 && ops != nil {
		return ops
	}
	return b.some()
}

func encodeProbe(p Probe) *node {
	var b, ask mapping
	if p.Before != (Pattern{}) {
		b.text("before", p.Before.String())
	} else {
		b.text("after", p.After.String())
	}
	ask.text(string(p.Op), p.Content)
	b.put("ask", ask.node())
	if p.Body == "" {
		b.whole("expect", int64(p.Status))
		return b.node()
	}
	var answer mapping
	answer.whole("status", int64(p.Status))
	answer.text("body", p.Body)
	b.put("expect", answer.node())
	return b.node()
}

func encodeKnown(list []Known) *node {
	var b mapping
	for _, k := range list {
		var one mapping
		one.texts("fails", k.Fails)
		one.text("because", k.Because)
		one.text("see", k.See)
		b.put(k.Client, one.node())
	}
	return b.some()
}

func formatTime(d time.Duration) string {
	if d < 0 {
		return "∞"
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
