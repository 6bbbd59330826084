package conformance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// A line is what an era of the pusher sends its requests over: the target's own
// transport, within the run's manners, with credentials for nobody but the target
// and the realms that it may name. It notes every exchange. It is safe for
// concurrent use.
type line struct {
	p    *Probe
	next http.RoundTripper
	stop func() // ends its connections

	mu      sync.Mutex // guards everything below
	realms  []string   // that the registry named: scheme, host and path
	answers []*answer
}

// newLine makes a line for an era. Its owner calls stop.
func (p *Probe) newLine(e pusher.Era) *line {
	l := &line{p: p, next: p.transport, stop: func() {}}
	t, ok := p.transport.(*http.Transport)
	if !ok {
		return l
	}
	own := t.Clone()
	own.DisableKeepAlives, own.ForceAttemptHTTP2 = !e.KeepsConnections, e.HTTP2
	if !e.HTTP2 {
		own.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		if own.TLSClientConfig != nil {
			own.TLSClientConfig.NextProtos = nil
		}
	}
	l.next, l.stop = own, own.CloseIdleConnections
	return l
}

// RoundTrip sends a request of an era.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if originOf(out.URL) == originOf(l.p.base) {
		out.URL.Host = l.p.base.Host
	}
	if err := l.keepIn(out); err != nil {
		return nil, closing(req, err)
	}
	if err := l.p.manners.take(req.Context(), max(req.ContentLength, 0)); err != nil {
		return nil, closing(req, err)
	}
	a := &answer{req: request{method: out.Method, url: out.URL.String(), header: shown(out.Header)}, url: out.URL}
	if wire.ParseRoute(out.Method, out.URL).Session != "" {
		a.req.after = l.leads(out.URL.String())
	}
	if a.req.body = bodyInMemory(out); a.req.body == nil && out.Body != nil && out.Body != http.NoBody {
		a.req.large = &largeBlob{size: out.ContentLength} // no command shows it
	}
	return l.inTurn(out, a)
}

// inTurn sends a request, and again when the registry says that it got too many, of
// which those of the run's other checks may be most. A body that is made on the way
// goes once: the push is begun again then.
func (l *line) inTurn(out *http.Request, a *answer) (*http.Response, error) {
	for again := 0; ; again++ {
		resp, err := l.exchange(out, a)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests || again == 4 || !rewind(out) {
			l.note(a)
			return resp, err
		}
		if err := l.p.clock.Sleep(out.Context(), l.p.retryAfter(a, again)); err != nil {
			return nil, err
		}
		if err := l.p.manners.take(out.Context(), max(out.ContentLength, 0)); err != nil {
			return nil, err
		}
		a = &answer{req: a.req, url: a.url}
	}
}

// rewind makes a request ready to be sent again, and reports whether it can be.
func rewind(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	r.Body = body
	return true
}

// exchange sends a request and reads its answer.
func (l *line) exchange(out *http.Request, a *answer) (*http.Response, error) {
	ctx, cancel := l.p.clock.WithTimeout(out.Context(), l.p.timeout)
	defer cancel()
	var c connecting
	resp := l.p.exchange(l.next, out.WithContext(c.watch(ctx)), a)
	a.unheard = a.err != nil && c.failed()
	if a.err != nil {
		return nil, a.err
	}
	resp.Body = io.NopCloser(bytes.NewReader(a.body))
	return resp, nil
}

// note keeps an answer, and what has to be deleted for it.
func (l *line) note(a *answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
	for _, c := range challengesOf(a.header) {
		if u, err := url.Parse(c.params["realm"]); err == nil && u.Host != "" {
			l.realms = append(l.realms, realmOf(u))
		}
	}
	route := a.exchange.Route
	switch {
	case a.status == http.StatusCreated && route.Op == wire.OpUploadPut:
		l.p.remember(blobPath(route.Repository, route.Digest))
	case a.status/100 == 2 && route.Op == wire.OpManifestPut:
		reference := route.Tag
		if d := a.header.Get("Docker-Content-Digest"); d != "" {
			reference = d
		} else if a.req.body != nil {
			reference = digestOf(a.req.body).String()
		}
		l.p.remember(manifestPath(route.Repository, reference))
	}
	if slices.Contains(l.realms, realmOf(a.url)) {
		var said tokenReply
		if json.Unmarshal(a.body, &said) == nil {
			l.p.keys.keep(said.Token, said.AccessToken, said.Refresh)
		}
		a.req.header, a.req.large = nil, &largeBlob{} // no command shows it
	}
}

// keepIn takes credentials out of a request to a stranger, and refuses one to a realm
// that no credential should go to.
func (l *line) keepIn(out *http.Request) error {
	if l.p.sameHost(out.URL) {
		return nil
	}
	l.mu.Lock()
	realm, named := slices.Contains(l.realms, realmOf(out.URL)), slices.ContainsFunc(l.answers, func(a *answer) bool { return a.names(out.URL) })
	l.mu.Unlock()
	switch {
	case realm:
		return l.p.trusts(out.URL)
	case !named:
		return errNobodyNamed
	}
	out.Header.Del("Authorization")
	return nil
}

// errNobodyNamed is what becomes of a request to a host that the registry did not
// send anybody to.
var errNobodyNamed = errors.New("the registry names no such host")

// names reports whether an answer sends clients to the host of an address.
func (a *answer) names(u *url.URL) bool {
	if a.err != nil {
		return false
	}
	location, err := a.url.Parse(a.header.Get("Location"))
	return err == nil && originOf(location) == originOf(u) || strings.Contains(a.header.Get("X-Docker-Endpoints"), u.Host)
}

// leads is the answer whose Location an address is.
func (l *line) leads(address string) *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range slices.Backward(l.answers) {
		if a.err != nil || a.header.Get("Location") == "" {
			continue
		}
		if location, err := a.location(); err == nil && strings.HasPrefix(address, location) {
			return a
		}
	}
	return nil
}

// failing is the last answer that was not what a client hopes for; nil when there
// is none. What the client gave up because of another is none, unless there is no
// other.
func (l *line) failing() *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	var given *answer
	for _, a := range slices.Backward(l.answers) {
		absent := a.status == http.StatusNotFound && a.req.method == http.MethodHead
		switch {
		case errors.Is(a.err, context.Canceled):
			given = cmp.Or(given, a)
		case a.err != nil || a.status >= http.StatusBadRequest && a.status != http.StatusUnauthorized && !absent:
			return a
		}
	}
	return given
}

// tooMany is an answer of 429; nil when there is none.
func (l *line) tooMany() *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.err == nil && a.status == http.StatusTooManyRequests {
			return a
		}
	}
	return nil
}

// beside is a Location that the registry gave without a host and without a path from
// its root: "uploads/1". It is lawful, and not every client can follow it. "" where
// there was none.
func (l *line) beside() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if at := a.header.Get("Location"); at != "" && !strings.HasPrefix(at, "/") && !strings.Contains(at, "://") {
			return at
		}
	}
	return ""
}

// last is the last answer; nil when nothing was sent.
func (l *line) last() *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.answers) == 0 {
		return nil
	}
	return l.answers[len(l.answers)-1]
}

// closing closes a request's body, as whoever fails must, and returns why.
func closing(req *http.Request, err error) error {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return fmt.Errorf("%s: %w", req.URL.Host, err)
}

// originOf is a scheme, a host and a port, comparable.
func originOf(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + portOf(u)
}

// realmOf is a realm without its query.
func realmOf(u *url.URL) string { return originOf(u) + u.Path }

// shown are the headers that a command shows.
func shown(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"Authorization", "User-Agent", "Accept-Encoding", "Content-Length"} {
		h.Del(name)
	}
	if h.Get("Content-Type") == "" {
		h.Del("Content-Type")
	}
	return h
}

// bodyInMemory is a small body that can be had again; nil for any other.
func bodyInMemory(r *http.Request) []byte {
	if r.ContentLength == 0 && r.Method == http.MethodPost {
		return []byte{}
	}
	if r.GetBody == nil || r.ContentLength <= 0 || r.ContentLength > curlBody {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, curlBody))
	if err != nil {
		return nil
	}
	return data
}

// through is what a pusher's Config wants: every request goes over the line, none
// over what the pusher would use.
func (l *line) through(http.RoundTripper) http.RoundTripper { return l }
