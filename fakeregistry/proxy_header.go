package fakeregistry

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// hopByHop are the headers of one connection (RFC 9110, 7.6.1), besides those that
// Connection names.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// endToEnd is a copy of the headers that are not of one connection.
func endToEnd(h http.Header) http.Header {
	e := h.Clone()
	if e == nil {
		e = http.Header{}
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			e.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		e.Del(name)
	}
	return e
}

func copyHeader(to, from http.Header) {
	for name, values := range from {
		to[name] = append(to[name], values...)
	}
}

// leadBack makes the addresses in an answer that are the registry's those of the
// proxy, as the client knows it.
func (p *Proxy) leadBack(h http.Header, r *http.Request) {
	here := "http://" + r.Host
	if r.TLS != nil {
		here = "https://" + r.Host
	}
	each := func(name string, change func(string) string) {
		values := slices.Clone(h[name])
		for i := range values {
			values[i] = change(values[i])
		}
		if len(values) > 0 {
			h[name] = values
		}
	}
	each("Location", func(v string) string { return p.through(v, here) })
	each("Content-Location", func(v string) string { return p.through(v, here) })
	each("Link", func(v string) string { return p.within(v, "<", ">", here) })
	p.noteRealms(h["Www-Authenticate"])
	each("Www-Authenticate", func(v string) string { return p.within(v, `realm="`, `"`, here) })
	each("X-Docker-Endpoints", func(v string) string {
		if v == p.upstream.Host {
			return r.Host
		}
		return v
	})
}

// maxRealms bounds how many realms are remembered.
const maxRealms = 64

// noteRealms remembers where the registry sends its clients.
func (p *Proxy) noteRealms(challenges []string) {
	for _, c := range challenges {
		marked(c, `realm="`, `"`, func(realm string) string {
			u, err := url.Parse(realm)
			if err != nil || u.Host == "" || slices.Contains(p.origins, originOf(u)) {
				return realm
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.realms) < maxRealms && !slices.Contains(p.realms, u.Host) {
				p.realms = append(p.realms, u.Host)
			}
			return realm
		})
	}
}

// through is an address, or the same behind the proxy where it is the registry's.
func (p *Proxy) through(address, here string) string {
	scheme, rest, absolute := strings.Cut(address, "://")
	if !absolute {
		if !strings.HasPrefix(address, "//") {
			return address
		}
		scheme, rest = p.upstream.Scheme, address[2:]
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	u, err := url.Parse(strings.ToLower(scheme) + "://" + rest[:end])
	if err != nil || u.User != nil || !slices.Contains(p.origins, originOf(u)) {
		return address
	}
	return here + rest[end:]
}

// within changes the addresses between two marks.
func (p *Proxy) within(text, before, after, here string) string {
	return marked(text, before, after, func(address string) string { return p.through(address, here) })
}

// marked changes what stands between two marks.
func marked(text, before, after string, change func(string) string) string {
	var b strings.Builder
	for {
		i := indexFold(text, before)
		if i < 0 {
			break
		}
		i += len(before)
		n := strings.Index(text[i:], after)
		if n < 0 {
			break
		}
		b.WriteString(text[:i])
		b.WriteString(change(text[i : i+n]))
		text = text[i+n:]
	}
	b.WriteString(text)
	return b.String()
}

// indexFold is strings.Index whatever the case of ASCII letters.
func indexFold(text, part string) int {
	for i := range len(text) - len(part) + 1 {
		if strings.EqualFold(text[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// streams reports whether a registry, or what is behind one that is wrapped,
// answers while it reads.
func streams(r Registry) bool {
	_, ok := innermost(r).(*Proxy)
	return ok
}

// innermost is a registry without what is wrapped around it.
func innermost(r Registry) Registry {
	for {
		w, ok := r.(interface{ Unwrap() Registry })
		if !ok {
			return r
		}
		r = w.Unwrap()
	}
}

// bothWays lets next answer while it reads: net/http would otherwise read on
// before it writes.
func bothWays(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 needs no leave
		next.ServeHTTP(w, r)
	})
}
