package pusher

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A bestHost is the registry as best speaks to it. It is safe for concurrent use.
type bestHost struct {
	job  *Job
	root *url.URL
	auth *bestAuth
	gate *bestGate

	mu      sync.Mutex // guards everything below
	linked  bool       // a connection came to be, TLS included
	reached bool       // something was answered
	unasked bool       // the registry does not want to be asked before a body comes
	counts  map[string]int
}

func newBestHost(job *Job) (*bestHost, error) {
	root, err := url.Parse(job.Endpoint.URL)
	if err != nil {
		return nil, err
	}
	h := &bestHost{job: job, root: root, gate: newBestGate(job.Clock, job.recorder.Turn), counts: map[string]int{}}
	h.auth = newBestAuth(h)
	return h, nil
}

// at is the address of something in the repository.
func (h *bestHost) at(format string, args ...any) string {
	return h.root.Scheme + "://" + h.root.Host + "/v2/" + h.job.Name.Remote + fmt.Sprintf(format, args...)
}

// A call is one request that is to be made.
type call struct {
	method, address string
	header          http.Header
	small           []byte // a body that can be sent again
	// stream opens a body of size bytes, which is not sent again by itself.
	stream func() (io.ReadCloser, error)
	size   int64
	about  string // beside the address: what is counted and gated as one
	tries  int    // in a row; 0 is bestTries, 1 for a stream
	bare   bool   // without authorization
	asks   bool   // whether its body is wanted, before it sends it
	opens  bool   // a session: its answer is waited for, for a while, though the push was given up
}

func (c *call) title() string {
	address, _, _ := strings.Cut(c.address, "?")
	return c.method + " " + address
}

// do makes a call, again and again where that may help. What was answered at last
// is no error, whatever it says.
//
// Errors: of the connection, ctx's, errOften, errLocal.
func (h *bestHost) do(ctx context.Context, c call) (*answer, error) {
	tries := c.tries
	if tries == 0 {
		tries = bestTries
	}
	if c.stream != nil {
		tries = 1
	}
	for n := 1; ; n++ {
		a, err := h.authorized(ctx, c)
		if a != nil {
			a.tries = n
		}
		if ctx.Err() != nil {
			if err == nil && a.ok() {
				return a, nil // what it opened wants to be closed
			}
			return nil, ctx.Err()
		}
		if err == nil && !a.passing() || err != nil && !h.passingError(err) || n >= tries {
			return a, err
		}
		h.job.Log.InfoContext(ctx, "trying again", "request", c.title(), "try", n, "err", reasonOf(a, err))
		if err := h.job.Clock.Sleep(ctx, bestDelay(n)); err != nil {
			return nil, err
		}
	}
}

func reasonOf(a *answer, err error) error {
	if err != nil {
		return err
	}
	return a.err()
}

// passingError tells whether an error of the connection may pass. Where TLS never
// worked and plain HTTP is allowed, that is what comes next.
func (h *bestHost) passingError(err error) bool {
	var cert *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	if errors.Is(err, errOften) || errors.Is(err, errLocal) || errors.As(err, &cert) || errors.As(err, &noTLS) {
		return false
	}
	var final *finalError
	if errors.As(err, &final) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.linked || h.root.Scheme != "https" || !h.job.Endpoint.Insecure
}

// authorized makes a call once, and again when a new token may help. A token may
// die while another request that it was renewed for is under way: that is seen
// twice at the most.
func (h *bestHost) authorized(ctx context.Context, c call) (*answer, error) {
	for again := 0; ; again++ {
		value, turn := "", 0
		if !c.bare {
			var err error
			if value, turn, err = h.auth.value(ctx); err != nil {
				return nil, err
			}
		}
		c.asks = h.asks(c, value)
		a, err := h.follow(ctx, c, value)
		if err == nil && a.status == http.StatusExpectationFailed && c.asks {
			h.mu.Lock()
			h.unasked = true
			h.mu.Unlock()
			again-- // nothing was sent but the question
			continue
		}
		if err != nil || a.status != http.StatusUnauthorized || c.bare || again == 2 {
			return a, err
		}
		if err := h.auth.renew(ctx, turn, a); err != nil {
			return a, err
		}
		if c.stream != nil {
			a.renewed = true
			return a, nil
		}
	}
}

// asks tells whether a call asks first whether its body is wanted (RFC 9110, section
// 10.1.1): where a token may have died a large body would be sent in vain.
func (h *bestHost) asks(c call, auth string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return c.size >= bestAsks && auth != "" && !h.unasked
}

// follow makes a call and goes where it is sent. A secret stays at the registry, a
// body is put where 307 and 308 say and nowhere else.
func (h *bestHost) follow(ctx context.Context, c call, auth string) (*answer, error) {
	for range 5 {
		u, err := h.allowed(c.address)
		if err != nil {
			return nil, &bestError{c.title(), &finalError{err}}
		}
		c.address = u.String()
		value := auth
		if c.bare || !h.own(u) {
			value = ""
		}
		a, err := h.once(ctx, c, u, value)
		if err != nil || a.status < 300 || a.status > 399 {
			return a, err
		}
		reads := c.method == http.MethodGet || c.method == http.MethodHead
		kept := a.status == http.StatusTemporaryRedirect || a.status == http.StatusPermanentRedirect
		location := a.header.Get("Location")
		if location == "" || !reads && !kept {
			return nil, &bestError{c.title(), &finalError{fmt.Errorf("it was redirected with %d to %q, which a %s cannot follow", a.status, bareAddress(location), c.method)}}
		}
		next, err := u.Parse(location)
		if err != nil {
			return nil, &bestError{c.title(), &finalError{fmt.Errorf("redirected to %q, which is no address", bareAddress(location))}}
		}
		c.address = next.String()
	}
	return nil, &bestError{c.title(), &finalError{errors.New("redirected more than 5 times")}}
}

// bareAddress is an address without what may be secret in it.
func bareAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "an address that cannot be read"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// own tells whether an address is the registry's, at which its credentials are.
func (h *bestHost) own(u *url.URL) bool {
	return u.Scheme == h.root.Scheme && sameHost(u, h.root)
}

// sameHost compares hosts and ports; the scheme's own port may be left out.
func sameHost(a, b *url.URL) bool {
	return withPort(a.Scheme+"://"+a.Host) == withPort(b.Scheme+"://"+b.Host)
}

// allowed reads an address and keeps it on TLS: a registry that is reached over TLS
// and names its own host over HTTP sits behind something that it does not know of.
func (h *bestHost) allowed(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of HTTP", bareAddress(address))
	}
	if h.root.Scheme == "https" && u.Scheme == "http" {
		if !strings.EqualFold(u.Hostname(), h.root.Hostname()) {
			return nil, fmt.Errorf("the registry leads from https to plain http at %s", u.Host)
		}
		u.Scheme, u.Host = "https", h.root.Host
	}
	u.User, u.Fragment = nil, ""
	return u, nil
}

// outlive is a context that ends bestFarewell after ctx does: whoever gives up
// while a session is being opened has to hear its address, to cancel it. release
// must be called.
func (h *bestHost) outlive(ctx context.Context) (held context.Context, release func()) {
	held, abort := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		limited, done := h.job.Clock.WithTimeout(held, bestFarewell)
		<-limited.Done()
		done()
		abort()
	})
	return held, func() {
		abort()
		if !stop() {
			<-ended
		}
	}
}

// once sends one request to an address, which is the call's, and reads its answer.
func (h *bestHost) once(ctx context.Context, c call, to *url.URL, auth string) (*answer, error) {
	title := c.title()
	ctx, begun, err := h.gate.pass(ctx, title)
	if err != nil {
		return nil, err
	}
	defer begun()
	arrive, depart := h.gate.arrival(title)
	defer depart()
	if err := h.count(c, title); err != nil {
		return nil, &bestError{title, err}
	}
	if c.opens {
		held, release := h.outlive(ctx)
		defer release()
		ctx = held
	}
	ctx, cancel := h.job.Clock.WithTimeout(ctx, bestAnswer+time.Duration(c.size/bestSlowest)*time.Second)
	defer cancel()
	linked := false // guarded by h.mu
	defer func() { h.uncount(c, title, &linked) }()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { begun() },
		GotConn: func(httptrace.GotConnInfo) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.linked, linked = true, true
		},
		GotFirstResponseByte: arrive,
	})
	req, sent, err := h.request(ctx, c, to, auth)
	if err != nil {
		return nil, err
	}
	if sent != nil {
		defer func() { <-sent }()
	}
	resp, err := h.job.Transport.RoundTrip(req)
	if err != nil {
		return nil, &bestError{title, err}
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	h.mu.Lock()
	h.reached = true
	h.mu.Unlock()
	release := h.gate.weigh(title, resp, h.job.Clock.Now())
	depart()
	return h.read(c, title, resp, release)
}

// read reads an answer, and has release judge it.
func (h *bestHost) read(c call, title string, resp *http.Response, release func(*answer)) (*answer, error) {
	a := &answer{status: resp.StatusCode, header: resp.Header, request: title, address: c.address}
	limit := int64(bestErrorBody)
	if c.method == http.MethodGet && resp.StatusCode == http.StatusOK {
		limit = bestDocument
	}
	var err error
	if resp.Body != http.NoBody {
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, limit))
	}
	a.read()
	release(a)
	if err != nil && c.method == http.MethodGet && a.status == http.StatusOK {
		return nil, &bestError{title, err} // of every other answer the head says all
	}
	return a, nil
}

// request makes the request of a call. sent is closed when its body is no longer
// read; nil where that is nothing to be waited for.
func (h *bestHost) request(ctx context.Context, c call, to *url.URL, auth string) (req *http.Request, sent <-chan struct{}, err error) {
	var body io.Reader
	switch {
	case c.stream != nil:
		r, err := c.stream()
		if errors.Is(err, errLocal) {
			return nil, nil, &bestError{c.title(), err}
		}
		if err != nil {
			return nil, nil, &bestError{c.title(), fmt.Errorf("%w: %w", errLocal, err)}
		}
		body = r
		if _, streams := r.(*sumBody); streams {
			done := make(chan struct{})
			body, sent = &closingBody{ReadCloser: r, closed: done}, done
		}
	case c.small != nil:
		body = bytes.NewReader(c.small)
	}
	if req, err = http.NewRequestWithContext(ctx, c.method, "", body); err != nil {
		if closer, ok := body.(io.Closer); ok {
			_ = closer.Close()
		}
		return nil, nil, &bestError{c.title(), &finalError{err}}
	}
	req.URL, req.Host = to, to.Host
	for name, values := range c.header {
		req.Header[name] = values
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if c.asks {
		req.Header.Set("Expect", "100-continue")
	}
	if c.stream != nil {
		req.ContentLength = c.size
	}
	return req, sent, nil
}

// A closingBody says when the transport is done with it.
type closingBody struct {
	io.ReadCloser
	once   sync.Once
	closed chan struct{}
}

// Close implements io.Closer.
func (b *closingBody) Close() error {
	var err error
	b.once.Do(func() {
		err = b.ReadCloser.Close()
		close(b.closed)
	})
	return err
}

// askedKey is what requests have in common that ask the same.
func askedKey(c call, title string) string {
	return title + " " + c.header.Get("Content-Range") + " " + c.about
}

// count notes a request, and refuses one too many of those that ask the same.
func (h *bestHost) count(c call, title string) error {
	key := askedKey(c, title)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counts[key] >= bestRequests {
		return errOften
	}
	h.counts[key]++
	return nil
}

// uncount forgets a request that had no connection to be sent on: the registry never
// heard of it, and how often one call is tried has a limit of its own. h.mu guards
// linked.
func (h *bestHost) uncount(c call, title string, linked *bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !*linked {
		h.counts[askedKey(c, title)]--
	}
}
