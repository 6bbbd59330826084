package wire

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// The words that stand in a scrubbed trace where something secret or unstable
// stood. Hosts and upload sessions are numbered by first appearance: HOST,
// HOST2, …; SESSION1, SESSION2, ….
const (
	maskCredentials = "CREDENTIALS"
	maskPassword    = "PASSWORD"
	maskToken       = "TOKEN"
	maskCookie      = "COOKIE"
	maskSignature   = "SIGNATURE"
	maskState       = "STATE"
	maskDate        = "DATE"
	maskID          = "ID"
	maskClient      = "CLIENT"  // the client's end of a connection
	maskAddress     = "ADDRESS" // an address that is no host of the trace
	maskSecret      = "***"     // one of the secrets that were listed
)

// DigestVaries stands for the digest of a body in which something was scrubbed,
// or whose signature the head does not reach to: it differs from run to run.
const DigestVaries digest.Digest = "varies"

// A Scrubber makes exchanges stable and free of secrets, on copies. What it has
// learnt from one exchange (hosts, upload sessions, tokens, passwords) it knows
// in the next. It is safe for concurrent use.
//
// Scrubbed are: credentials and tokens in headers, queries, forms, JSON and
// URLs; cookies; signatures and keys of signed manifests; _state values; dates;
// hosts, ports and client addresses; upload sessions; the kernel and versions in
// docker's User-Agent; the exchange's Link; and every listed secret wherever it
// stands, also escaped or inside base64. The account of a token request stays.
type Scrubber struct {
	// KeepTimes leaves At and Elapsed as they are; otherwise they become 0.
	KeepTimes bool

	mu       sync.Mutex // guards everything below
	secrets  secrets
	hosts    map[string]string
	sessions map[string]string
	terms    terms
}

// NewScrubber makes a scrubber that knows the listed secrets, which may be in no
// output at all. Empty ones are ignored. A very short one costs legibility: it
// is masked wherever its letters happen to stand.
func NewScrubber(secrets ...string) *Scrubber {
	return &Scrubber{secrets: newSecrets(secrets), hosts: map[string]string{}, sessions: map[string]string{}}
}

// Scrub returns a stable copy of t that is free of secrets. It is idempotent,
// Scrub(Scrub(t)) equals Scrub(t), unless a listed secret has punctuation that
// means something in a header or a URL.
func Scrub(t Trace, secrets ...string) Trace { return NewScrubber(secrets...).Trace(t) }

// Trace returns a scrubbed copy of t. Everything in t is learnt from before
// anything is scrubbed.
func (s *Scrubber) Trace(t Trace) Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range t {
		s.learn(e)
	}
	out := make(Trace, len(t))
	for i, e := range t {
		out[i] = s.exchange(e.clone())
	}
	return out
}

// Exchange returns a scrubbed copy of e, having learnt from it.
func (s *Scrubber) Exchange(e Exchange) Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn(e)
	return s.exchange(e.clone())
}

// Text scrubs a message by what was learnt so far: listed and learnt secrets,
// hosts, client addresses and upload sessions.
func (s *Scrubber) Text(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text(text)
}

// Secrets masks the listed secrets in a text and leaves everything else as it is.
func (s *Scrubber) Secrets(text string) string { return s.secrets.mask(text) }

func (s *Scrubber) text(text string) string { return s.secrets.mask(s.terms.replace(text)) }

// exchange scrubs e in place.
func (s *Scrubber) exchange(e Exchange) Exchange {
	e.Link, e.Until = "", 0
	if !s.KeepTimes {
		e.At, e.Elapsed = 0, 0
	}
	e.Err = s.text(maskCookies(maskAddresses(s.terms.replace(e.Err))))
	e.Request.Method = s.method(e.Request.Method)
	e.Request.Host = s.secrets.mask(s.hostName(e.Request.Host))
	if e.Route.Op == OpEvent {
		e.Request.Target = s.text(e.Request.Target)
	} else {
		e.Request.Target = s.secrets.mask(s.link(e.Request.Target))
	}
	e.Route = s.route(e)
	s.message(&e.Request.Header, &e.Request.Body, e.Route.Op)
	s.message(&e.Response.Header, &e.Response.Body, e.Route.Op)
	return e
}

// message scrubs the header and body of one half. A Content-Length follows the
// body, for it would tell the length of what was masked.
func (s *Scrubber) message(h *http.Header, b *Body, op Op) {
	was := strconv.FormatInt(b.Length, 10)
	*b = s.body(*b, *h, op)
	if now := strconv.FormatInt(b.Length, 10); now != was && h.Get("Content-Length") == was {
		h.Set("Content-Length", now)
	}
	*h = s.header(*h)
}

// method scrubs a method that HTTP does not know: a client may send anything.
func (s *Scrubber) method(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return s.secrets.mask(method)
}

// route reads the route anew, so that it says nothing that the target does not.
func (s *Scrubber) route(e Exchange) Route {
	if e.Request.Method != "" && e.Request.Target != "" {
		return routeOfTarget(e.Request.Method, e.Request.Target)
	}
	r := e.Route
	r.Session = s.secrets.mask(s.sessionName(r.Session))
	r.Repository, r.From, r.Tag = s.secrets.mask(r.Repository), s.secrets.mask(r.From), s.secrets.mask(r.Tag)
	r.ImageID, r.Digest = s.secrets.mask(r.ImageID), digest.Digest(s.secrets.mask(string(r.Digest)))
	return r
}

func routeOfTarget(method, target string) Route {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return Route{Op: OpOther}
	}
	return ParseRoute(method, u)
}

// body scrubs what was kept of a body. Its length becomes that of the scrubbed one.
func (s *Scrubber) body(b Body, h http.Header, op Op) Body {
	truncated := b.Length > int64(len(b.Head))
	if truncated && len(b.Head) > 0 && isSigned(b.Head) {
		b.Digest = DigestVaries // the signatures are at the end
	}
	if len(b.Head) == 0 {
		if op == OpToken && b.Length > 0 {
			b.Digest = DigestVaries
		}
		b.Head = nil
		return b
	}
	head := b.Head
	switch {
	case isForm(h):
		head = []byte(scrubQuery(string(head)))
	case looksJSON(head):
		head = scrubJSON(head)
	}
	head = []byte(s.text(string(head)))
	if truncated {
		head = s.secrets.maskTail(head)
	}
	if !bytes.Equal(head, b.Head) {
		b.Length += int64(len(head) - len(b.Head))
		b.Digest, b.Head = DigestVaries, head
	}
	return b
}

func isForm(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/x-www-form-urlencoded")
}

// hostName is the name that stands for a host; unknown ones stay.
func (s *Scrubber) hostName(host string) string {
	if name, ok := s.hosts[host]; ok {
		return name
	}
	return host
}

func (s *Scrubber) sessionName(session string) string {
	if name, ok := s.sessions[session]; ok {
		return name
	}
	return session
}

func numbered(word string, n, plain int) string {
	if n == plain {
		return word
	}
	return word + strconv.Itoa(n)
}
