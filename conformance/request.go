package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// bodyLimit is how many bytes of an answer are read.
const bodyLimit = 16 << 20

// headerLimit is how many bytes the headers of an answer may have.
const headerLimit = 1 << 20

// A request is what a check sends. Its body is small and kept, so that it can be
// sent again after a challenge.
type request struct {
	method string
	url    string // a path from the registry's root, or an absolute URL
	header http.Header
	body   []byte
	stream bool // with Transfer-Encoding: chunked
	bare   bool // without credentials
	realm  bool // it goes to a token service that the run trusts
	hasty  bool // a 429 is an answer like any other
	// via sends the request in place of the target's transport; nil is that.
	via http.RoundTripper
	// large is a body that is made while it is sent, in place of body.
	large *largeBlob
	// sink takes the body of the answer in place of answer.body, where the status is 2xx.
	sink  io.Writer
	after *answer // whose Location the request goes to
	// besides are what was sent there meanwhile, and moved nothing.
	besides []*answer
}

// An answer is what came back, or why nothing did.
type answer struct {
	req       request
	status    int
	header    http.Header
	body      []byte
	received  int64 // bytes of its body
	truncated bool  // the body is larger than bodyLimit
	url       *url.URL
	exchange  wire.Exchange
	err       error // no complete answer came
	unheard   bool  // no connection to the registry could be made
}

// errStranger says that nothing can be seen without credentials.
var errStranger = errors.New("the registry wants to know who asks, and there are no credentials for it")

// header makes a header of pairs.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// send sends one request and reads the answer, whatever it is. Where the registry
// wants to know who asks, it is told.
//
// Errors: ctx's when it ended; a *Violation when the registry ended the
// connection or took too long; another when it could not be reached.
func (p *Probe) send(ctx context.Context, r request) (*answer, error) {
	if p.given != nil && r.method != http.MethodGet && r.method != http.MethodHead {
		return &answer{req: r}, fmt.Errorf("the check itself is wrong: it sends %s where nothing may be pushed", r.method)
	}
	a := p.try(ctx, r, p.authorization(r))
	for again := 0; again < 4 && a.err == nil && a.status == http.StatusTooManyRequests && !r.hasty; again++ {
		if err := p.clock.Sleep(ctx, p.retryAfter(a, again)); err != nil {
			return a, err
		}
		a = p.try(ctx, r, p.authorization(r))
	}
	if a.err == nil && a.status == http.StatusUnauthorized && !r.bare && p.sameHost(a.url) {
		value, err := p.authorize(ctx, r, a)
		if !p.known() && (err != nil || value == "") && len(challengesOf(a.header)) > 0 {
			return a, errStranger
		}
		if err != nil {
			return a, err
		}
		if value != "" {
			a = p.try(ctx, r, value)
		}
	}
	if a.err == nil {
		return a, nil
	}
	if ctx.Err() != nil {
		return a, ctx.Err()
	}
	if errors.Is(a.err, errBudget) {
		return a, a.err
	}
	if a.unheard || wantsCertificate(a.err) {
		return a, p.unreachable(a.err)
	}
	return a, a.violation("an answer", "none: "+plainError(a.err))
}

// wantsCertificate reports whether a registry ended the connection because of the
// certificate that it was shown, or was not.
func wantsCertificate(err error) bool {
	text := err.Error() // crypto/tls keeps the type of an alert to itself
	return strings.Contains(text, "remote error: tls: certificate required") || strings.Contains(text, "remote error: tls: bad certificate")
}

// unreachable says why no connection could be made, and what to look at.
func (p *Probe) unreachable(err error) error {
	why, next := plainError(err), ""
	var op *net.OpError
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		next = "; name the authority that is to be believed, or believe any"
	case errors.As(err, new(tls.RecordHeaderError)), strings.Contains(why, "HTTP response to HTTPS client"):
		why, next = "it does not speak TLS", "; write http:// for https://"
	case wantsCertificate(err):
		why, next = "it lets in nobody without a certificate that it knows", "; show it one"
	case errors.As(err, &op) && op.Op == "dial" && op.Err != nil:
		why = op.Err.Error()
	case why == timeLimit:
		why = "no connection within " + p.timeout.String()
	}
	return fmt.Errorf("%s cannot be reached: %s%s", p.base.Host, why, next)
}

// timeLimit is what a request that took too long got.
const timeLimit = "the time limit ended it"

// plainError leaves out what net/http puts before an error.
func plainError(err error) string {
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timeLimit
	}
	return wire.ScrubMessage(err.Error())
}

// try sends a request once; or twice when the connection turned out to be one
// that the registry had closed meanwhile, which it may.
func (p *Probe) try(ctx context.Context, r request, authorization string) *answer {
	a, reused := p.once(ctx, r, authorization)
	if a.err != nil && reused && ctx.Err() == nil && a.status == 0 && !errors.Is(a.err, context.DeadlineExceeded) {
		a, _ = p.once(ctx, r, authorization)
	}
	return a
}

// connecting is what became of the connection for one request. Its zero value is
// ready; it is safe for concurrent use.
type connecting struct{ asked, got, reused atomic.Bool }

// watch is a context whose request tells of its connection.
func (c *connecting) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) { c.got.Store(true); c.reused.Store(i.Reused) },
	})
}

// failed reports whether there was none. A transport that dials in its own way does
// not say.
func (c *connecting) failed() bool { return c.asked.Load() && !c.got.Load() }

func (p *Probe) once(ctx context.Context, r request, authorization string) (a *answer, reused bool) {
	a = &answer{req: r}
	ctx, cancel := p.clock.WithTimeout(ctx, p.timeout)
	defer cancel()
	var c connecting
	ctx = c.watch(ctx)
	req, err := p.newRequest(ctx, r, authorization)
	if err != nil {
		a.err = err
		return a, false
	}
	a.url = req.URL
	if err := p.manners.take(ctx, r.size()); err != nil {
		a.err = err
		return a, false
	}
	transport := p.transport
	if r.via != nil {
		transport = r.via
	}
	p.exchange(transport, req, a) //nolint:bodyclose // it was read and closed
	a.unheard = a.err != nil && c.failed()
	p.follow(a)
	return a, c.reused.Load()
}

// exchange sends a request over a transport, reads its answer and notes both. It
// returns the answer without its body, which a has; nil where none came.
func (p *Probe) exchange(transport http.RoundTripper, req *http.Request, a *answer) *http.Response {
	recorder := wire.NewRecorder(p.clock, nil)
	seq := p.began()
	resp, err := recorder.Transport(transport).RoundTrip(req)
	if err == nil {
		err = a.take(resp, a.req.sink, p.options.Large)
		p.manners.took(a.received)
	}
	a.err = err
	if t := recorder.Trace(); len(t) > 0 {
		a.exchange = t[len(t)-1]
	}
	a.exchange.Seq = seq
	p.ended(a)
	return resp
}

// size is how long a request's body is, in bytes.
func (r request) size() int64 {
	if r.large != nil {
		return r.large.size
	}
	return int64(len(r.body))
}

// take reads an answer, and no more than a limit of it.
func (a *answer) take(resp *http.Response, sink io.Writer, limit int64) error {
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	var err error
	if sink != nil && a.status/100 == 2 {
		a.received, err = io.Copy(sink, io.LimitReader(resp.Body, limit+1))
		return err
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, bodyLimit+1))
	a.received = int64(len(a.body))
	if len(a.body) > bodyLimit {
		a.body, a.truncated = a.body[:bodyLimit], true
	}
	return err
}

func (p *Probe) newRequest(ctx context.Context, r request, authorization string) (*http.Request, error) {
	target := r.url
	if strings.HasPrefix(target, "/") {
		target = p.base.String() + target
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.header)
	if host := r.header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	if _, set := req.Header["User-Agent"]; !set {
		req.Header.Set("User-Agent", "pushcheck")
	}
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity") // else net/http asks for gzip, and unpacks
	}
	if r.large != nil {
		req.Body, req.ContentLength = io.NopCloser(r.large.reader()), r.large.size
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(r.large.reader()), nil }
	}
	if r.stream {
		req.ContentLength, req.GetBody = -1, nil
		req.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	if authorization != "" && p.sameHost(req.URL) {
		req.Header.Set("Authorization", authorization)
	}
	if !r.realm && !p.sameHost(req.URL) {
		req.Header.Del("Authorization")
	}
	return req, nil
}

// sameHost reports whether an address is the registry's own: credentials go
// nowhere else, and never from https to http.
func (p *Probe) sameHost(u *url.URL) bool {
	return u != nil && originOf(u) == originOf(p.base)
}

// location is where the answer points, made absolute.
func (a *answer) location() (string, error) {
	said := a.header.Get("Location")
	if said == "" {
		return "", a.violation("a Location header", "none")
	}
	u, err := a.url.Parse(said)
	if err != nil {
		return "", a.violation("a Location that is a URL", said)
	}
	return u.String(), nil
}

// withDigest adds a digest to the query of a URL and keeps what is there as it is.
func withDigest(address, value string) string {
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	return address + sep + "digest=" + url.QueryEscape(value)
}

// violation is what a check returns when this answer is not what it should be.
func (a *answer) violation(want, got string) error {
	e := a.exchange
	return &Violation{Want: want, Got: got, Exchange: &e, Curl: a.curl()}
}

// want demands one of some statuses.
func (a *answer) want(statuses ...int) error {
	var words []string
	for _, s := range statuses {
		if a.status == s {
			return nil
		}
		words = append(words, fmt.Sprint(s))
	}
	return a.violation("status "+strings.Join(words, " or "), a.said())
}

// refused demands a status of the client's fault.
func (a *answer) refused() error {
	if a.status >= 400 && a.status < 500 {
		return nil
	}
	return a.violation("a status from 400 to 499", a.said())
}

// said is the answer in a few words: its status, and the code of its error.
func (a *answer) said() string {
	text := fmt.Sprint(a.status)
	if codes := a.codes(); len(codes) > 0 {
		text += " " + strings.Join(codes, ",")
	}
	return text
}

// first is the first of several errors.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
