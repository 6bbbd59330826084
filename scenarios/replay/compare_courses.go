package replay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// racingLayers: a docker since 1.10 sends several layers at once.
const racingLayers reason = "racing-layers: layers that go side by side overtake each other"

// givenUpLayers: how far the others came when one layer failed.
const givenUpLayers reason = "given-up-layers: how far layers came that were given up when another one failed is a race"

// courses compares the requests where layers go side by side: those before and
// after the layers in their order, unless several pushes race, and those of each
// layer in theirs.
func (c *comparison) courses(recorded *courses, list []*played, several bool) {
	owners := []string{ownerBefore}
	for _, id := range recorded.told.order {
		if !slices.Contains(owners, id) {
			owners = append(owners, id)
		}
	}
	owners = append(owners, ownerAfter)
	conns := connections{to: map[int]int{}, from: map[int]int{}}
	var opened []int // sessions that were opened by whichever layer
	opened = append(opened, recorded.of(ownerAny)...)
	for _, owner := range owners {
		own := recorded.playedBy(owner, list)
		if recorded.told.cut(owner) {
			c.cutCourse(recorded, owner, own)
			continue
		}
		want := recorded.of(owner)
		if owner == ownerBefore {
			want = c.withoutSpareTokens(recorded, want, own)
		}
		if owner == ownerBefore || owner == ownerAfter {
			c.course(want, own, list, conns, several)
			continue
		}
		want, opened = recorded.withSessions(owner, want, opened)
		c.course(want, own, list, conns, false)
	}
	if !slices.IsSortedFunc(list, func(a, b *played) int { return a.as - b.as }) {
		c.excuse(racingLayers)
	}
}

// playedBy are the requests of an owner.
func (c *courses) playedBy(owner string, list []*played) []*played {
	var own []*played
	after := false
	for _, p := range list {
		if p.layer == "" && p.as >= 0 && c.owner[p.as] == ownerAfter {
			after = true
		}
		is := p.layer
		if is == "" || p.as >= 0 && c.owner[p.as] == ownerBefore {
			is = ownerBefore
			if after {
				is = ownerAfter
			}
		}
		if is == owner {
			own = append(own, p)
		}
	}
	return own
}

// withoutSpareTokens leaves out of the requests that belong to no layer those for
// tokens at their end that only layers asked for which were given up.
func (c *comparison) withoutSpareTokens(recorded *courses, want []int, own []*played) []int {
	needed, ok := recorded.lastTokens()
	isToken := func(i int) bool {
		e := c.step.Exchanges[i]
		return e.Event == "" && asksForToken(e.Method, e.Path)
	}
	n := 0
	for _, i := range want {
		if isToken(i) {
			n++
		}
	}
	for ok && len(want) > len(own) && n > needed && isToken(want[len(want)-1]) {
		want, n = want[:len(want)-1], n-1
		c.excuse(givenUpLayers)
	}
	return want
}

// withSessions puts the session that each body needs before it, of those that were
// opened by whichever layer, and those of attempts that sent none behind the rest.
func (c *courses) withSessions(owner string, want, opened []int) (list, left []int) {
	open := false
	for _, i := range want {
		e := c.step.Exchanges[i]
		if e.Method == "PATCH" && !open && len(opened) > 0 {
			list, opened = append(list, opened[0]), opened[1:]
		}
		open = e.Method == "POST" && e.Status/100 == 2
		list = append(list, i)
	}
	if owner != c.told.failing() {
		return list, opened
	}
	for n := posts(c.step, list); n <= c.told.retries(owner) && len(opened) > 0; n++ {
		list, opened = append(list, opened[0]), opened[1:]
	}
	return list, opened
}

// posts counts the sessions that were asked for.
func posts(step *recording.Step, list []int) int {
	n := 0
	for _, i := range list {
		if step.Exchanges[i].Method == "POST" {
			n++
		}
	}
	return n
}

// course compares the requests of one owner.
func (c *comparison) course(want []int, own, list []*played, conns connections, anyOrder bool) {
	keyA := func(i int) string { return c.step.Exchanges[want[i]].String() }
	keyB := func(i int) string { return asExchange(own[i], c.host).String() }
	if anyOrder {
		want, own = slices.Clone(want), slices.Clone(own)
		slices.SortStableFunc(want, func(a, b int) int {
			return strings.Compare(c.step.Exchanges[a].String(), c.step.Exchanges[b].String())
		})
		slices.SortStableFunc(own, func(a, b *played) int {
			return strings.Compare(asExchange(a, c.host).String(), asExchange(b, c.host).String())
		})
		c.excuse(racingPushes)
	}
	for _, p := range align(len(want), len(own), keyA, keyB) {
		switch {
		case p.b < 0:
			e := c.step.Exchanges[want[p.a]]
			c.differ(fmt.Sprintf("request %d", e.Seq), e.String(), "nothing")
		case p.a < 0:
			c.differ("a request more, of "+ownerName(own[p.b]), "nothing", keyB(p.b))
		default:
			e, q := c.step.Exchanges[want[p.a]], own[p.b]
			if !conns.same(e.Conn, q.conn) {
				c.differ(where(e)+": connection", fmt.Sprint(e.Conn), fmt.Sprintf("%d, which is another one than before", q.conn))
			}
			if e.Event == "" {
				c.request(e, q.req, list)
			}
		}
	}
}

func ownerName(p *played) string {
	if p.layer == "" {
		return "no layer"
	}
	return "layer " + p.layer
}

// cutCourse compares what a layer did before it was given up: as far as both sides
// got, it must be the same.
func (c *comparison) cutCourse(recorded *courses, owner string, own []*played) {
	want := recorded.of(owner)
	i := 0
	for _, p := range own {
		if p.event != "" {
			continue // a connection that came too late to ask anything
		}
		e := asExchange(p, c.host)
		if e.Method == "POST" && i < len(want) && c.step.Exchanges[want[i]].Method != "POST" {
			continue // a session that anybody may have opened
		}
		if i >= len(want) {
			break
		}
		if r := c.step.Exchanges[want[i]]; r.String() != e.String() && r.Method != "PATCH" {
			c.differ(where(r), r.String(), e.String())
		}
		i++
	}
	c.excuse(givenUpLayers)
}

// tellings compares what the command line showed of each push.
func (c *comparison) tellings(recorded *courses, shown [][]string) {
	parts := tellings(c.step.Stream)
	if len(parts) != len(shown) {
		c.differ("stdout", fmt.Sprintf("%d pushes", len(parts)), fmt.Sprintf("%d pushes", len(shown)))
		return
	}
	for i, part := range parts {
		a, b := readLines(part), readLines(shown[i])
		c.linesDiffer("stdout, before the layers", a.head, b.head)
		c.linesDiffer("stdout, layers in the queue", lines(a.queues), lines(b.queues))
		c.linesDiffer("stdout, after the layers", a.tail, b.tail)
		if failed, granted := recorded.tokens(); failed && granted && recorded.told.ended {
			// All ask for one token in turn: whom the refusals met is chance.
			c.linesDiffer("stdout, layers in any order", linesOf(a), linesOf(b))
			c.excuse(racingLayers)
			continue
		}
		for _, id := range recorded.told.order {
			x, y := a.lines[id], b.lines[id]
			if recorded.told.cut(id) {
				n := min(len(x), len(y))
				x, y = x[:n], y[:n]
			}
			c.linesDiffer("stdout, layer "+id, x, y)
		}
	}
}

// linesOf is what was said of each layer, a line for each, without saying which.
func linesOf(t *told) []string {
	var list []string
	for _, id := range t.order {
		list = append(list, strings.Join(t.lines[id], ", "))
	}
	slices.Sort(list)
	return list
}

// lines writes queues one a line.
func lines(queues [][]string) []string {
	var list []string
	for _, q := range queues {
		list = append(list, strings.Join(q, " "))
	}
	return list
}

func (c *comparison) linesDiffer(where string, a, b []string) {
	if !slices.Equal(a, b) {
		c.differ(where, strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}
