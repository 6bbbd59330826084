package wire

import (
	"net/http"
	"strings"
)

// Diff compares the two recordings of one run and says how they differ, in
// lines that begin with - for the client's side and + for the server's; "" when
// they agree. Each side's exchanges are scrubbed, and what only one side can see
// is left out: headers that net/http adds or takes away, bodies that one side
// did not read to the end, error texts, times, events, and the attempts of the
// client that reached no server (a refused dial, a failed handshake).
//
// Exchanges are paired by their Link where both sides know it, otherwise in order.
func Diff(client, server Trace, secrets ...string) string {
	pairs := pair(reached(client), reached(server))
	left, right := make(Trace, 0, len(pairs)), make(Trace, 0, len(pairs))
	for _, p := range pairs { // in one order, so that both number sessions alike
		if p.client != nil {
			left = append(left, *p.client)
		}
		if p.server != nil {
			right = append(right, *p.server)
		}
	}
	left, right = Scrub(left, secrets...), Scrub(right, secrets...)
	var b strings.Builder
	conns := [2]map[int]int{{}, {}}
	for n, p := range pairs {
		var c, s Exchange
		if p.client != nil {
			c, left = left[0], left[1:]
			renumber(&c, n+1, conns[0])
		}
		if p.server != nil {
			s, right = right[0], right[1:]
			renumber(&s, n+1, conns[1])
		}
		switch {
		case p.server == nil:
			diffLines(&b, FormatExchange(c), "")
		case p.client == nil:
			diffLines(&b, "", FormatExchange(s))
		default:
			alike(&c, &s)
			diffLines(&b, FormatExchange(c), FormatExchange(s))
		}
	}
	return b.String()
}

// reached are the exchanges that both sides can have seen.
func reached(t Trace) Trace {
	var out Trace
	for _, e := range t {
		lost := e.Response.Status == 0 && (e.Failure == FailureRefused || e.Failure == FailureTLS || e.Failure == FailureDNS)
		if e.Route.Op != OpEvent && !lost {
			out = append(out, e)
		}
	}
	return out
}

type tracePair struct{ client, server *Exchange }

// pair puts the two sides of each exchange together, in the client's order, and
// what only the server saw last.
func pair(client, server Trace) []tracePair {
	var pairs []tracePair
	taken := make([]bool, len(server))
	for i := range client {
		p := tracePair{client: &client[i]}
		for k := range server {
			if !taken[k] && (client[i].Link == server[k].Link || client[i].Link == "" || server[k].Link == "") {
				p.server, taken[k] = &server[k], true
				break
			}
		}
		pairs = append(pairs, p)
	}
	for k := range server {
		if !taken[k] {
			pairs = append(pairs, tracePair{server: &server[k]})
		}
	}
	return pairs
}

func renumber(e *Exchange, seq int, conns map[int]int) {
	e.Seq = seq
	if conns[e.Conn] == 0 {
		conns[e.Conn] = len(conns) + 1
	}
	e.Conn = conns[e.Conn]
}

// alike takes out what only one side can see.
func alike(c, s *Exchange) {
	c.Err, s.Err, c.Fault, s.Fault, c.Open, s.Open = "", "", "", "", false, false
	alikeHeaders(&c.Request.Header, &s.Request.Header)
	alikeHeaders(&c.Response.Header, &s.Response.Header)
	for _, b := range [...][2]*Body{{&c.Request.Body, &s.Request.Body}, {&c.Response.Body, &s.Response.Body}} {
		if b[0].Cut || b[1].Cut {
			*b[0], *b[1] = Body{}, Body{}
		}
		if len(b[0].Head) == 0 || len(b[1].Head) == 0 { // net/http told one side the media type
			b[0].Head, b[1].Head = nil, nil
			if b[0].Digest == DigestVaries || b[1].Digest == DigestVaries {
				*b[0], *b[1] = Body{}, Body{}
			}
		}
	}
}

// alikeHeaders drops hop-by-hop headers (RFC 9110, 7.6.1) and those that
// net/http writes or removes by itself.
func alikeHeaders(a, b *http.Header) {
	*a, *b = canonical(*a), canonical(*b)
	for _, h := range [...]http.Header{*a, *b} {
		for _, name := range [...]string{
			"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
			"Accept-Encoding", "Content-Length", "Date", "Host",
		} {
			delete(h, name)
		}
	}
	for _, name := range [...]string{"User-Agent", "Content-Type"} { // added when missing
		if (*a)[name] == nil || (*b)[name] == nil {
			delete(*a, name)
			delete(*b, name)
		}
	}
}

func canonical(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		for _, v := range values {
			out[name] = append(out[name], strings.TrimSpace(v))
		}
	}
	return out
}

// diffLines writes the lines that only one of two blocks has, under the first line.
func diffLines(b *strings.Builder, client, server string) {
	if client == server {
		return
	}
	left, right := strings.Split(client, "\n"), strings.Split(server, "\n")
	extra := map[string]int{}
	for _, line := range right {
		extra[line]++
	}
	if left[0] == right[0] {
		b.WriteString("  " + left[0] + "\n")
	}
	for _, line := range left {
		if extra[line] > 0 {
			extra[line]--
		} else {
			b.WriteString("- " + brief(line) + "\n")
		}
	}
	for _, line := range right {
		if extra[line] > 0 {
			extra[line]--
			b.WriteString("+ " + brief(line) + "\n")
		}
	}
}

// brief cuts a line to what a person reads.
func brief(line string) string {
	const limit = 200
	if len(line) <= limit {
		return line
	}
	return strings.ToValidUTF8(line[:limit], "") + "…"
}

// Join returns a copy of the client's trace in which every exchange carries the
// faults that the server noted on the same exchange, found by its Link and its
// place among those of that link. Neither trace may be scrubbed.
func Join(client, server Trace) Trace {
	out := make(Trace, len(client))
	seen := map[string]int{}
	for i, e := range client {
		out[i] = e.clone()
		if e.Link == "" {
			continue
		}
		n := seen[e.Link]
		seen[e.Link]++
		f := &faults{}
		for _, list := range [...]string{e.Fault, faultOn(server, e.Link, n)} {
			for name := range strings.SplitSeq(list, ",") {
				if name != "" {
					f.add(name)
				}
			}
		}
		out[i].Fault = f.String()
	}
	return out
}

// faultOn is what struck the nth exchange of a link.
func faultOn(t Trace, link string, n int) string {
	for _, e := range t {
		if e.Link != link {
			continue
		}
		if n == 0 {
			return e.Fault
		}
		n--
	}
	return ""
}
