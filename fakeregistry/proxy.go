package fakeregistry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// ProxyOptions say what a Proxy stands in front of.
type ProxyOptions struct {
	// Upstream is the registry's address: "https://registry.example:5000". It has no
	// path, for V2 is at the root of its host, and no credentials: clients bring
	// their own.
	Upstream string
	// Aliases are further addresses that mean the same registry: one that knows
	// itself by another name hands out Locations and realms with it.
	Aliases  []string
	CA       []byte // certificates to trust for Upstream instead of the system's, PEM; nil trusts the system's
	Insecure bool   // the certificate of Upstream is not checked
	// Grace is how long the registry may go on answering a client that has closed its
	// end after its request; 0 is half a minute.
	Grace time.Duration
	// Dial opens the connections to Upstream; nil is the system's way.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  *slog.Logger // what went wrong between proxy and registry; nil discards
}

// A Proxy is a registry that lives elsewhere: what it is asked it passes on, as it
// comes, and the answer likewise. Config.Faults strike between the client and it.
//
// It is as honest as HTTP lets it be. Every connection of a client has one of its
// own to the registry, so that nothing is sent twice and a connection that one end
// breaks, closes or lets idle away is broken, closed or gone at the other. Bodies
// are streamed with their framing, an answer that comes early goes out at once,
// a client that closes its end of a connection still hears what it is answered.
// No header is added. These change: hop-by-hop headers (RFC 9110, 7.6.1) are each
// connection's own; Host is the registry's; Location, Link, X-Docker-Endpoints and
// the realm of a challenge lead back through the proxy where they named the
// registry's own address, and stay where they named another. Names of headers
// are written as Go writes them. Upgrades do not pass.
//
// A registry that cannot be reached, or that does not speak HTTP, is a 502 whose
// error says so. A Proxy is safe for concurrent use. Whoever made it closes it;
// a Server does so for the one that it serves.
type Proxy struct {
	options  ProxyOptions
	upstream *url.URL
	origins  []string // "https://registry.example:443", of Upstream and Aliases
	tls      *tls.Config
	log      *slog.Logger
	work     sync.WaitGroup // goroutines

	mu     sync.Mutex // guards everything below
	lines  map[*upline]struct{}
	byConn map[*conn]*upline
	realms []string // hosts
	closed bool
}

// NewProxy makes a proxy. It does not look whether the registry is there.
//
// Errors: an address that is none, or that has a path, a query or credentials; a
// CA without a certificate.
func NewProxy(o ProxyOptions) (*Proxy, error) {
	p := &Proxy{options: o, log: o.Log, lines: map[*upline]struct{}{}, byConn: map[*conn]*upline{}}
	var err error
	if p.upstream, err = parseOrigin(o.Upstream); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	p.origins = append(p.origins, originOf(p.upstream))
	for _, alias := range o.Aliases {
		u, err := parseOrigin(alias)
		if err != nil {
			return nil, fmt.Errorf("alias: %w", err)
		}
		p.origins = append(p.origins, originOf(u))
	}
	p.tls = &tls.Config{ServerName: p.upstream.Hostname(), InsecureSkipVerify: o.Insecure} //nolint:gosec // asked for
	if o.CA != nil {
		p.tls.RootCAs = x509.NewCertPool()
		if !p.tls.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, errors.New("the CA has no certificate in it; want PEM")
		}
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.options.Grace <= 0 {
		p.options.Grace = 30 * time.Second
	}
	if p.options.Dial == nil {
		p.options.Dial = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	return p, nil
}

// parseOrigin reads an address that is a scheme and a host.
func parseOrigin(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // a *url.Error repeats the address, which may have a password in it
		return nil, errors.New("it is not an address; want https://HOST[:PORT] or http://HOST[:PORT]")
	case u.User != nil:
		return nil, errors.New("it has credentials in it; want https://HOST[:PORT] alone")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not an address; want https://HOST[:PORT] or http://HOST[:PORT]", address)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has more than a host; a registry's V2 is at the root of its host: want %s://%s", address, u.Scheme, u.Host)
	}
	u.Path = ""
	return u, nil
}

// originOf is a scheme, a host and a port, comparable.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return u.Scheme + "://" + strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// Upstream is the registry's address: "https://registry.example:5000".
func (p *Proxy) Upstream() string { return p.upstream.String() }

// Realms are the hosts ("auth.example", with a port where one was written) to which
// the registry itself sent clients for a token so far, other than its own.
func (p *Proxy) Realms() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.realms)
}

// Storage is nil: the registry lives elsewhere.
func (p *Proxy) Storage() *Storage { return nil }

// Close ends the connections to the registry, and waits for what still uses them.
// It may be called more than once. It never fails.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	open := make([]*upline, 0, len(p.lines))
	for l := range p.lines {
		open = append(open, l)
	}
	p.mu.Unlock()
	for _, l := range open {
		l.close()
	}
	p.work.Wait()
	return nil
}

// Check asks the registry for its base (GET /v2/), without credentials, and
// returns its status: 200 and 401 are those of a V2 registry.
//
// Errors: the registry cannot be reached, or does not answer in HTTP; ctx's error.
func (p *Proxy) Check(ctx context.Context) (status int, err error) {
	l, err := p.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s cannot be reached: %w", p.Upstream(), err)
	}
	defer l.close()
	defer context.AfterFunc(ctx, l.close)()
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/v2/"}, Header: http.Header{}, Host: p.upstream.Host}
	if err = r.Write(l.out); err == nil {
		err = l.out.Flush()
	}
	var resp *http.Response
	if err == nil {
		err = <-l.ready
	}
	if err == nil {
		resp, err = http.ReadResponse(l.in, r)
	}
	if err != nil {
		return 0, fmt.Errorf("%s does not answer GET /v2/: %w", p.Upstream(), errors.Join(ctx.Err(), err))
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// ServeHTTP passes one request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := connOf(r.Context())
	if c != nil && r.ProtoMajor != 1 {
		c = nil // many requests share the connection
	}
	l, err := p.lineFor(r.Context(), c)
	if err != nil {
		if r.Context().Err() != nil {
			abort()
		}
		p.log.Error("the registry cannot be reached", slog.String("upstream", p.Upstream()), slog.Any("error", err))
		badGateway(w, fmt.Sprintf("pushcheck: the registry at %s cannot be reached: %v", p.Upstream(), err))
		return
	}
	x := &passage{proxy: p, line: l, client: c, w: w, r: r, sent: make(chan struct{}), over: make(chan struct{}), clock: benchOf(r.Context()).clock}
	x.serve()
}

// badGateway tells the client what a proxy alone can know.
func badGateway(w http.ResponseWriter, text string) {
	envelope(http.StatusBadGateway, &Error{Code: CodeUnknown, Message: text}).write(w)
}

// lineFor is the connection to the registry that belongs to a client's, or one of
// its own for a single request.
func (p *Proxy) lineFor(ctx context.Context, c *conn) (*upline, error) {
	if c == nil {
		return p.connect(ctx)
	}
	p.mu.Lock()
	l := p.byConn[c]
	p.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	l.client = c
	p.mu.Lock()
	p.byConn[c] = l
	p.mu.Unlock()
	context.AfterFunc(c.ctx, l.close)
	return l, nil
}

// connect opens a connection to the registry.
func (p *Proxy) connect(ctx context.Context) (*upline, error) {
	addr := strings.SplitN(p.origins[0], "://", 2)[1]
	nc, err := p.options.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	outer := nc
	if p.upstream.Scheme == "https" {
		own, cancel := clock.Real().WithTimeout(ctx, headerTimeout)
		secure := tls.Client(nc, p.tls)
		err := secure.HandshakeContext(own)
		cancel()
		if err != nil {
			_ = nc.Close()
			return nil, err
		}
		outer = secure
	}
	l := newUpline(p, nc, outer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close()
		return nil, net.ErrClosed
	}
	p.lines[l] = struct{}{}
	l.listen()
	return l, nil
}

// forget drops a connection that is closed.
func (p *Proxy) forget(l *upline) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
	if l.client != nil && p.byConn[l.client] == l {
		delete(p.byConn, l.client)
	}
}
