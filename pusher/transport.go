package pusher

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// Docker's limits on opening a connection (P-090).
const (
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
)

// headerLimit is how many bytes the headers of an answer may have.
const headerLimit = 1 << 20

// ownComment ends the User-Agent of every era, so that a registry's log tells
// the bench from the real thing.
const ownComment = " (pushcheck)"

// transport makes the round tripper of one endpoint; see Job.Transport. The
// caller releases its connections.
func (c *Client) transport(conf *tls.Config, meta http.Header) (http.RoundTripper, *links) {
	links := newLinks(c.config.Clock)
	multiplexes := c.config.Era.HTTP2 && conf != nil
	if multiplexes {
		conf = conf.Clone()
		conf.NextProtos = []string{"h2", "http/1.1"}
	}
	dial := c.config.Recorder.Dial(links.dialer(limitedDial(c.config.Clock, c.config.Dial)))
	base := &http.Transport{
		DialContext:       dial,
		DialTLSContext:    tlsDialer(c.config.Clock, dial, conf),
		DisableKeepAlives: true, // one connection per request (P-091)
		ForceAttemptHTTP2: multiplexes,
		// docker takes the 10 MiB of net/http; no registry's headers are so long.
		MaxResponseHeaderBytes: headerLimit,
	}
	if c.config.Era.KeepsConnections {
		c.keepConnections(base)
	}
	next := c.config.Recorder.Transport(base)
	if c.config.Through != nil {
		next = c.config.Through(next)
	}
	return &headerTransport{
		next:   next,
		agent:  c.config.Era.UserAgent + ownComment,
		header: meta,
	}, links
}

// A dialFunc opens a connection.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// limitedDial opens connections with docker's limit on the client's clock, whatever
// dials (P-090). What it says of the limit is what a net.Dialer says of its own.
func limitedDial(c clock.Clock, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		limited, cancel := c.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := dial(limited, network, addr)
		if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
			return nil, &net.OpError{Op: "dial", Net: network, Addr: dialled(addr), Err: os.ErrDeadlineExceeded}
		}
		return conn, err
	}
}

// dialled is an address as it was given.
type dialled string

// Network implements net.Addr.
func (dialled) Network() string { return "tcp" }

// String implements net.Addr.
func (d dialled) String() string { return string(d) }

// links are the connections to one endpoint. It tells the clock of every one, so
// that virtual time knows who waits on it, and closes those that are left when
// nobody needs them any more: net/http closes them too, but when it comes to it.
type links struct {
	clock   clock.Clock
	sending atomic.Int32 // bodies that are on their way past Read

	mu    sync.Mutex // guards everything below
	open  map[*linkedConn]bool
	users int  // the attempt, and transfers that other pushes share
	over  bool // nothing is opened any more
}

// newLinks makes links that the caller uses.
func newLinks(c clock.Clock) *links {
	return &links{clock: c, open: map[*linkedConn]bool{}, users: 1}
}

// retain makes somebody a user, who releases them.
func (l *links) retain() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
	return l.release
}

// release ends one use; the last one closes all.
func (l *links) release() {
	l.mu.Lock()
	l.users--
	last := l.users == 0
	l.mu.Unlock()
	if last {
		l.closeAll()
	}
}

type linkedConn struct {
	net.Conn
	link  string // the client's end
	links *links
}

// NetConn is the connection itself.
func (c *linkedConn) NetConn() net.Conn { return c.Conn }

func (l *links) dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &linkedConn{Conn: conn, link: conn.LocalAddr().String(), links: l}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.over {
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		l.open[c] = true
		l.clock.Connected(c.link)
		return c, nil
	}
}

// Close implements net.Conn. It acts once: net/http and closeAll may both close a
// connection, and by the second time another may have the same link.
func (c *linkedConn) Close() error {
	c.links.mu.Lock()
	first := c.links.open[c]
	delete(c.links.open, c)
	c.links.mu.Unlock()
	if !first {
		return net.ErrClosed
	}
	c.links.clock.Abandon(c.link)
	return c.Conn.Close()
}

func (l *links) closeAll() {
	l.mu.Lock()
	left := slices.Collect(maps.Keys(l.open))
	l.over = true
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
}

// errHandshakeTimeout has net/http's words.
var errHandshakeTimeout = errors.New("net/http: TLS handshake timeout")

// tlsDialer does what net/http would do by itself, with the limit on the
// client's clock.
func tlsDialer(c clock.Clock, dial dialFunc, conf *tls.Config) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		own := conf.Clone()
		if own.ServerName == "" {
			if own.ServerName, _, err = net.SplitHostPort(addr); err != nil {
				own.ServerName = addr
			}
		}
		limited, cancel := c.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		conn := tls.Client(raw, own)
		if err := conn.HandshakeContext(limited); err != nil {
			_ = raw.Close()
			if errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
				return nil, errHandshakeTimeout
			}
			return nil, err
		}
		return conn, nil
	}
}

// A headerTransport adds the era's User-Agent and the caller's X-Meta-* headers
// to every request, redirected ones included (P-212).
type headerTransport struct {
	next   http.RoundTripper
	agent  string
	header http.Header
}

// RoundTrip implements http.RoundTripper: "RoundTrip should not modify the
// request", so it sends a copy.
func (t *headerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.WithContext(req.Context())
	out.Header = req.Header.Clone()
	out.Header["User-Agent"] = append(slices.Clone(out.Header["User-Agent"]), t.agent)
	for name, values := range t.header {
		out.Header[name] = append(slices.Clone(out.Header[name]), values...) // appended, never replaced (P-136)
	}
	return t.next.RoundTrip(out)
}

// CloseIdleConnections is found by http.Client.CloseIdleConnections.
func (t *headerTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// limited sends a request with a limit on everything up to the response's
// headers and, until done is called, on its body. What net/http says of a limit
// that ended a request depends on which of its own timers came first; here it is
// always the context's word, which is what it says most often.
//
// done must be called, whatever the error.
func limited(ctx context.Context, c clock.Clock, limit time.Duration, client *http.Client, req *http.Request) (resp *http.Response, done func(), err error) {
	ctx, cancel := c.WithTimeout(ctx, limit)
	resp, err = client.Do(req.WithContext(ctx))
	return resp, cancel, err
}
