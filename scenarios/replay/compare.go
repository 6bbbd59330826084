package replay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A comparison gathers what differs between a recorded step and the same step
// played, and why some of it does not count.
type comparison struct {
	step    *recording.Step
	host    string
	diffs   []Diff
	reasons []reason
}

func (c *comparison) differ(where, recorded, played string) {
	c.diffs = append(c.diffs, Diff{Where: where, Recorded: recorded, Played: played})
}

func (c *comparison) excuse(why reason) {
	if why != "" && !slices.Contains(c.reasons, why) {
		c.reasons = append(c.reasons, why)
	}
}

// wire compares the requests: which, in which order, on which connections, and
// each in itself.
func (c *comparison) wire(list []*played) {
	if seen := slices.DeleteFunc(slices.Clone(list), func(p *played) bool { return p.unseen }); len(seen) < len(list) {
		c.excuse(plainOnTLS)
		list = seen
	}
	recorded := c.inOrder(len(c.step.Exchanges), func(i int) recording.Exchange { return c.step.Exchanges[i] })
	order := c.inOrder(len(list), func(i int) recording.Exchange { return asExchange(list[i], c.host) })
	if !slices.IsSorted(order) {
		c.excuse(c.whyUnordered())
	}
	keyA := func(i int) string { return c.step.Exchanges[recorded[i]].String() }
	keyB := func(i int) string { return asExchange(list[order[i]], c.host).String() }
	conns := connections{to: map[int]int{}, from: map[int]int{}}
	for _, p := range align(len(recorded), len(order), keyA, keyB) {
		switch {
		case p.b < 0:
			e := c.step.Exchanges[recorded[p.a]]
			c.differ(fmt.Sprintf("request %d", e.Seq), e.String(), "nothing")
		case p.a < 0:
			c.differ(fmt.Sprintf("request %d", order[p.b]+1), "nothing", keyB(p.b))
		default:
			e, q := c.step.Exchanges[recorded[p.a]], list[order[p.b]]
			if !conns.same(e.Conn, q.conn) {
				c.differ(where(e)+": connection", fmt.Sprint(e.Conn), fmt.Sprintf("%d, which is another one than before", q.conn))
			}
			if e.Event == "" {
				c.request(e, q.req, list)
			}
		}
	}
}

// asExchange is what of a played request decides about its place.
func asExchange(p *played, host string) recording.Exchange {
	if p.event != "" {
		return recording.Exchange{Event: p.event}
	}
	return recording.Exchange{Method: p.req.Method, Path: toHost(p.req.Path, host)}
}

// inOrder is the indexes of exchanges in an order that does not race: look-ups of
// V1 that follow one another by path; of pushes that begin at once everything up
// to the pings first.
func (c *comparison) inOrder(n int, at func(int) recording.Exchange) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := 0; i < n; {
		j := i
		for j < n && routeOf(at(j).Method, at(j).Path).Op == wire.OpV1JSONGet {
			j++
		}
		slices.SortStableFunc(order[i:j], func(a, b int) int { return strings.Compare(at(a).Path, at(b).Path) })
		i = max(j, i+1)
	}
	if c.step.Input.Concurrent > 1 {
		slices.SortStableFunc(order, func(a, b int) int { return beginning(at(a)) - beginning(at(b)) })
	}
	return order
}

// beginning tells the first requests of a push from the rest.
func beginning(e recording.Exchange) int {
	if e.Event != "" {
		return 0
	}
	if op := routeOf(e.Method, e.Path).Op; op == wire.OpPing || op == wire.OpV1Ping {
		return 1
	}
	return 2
}

func (c *comparison) whyUnordered() reason {
	if c.step.Input.Concurrent > 1 {
		return racingPushes
	}
	return racingLookups
}

func where(e recording.Exchange) string { return fmt.Sprintf("request %d, %s", e.Seq, e) }

// connections ties the numbers of recorded connections to those of played ones.
type connections struct{ to, from map[int]int }

func (c connections) same(recorded, played int) bool {
	to, okTo := c.to[recorded]
	from, okFrom := c.from[played]
	if !okTo && !okFrom {
		c.to[recorded], c.from[played] = played, recorded
		return true
	}
	return okTo && okFrom && to == played && from == recorded
}

// request compares one request with the exchange in its place.
func (c *comparison) request(e recording.Exchange, q *request, list []*played) {
	if e.Proto != q.Proto {
		c.differ(where(e)+": protocol", e.Proto, q.Proto)
	}
	c.headers(e, q, list)
	c.body(e, q)
}

// headers compares names, order and values. The value of the User-Agent is the
// era's own, and may differ.
func (c *comparison) headers(e recording.Exchange, q *request, list []*played) {
	recorded, played := slices.Clone(e.ReqHeaders), make([]string, len(q.Headers))
	for i, h := range q.Headers {
		played[i] = toHost(h, c.host)
	}
	for i := range min(len(recorded), len(played)) {
		if recorded[i] == played[i] {
			continue
		}
		nameA, _, _ := strings.Cut(recorded[i], ":")
		nameB, valueB, _ := strings.Cut(played[i], ": ")
		switch {
		case nameA != nameB:
		case nameA == "User-Agent":
			played[i] = recorded[i]
		case nameA == "X-Docker-Checksum-Payload" && valueB == "sha256:"+payloadOf(e, list):
			played[i] = recorded[i]
			c.excuse(layerBytes)
		}
	}
	if !slices.Equal(recorded, played) {
		c.differ(where(e)+": headers", strings.Join(without(recorded, played), "\n"), strings.Join(without(played, recorded), "\n"))
	}
}

// without is the lines of a that b lacks, or all when only the order differs.
func without(a, b []string) []string {
	var out []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, line)
		}
	}
	if len(out) == 0 && len(a) >= len(b) {
		return a
	}
	return out
}

// payloadOf is the payload checksum of the layer that was sent for the image of a
// checksum request, in hex.
func payloadOf(e recording.Exchange, list []*played) string {
	id, sum := routeOf(e.Method, e.Path).ImageID, ""
	for _, p := range list {
		if p.req == nil {
			continue
		}
		if r := routeOf(p.req.Method, p.req.Path); r.Op == wire.OpV1LayerPut && r.ImageID == id {
			sum = p.req.Body.Payload
		}
	}
	return sum
}

// body compares a request's body, as far as the recording has it whole.
func (c *comparison) body(e recording.Exchange, q *request) {
	b := q.Body
	switch {
	case e.ReqLen == 0 && e.ReqSHA256 == "": // none, or nobody read it
		if b.Length > 0 {
			c.differ(where(e)+": body", "none", fmt.Sprintf("%d bytes", b.Length))
		}
		return
	case e.ReqSHA256 == "": // cut off
		if b.Length < e.ReqLen {
			c.differ(where(e)+": body", fmt.Sprintf("at least %d bytes", e.ReqLen), fmt.Sprintf("%d bytes", b.Length))
		}
		return
	case b.Err != nil:
		c.differ(where(e)+": body", "whole", b.Err.Error())
		return
	case routeOf(e.Method, e.Path).Op == wire.OpV1LayerPut && e.ReqSHA256 != b.SHA256:
		c.excuse(layerBytes) // the tarsum, which is sent next, tells whether it is the same layer
		return
	case e.ReqSHA256 == recording.Varies:
		c.signed(e, b)
		return
	}
	if e.ReqLen != b.Length || e.ReqSHA256 != b.SHA256 {
		recorded, played := fmt.Sprintf("%d bytes, sha256 %s", e.ReqLen, e.ReqSHA256), fmt.Sprintf("%d bytes, sha256 %s", b.Length, b.SHA256)
		if e.ReqBody != "" {
			recorded, played = e.ReqBody, toHost(string(b.Head), c.host)
		}
		c.differ(where(e)+": body", recorded, played)
	}
}

// signed compares a signed manifest: all but the signature and the key.
func (c *comparison) signed(e recording.Exchange, b body) {
	if e.ReqLen != b.Length {
		c.differ(where(e)+": body", fmt.Sprintf("%d bytes", e.ReqLen), fmt.Sprintf("%d bytes", b.Length))
	}
	if played := toHost(recording.HideSignature(string(b.Head)), c.host); e.ReqBody != "" && e.ReqBody != played {
		c.differ(where(e)+": manifest", e.ReqBody, played)
	}
	if e.Method != http.MethodPut {
		c.differ(where(e)+": method", "PUT", e.Method)
	}
}
