package scenarios

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// registries reads one registry or a list of them.
func (d *decoder) registries(n *node) []Registry {
	if n.kind != nodeList {
		return []Registry{d.registry(n, "registry")}
	}
	var list []Registry
	for i, item := range n.items {
		list = append(list, d.registry(item, partIndex("registry", i)))
	}
	if len(list) == 0 {
		d.fail(n.at, "", "registry is an empty list; want at least one host")
	}
	return list
}

func (d *decoder) registry(n *node, part string) Registry {
	var r Registry
	kinds := []string{KindV2, KindFake, KindV1, KindBoth}
	if n.kind != nodeMap {
		r.Kind = d.oneOf(n, "registry", kinds...)
		return r
	}
	d.block(n, "registry", part, []field{
		{"kind", func(v *node) { r.Kind = d.oneOf(v, "kind", kinds...) }},
		{"auth", func(v *node) { r.Auth = d.oneOf(v, "auth", "none", "basic", "bearer") }},
		{"users", func(v *node) { r.Users = d.textMap(v, "users") }},
		{"tls", func(v *node) { r.TLS = d.boolean(v, "tls") }},
		{"accepts", func(v *node) { r.Accepts = d.formats(v) }},
		{"has", func(v *node) { r.Has = d.has(v, part+".has") }},
		{"delete", func(v *node) { r.Delete = d.boolean(v, "delete") }},
		{"read-only", func(v *node) { r.ReadOnly = d.boolean(v, "read-only") }},
		{"style", func(v *node) { r.Style = d.oneOf(v, "style", "standalone", "index") }},
		{"quirks", func(v *node) { r.Quirks = d.quirks(v, part+".quirks") }},
		{"ornery", func(v *node) { r.Ornery = d.ornery(v) }},
		{"url", func(v *node) { r.Kind, r.URL = KindExternal, d.sentence(v, "url") }},
		{"aliases", func(v *node) { r.Aliases = d.texts(v, "aliases") }},
		{"user", func(v *node) { r.User = d.text(v, "user") }},
		{"password", func(v *node) { r.Password = d.text(v, "password") }},
		{"ca", func(v *node) { r.CA = d.sentence(v, "ca") }},
		{"insecure", func(v *node) { r.Insecure = d.boolean(v, "insecure") }},
		{"run", func(v *node) { r.Kind, r.Run = KindProgram, d.texts(v, "run") }},
	})
	d.oneKind(n)
	if r.Auth == "none" {
		r.Auth = ""
	}
	if r.Ornery != nil && r.Kind == "" {
		r.Kind = KindFake
	}
	return r
}

// oneKind demands that a registry is of one kind only: one that is started here, a
// program, or one that is somewhere else.
func (d *decoder) oneKind(n *node) {
	first := ""
	for _, e := range n.entries {
		if e.key != "kind" && e.key != "url" && e.key != "run" {
			continue
		}
		if first != "" {
			d.fail(e.at, "", "a registry has either kind, url or run; this one has %s and %s", first, e.key)
		}
		first = e.key
	}
}

// quirks reads the deviations of our own V2.
func (d *decoder) quirks(n *node, part string) map[string]any {
	if n.kind != nodeMap {
		d.fail(n.at, "", "quirks is %s; want a map", nodeText[n.kind])
		return nil
	}
	var allowed []string
	for _, q := range quirkList() {
		allowed = append(allowed, q.Name)
	}
	m := map[string]any{}
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
		if !slices.Contains(allowed, e.key) {
			d.fail(e.at, "the quirks are: "+strings.Join(allowed, ", "), "%q is not a quirk%s", e.key, didYouMean(e.key, allowed))
			continue
		}
		switch e.value.kind {
		case nodeBool:
			m[e.key] = d.boolean(e.value, e.key)
		case nodeNumber:
			m[e.key] = d.size(e.value, e.key)
		default:
			m[e.key] = d.text(e.value, e.key)
		}
	}
	return m
}

func (d *decoder) formats(n *node) []string {
	list := d.texts(n, "accepts")
	for _, f := range list {
		if f != "" && !slices.Contains(formats, f) {
			d.fail(n.at, "accepts takes: "+strings.Join(formats, ", "), "%q is not a manifest format%s", f, didYouMean(f, formats))
		}
	}
	return list
}

func (d *decoder) has(n *node, part string) map[string][]string {
	if n.kind != nodeMap {
		d.fail(n.at, "", "has is %s; want a map from repositories to their content", nodeText[n.kind])
		return nil
	}
	m := map[string][]string{}
	for _, e := range n.entries {
		d.mark(part+"."+e.key, e.whole())
		m[e.key] = d.texts(e.value, "content of "+e.key)
	}
	return m
}

// maxLayers bounds the layers of a made-up image.
const maxLayers = 127

func (d *decoder) image(n *node) Image {
	var i Image
	if n.kind == nodeString {
		i.File = d.sentence(n, "image")
		return i
	}
	number := 0
	d.block(n, "image", "image", []field{
		{"layers", func(v *node) {
			for _, item := range d.list(v, "layers") {
				i.Layers = append(i.Layers, d.size(item, "layer"))
			}
			if v.kind == nodeList && (len(v.items) == 0 || len(v.items) > maxLayers) {
				d.fail(v.at, "", "an image has %d layers; want 1 to %d", len(v.items), maxLayers)
			}
		}},
		{"number", func(v *node) { number = int(d.integer(v, "number", 1, maxLayers)) }},
		{"media", func(v *node) { i.Media = d.oneOf(v, "media", "docker", "oci") }},
		{"identical", func(v *node) { i.Identical = d.layerGroups(v) }},
		{"foreign", func(v *node) { i.Foreign = d.layerNumbers(v, "foreign") }},
		{"platforms", func(v *node) { i.Platforms = d.platforms(v, "platforms") }},
		{"missing", func(v *node) { i.Missing = d.platforms(v, "missing") }},
		{"annotations", func(v *node) { i.Annotations = d.textMap(v, "annotations") }},
		{"subject", func(v *node) { i.Subject = d.sentence(v, "subject") }},
		{"file", func(v *node) { i.File = d.sentence(v, "file") }},
		{"tags", func(v *node) { i.Tags = d.localTags(v) }},
	})
	if number > 0 && len(i.Layers) <= 1 {
		size := int64(1 << 10)
		if len(i.Layers) == 1 {
			size = i.Layers[0]
		}
		i.Layers = slices.Repeat([]int64{size}, number)
	} else if number > 0 && number != len(i.Layers) {
		d.fail(n.at, "", "number is %d and layers has %d", number, len(i.Layers))
	}
	return i
}

// platforms reads a list of platforms, each once.
func (d *decoder) platforms(n *node, what string) []string {
	var list []string
	for _, s := range d.texts(n, what) {
		if s == "" {
			continue
		}
		if _, err := pusher.ParsePlatform(s); err != nil {
			d.fail(n.at, "", "%s: %v", what, err)
		}
		if slices.Contains(list, s) {
			d.fail(n.at, "", "%s has %s twice", what, s)
		}
		list = append(list, s)
	}
	return list
}

// layerGroups reads [layer1, layer3], or a list of such lists.
func (d *decoder) layerGroups(n *node) [][]int {
	if n.kind == nodeList && len(n.items) > 0 && n.items[0].kind == nodeList {
		var groups [][]int
		for _, item := range n.items {
			groups = append(groups, d.layerNumbers(item, "identical"))
		}
		return groups
	}
	return [][]int{d.layerNumbers(n, "identical")}
}

func (d *decoder) layerNumbers(n *node, what string) []int {
	var list []int
	for _, name := range d.texts(n, what) {
		if name == "" {
			continue
		}
		i, ok := layerNumber(name)
		if !ok {
			d.fail(n.at, "", "%s: %q is not a layer; want layer1 and so on, the bottom one first", what, name)
			continue
		}
		list = append(list, i)
	}
	return list
}

// layerNumber reads "layer3".
func layerNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "layer")
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i > 0 && digits == strconv.Itoa(i)
}

// localTags reads the local map: a list of tags of the image, or a map from tags
// to their top layers.
func (d *decoder) localTags(n *node) map[string]int {
	m := map[string]int{}
	if n.kind != nodeMap {
		for _, tag := range d.texts(n, "tags") {
			m[tag] = 0
		}
		return m
	}
	for _, e := range n.entries {
		name := d.text(e.value, "tag "+e.key)
		i, ok := layerNumber(name)
		if !ok && name != "" {
			d.fail(e.value.at, "", "tag %s: %q is not a layer; want layer1 and so on", e.key, name)
		}
		m[e.key] = i
	}
	return m
}

// probes reads the requests that the bench itself makes.
func (d *decoder) probes(n *node) []Probe {
	var list []Probe
	for i, item := range d.list(n, "probe") {
		part := partIndex("probe", i)
		d.mark(part, item.at)
		var p Probe
		d.block(item, "probe", part, []field{
			{"before", func(v *node) { p.Before, _ = d.pattern(d.text(v, "before"), v.at) }},
			{"after", func(v *node) { p.After, _ = d.pattern(d.text(v, "after"), v.at) }},
			{"ask", func(v *node) { d.ask(v, &p) }},
			{"expect", func(v *node) { d.probeAnswer(v, &p, part+".expect") }},
		})
		d.checkProbe(item, p)
		list = append(list, p)
	}
	return list
}

func (d *decoder) checkProbe(n *node, p Probe) {
	if n.kind != nodeMap {
		return
	}
	if (p.Before == Pattern{}) == (p.After == Pattern{}) {
		d.fail(n.at, "", "a probe has either before or after: the moment at which it asks")
	}
	if p.Op == "" || p.Status == 0 {
		d.fail(n.at, "", "a probe has ask, such as {blob.head: layer1}, and expect, such as 404")
	}
}

func (d *decoder) ask(n *node, p *Probe) {
	if n.kind != nodeMap || len(n.entries) != 1 {
		d.fail(n.at, "", "ask is %s; want one operation and its content, such as {blob.head: layer1}", nodeText[n.kind])
		return
	}
	e := n.entries[0]
	if !slices.Contains(probeOps, wire.Op(e.key)) {
		d.fail(e.at, "a probe asks one of: blob.head, blob.get, manifest.head, manifest.get", "a probe cannot ask %q", e.key)
		return
	}
	p.Op, p.Content = wire.Op(e.key), d.sentence(e.value, e.key)
}

func (d *decoder) probeAnswer(n *node, p *Probe, part string) {
	if n.kind != nodeMap {
		p.Status = int(d.integer(n, "expect of a probe", 100, 599))
		return
	}
	d.block(n, "expect of a probe", part, []field{
		{"status", func(v *node) { p.Status = int(d.integer(v, "status", 100, 599)) }},
		{"body", func(v *node) { p.Body = d.sentence(v, "body") }},
	})
}

// known reads the accepted failures: client → what, why.
func (d *decoder) known(n *node) []Known {
	if n.kind != nodeMap {
		d.fail(n.at, "", "known is %s; want a map from clients to what fails and why", nodeText[n.kind])
		return nil
	}
	var list []Known
	for _, e := range n.entries {
		k := Known{Client: e.key}
		part := "known." + e.key
		d.mark(part, e.whole())
		d.block(e.value, "known", part, []field{
			{"fails", func(v *node) { k.Fails = d.texts(v, "fails") }},
			{"because", func(v *node) { k.Because = d.sentence(v, "because") }},
			{"see", func(v *node) { k.See = strings.Join(d.texts(v, "see"), " ") }},
		})
		if k.Because == "" || len(k.Fails) == 0 {
			d.fail(e.at, "", "known %s has fails: what of expect fails, and because: why", e.key)
		}
		list = append(list, k)
	}
	return list
}

func (d *decoder) positive(n *node, what string) int {
	return int(d.integer(n, what, 1, math.MaxInt32))
}
