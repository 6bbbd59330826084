package scenarios

import (
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// An Oddity is one way in which a registry is lawful and difficult.
type Oddity = fakeregistry.Oddity

// OddityNames are the names of all oddities.
func OddityNames() []string { return fakeregistry.OddityNames() }

func explainOddity(name string) (Explanation, bool) {
	for _, o := range fakeregistry.OddityList() {
		if o.Name == name {
			return Explanation{Name: name, What: "oddity", Doc: o.Doc, Rows: []Row{{Name: "allowed by", Doc: o.Law}}}, true
		}
	}
	return Explanation{}, false
}

// ornery reads what makes a registry of our own difficult: true for what the seed
// chooses, or the names of its oddities.
func (d *decoder) ornery(n *node) []string {
	if n.kind == nodeBool {
		if d.boolean(n, "ornery") {
			return []string{}
		}
		return nil
	}
	all := fakeregistry.OddityNames()
	list := d.texts(n, "ornery")
	for _, name := range list {
		if !slices.Contains(all, name) {
			d.fail(n.at, "ornery is true, or some of: "+strings.Join(all, ", "), "%q is not an oddity%s", name, didYouMean(name, all))
		}
	}
	return list
}

// oddities checks that an ornery registry is one of our own V2.
func (c *checker) oddities() {
	for i, r := range c.s.Registries {
		if r.Ornery == nil || r.Kind == KindFake || r.Kind == KindBoth || r.Kind == KindExternal {
			continue
		}
		part := "registry"
		if len(c.s.Registries) > 1 {
			part = partIndex(part, i)
		}
		c.fail(part+".ornery", "only kind: fake and v1+v2 can be ornery")
	}
}
