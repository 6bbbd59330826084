// Package record makes recordings of any client: a proxy that the client takes
// for the registry passes everything on to a real one, and keeps what it sees as
// the client wrote it: names and order of headers, connections, TLS where nobody
// expects it, and how a connection ended.
package record

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// A Config says what to record.
type Config struct {
	// Upstream is the registry, "http://127.0.0.1:5000" or "https://…", without a
	// path.
	Upstream string
	Listen   string // the proxy's address; "" is a free port on 127.0.0.1
	Expose   bool   // allow an address that other machines can reach
	// Name is the "host:port" by which the client knows the proxy; "" is its address.
	Name string
	// Certificate makes the proxy speak TLS, and only that; nil is plain HTTP.
	Certificate *tls.Certificate
	// UpstreamTLS is how to speak with an https upstream; nil believes what the
	// system does.
	UpstreamTLS *tls.Config
	// Observe, when not nil, is called with each exchange as it ends, not yet
	// scrubbed; calls do not overlap.
	Observe func(recording.Exchange)
}

// A Proxy records. Its methods are safe for concurrent use.
type Proxy struct {
	config   Config
	upstream *url.URL
	listener net.Listener
	client   *http.Transport
	life     context.Context // ends with Close
	end      context.CancelFunc
	done     sync.WaitGroup // every goroutine

	mu     sync.Mutex // guards everything below
	open   map[net.Conn]struct{}
	closed bool
	conns  int
	list   []*recording.Exchange

	telling sync.Mutex // one call of Observe at a time
}

// Start begins to record. The caller closes the proxy.
//
// Errors: an upstream that is no address of a registry; of the listener.
func Start(ctx context.Context, c Config) (*Proxy, error) {
	upstream, err := parseUpstream(c.Upstream)
	if err != nil {
		return nil, err
	}
	address := cmp.Or(c.Listen, "127.0.0.1:0")
	if err := checkLoopback(address, c.Expose); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: c, upstream: upstream, listener: l, open: map[net.Conn]struct{}{}}
	// A connection for each request: net/http repeats a request by itself when one
	// that it kept turns out to be closed, and what the registry saw would not be
	// what is recorded.
	p.client = &http.Transport{DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: c.UpstreamTLS}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	p.done.Add(1)
	go p.accept()
	return p, nil
}

func parseUpstream(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of a registry; want http://HOST:PORT or https://HOST", s)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%s: the address of a registry is a scheme and a host, and nothing else", u.Redacted())
	}
	return u, nil
}

func checkLoopback(address string, expose bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: want HOST:PORT: %w", address, err)
	}
	if ip := net.ParseIP(host); expose || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("other machines could reach %q, and record what they like; want a loopback address, or to be told so", address)
}

// Host is where the proxy listens, "127.0.0.1:40312".
func (p *Proxy) Host() string { return p.listener.Addr().String() }

// Hosts are the addresses that the word HOST stands for: the proxy's and the
// registry's.
func (p *Proxy) Hosts() []string { return []string{p.Host(), p.upstream.Host} }

// Exchanges is a copy of what was recorded so far, in the order of beginning, not
// scrubbed. After Close it is everything.
func (p *Proxy) Exchanges() []recording.Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]recording.Exchange, len(p.list))
	for i, e := range p.list {
		list[i] = *e
		list[i].ReqHeaders, list[i].RespHeaders = slices.Clone(e.ReqHeaders), slices.Clone(e.RespHeaders)
	}
	return list
}

// Close stops listening, ends what is under way and waits for it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	already := p.closed
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.end()
	err := p.listener.Close()
	p.done.Wait()
	p.client.CloseIdleConnections()
	if already && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	defer p.done.Done()
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			_ = c.Close()
			continue
		}
		p.conns++
		number := p.conns
		p.open[c] = struct{}{}
		p.done.Add(1)
		p.mu.Unlock()
		go func() {
			defer p.done.Done()
			p.serve(c, number)
			_ = c.Close()
			p.mu.Lock()
			delete(p.open, c)
			p.mu.Unlock()
		}()
	}
}

// begin notes an exchange or event in its place. What it holds may change until
// end is called with it.
func (p *Proxy) begin(e recording.Exchange) *recording.Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Seq = len(p.list) + 1
	p.list = append(p.list, &e)
	return &e
}

// finish fills in an exchange that has ended.
func (p *Proxy) finish(e *recording.Exchange, fill func(*recording.Exchange)) {
	p.mu.Lock()
	fill(e)
	told := *e
	p.mu.Unlock()
	if p.config.Observe != nil {
		p.telling.Lock()
		defer p.telling.Unlock()
		p.config.Observe(told)
	}
}

// event notes what was no request. What ends because the proxy does is none.
func (p *Proxy) event(conn int, what string, cause error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return
	}
	e := p.begin(recording.Exchange{Conn: conn, Event: what})
	p.finish(e, func(e *recording.Exchange) {
		if cause != nil {
			e.Err = cause.Error()
		}
	})
}

// helloByte is the first byte of a TLS handshake.
const helloByte = 0x16

// serve records one connection.
func (p *Proxy) serve(c net.Conn, number int) {
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	switch hello := err == nil && first[0] == helloByte; {
	case err != nil:
		p.event(number, recording.EventNoRequest, nil)
	case hello && p.config.Certificate == nil:
		p.event(number, recording.EventPlainHello, nil)
		p.refuse(c, r)
	case !hello && p.config.Certificate != nil:
		p.event(number, recording.EventNoRequest, errors.New("no TLS on a port that speaks nothing else"))
		p.refuse(c, r)
	case hello:
		// HTTP/2 is not offered: a recording is of requests in wire order.
		t := tls.Server(peeked{c, r}, &tls.Config{Certificates: []tls.Certificate{*p.config.Certificate}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS10}) //nolint:gosec // clients of any age
		if err := t.HandshakeContext(p.life); err != nil {
			p.event(number, recording.EventNoRequest, err)
			return
		}
		p.requests(&link{proxy: p, conn: t, raw: c, r: bufio.NewReader(t), number: number})
	default:
		p.requests(&link{proxy: p, conn: c, raw: c, r: r, number: number})
	}
}

func (p *Proxy) refuse(c net.Conn, r *bufio.Reader) {
	_, _ = c.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks something else.\n"))
	recording.Part(c, r)
}

// peeked is a connection of which some was read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

// Read implements net.Conn.
func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
