package fakeregistry

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// Dial opens a connection as the network between client and server would:
// faults of dns and connect strike here, with the errors a client would see. To
// other hosts it dials plainly, unless a fault names them.
//
// A client that does not dial through it meets those faults at the listener, as
// far as that is possible: what is refused here is accepted and reset there, and
// names are not looked up at all.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	t := s.resolve(addr)
	if t.addr != "" && s.faults.limitsLines() {
		t.line = s.bench.lines.enter("")
	}
	nc, err := s.open(ctx, network, addr, t)
	switch {
	case t.line == "":
		return nc, err
	case err != nil:
		s.bench.lines.leave(t.line)
		return nil, err
	}
	link := nc.LocalAddr().String()
	s.bench.lines.rename(t.line, link)
	return &linedConn{nc, &s.bench.lines, link}, nil
}

// open is Dial once it is known where it leads.
func (s *Server) open(ctx context.Context, network, addr string, t target) (net.Conn, error) {
	to, err := s.faults.dial(ctx, network, addr, t)
	if err != nil {
		return nil, err
	}
	if to != "" && to != t.addr {
		return s.plain(ctx, network, to)
	}
	if t.addr == "" {
		if name, _, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(name, ".invalid") { // RFC 2606: nobody needs to be asked
			return nil, dialError(network, addr, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true})
		}
		return s.plain(ctx, network, addr)
	}
	if s.down() {
		return nil, refused(network, t.addr)
	}
	if !s.faults.strikesDials() {
		return s.plain(ctx, network, t.addr)
	}
	s.dials.begin()
	nc, err := s.plain(ctx, network, t.addr)
	link := ""
	if err == nil {
		link = nc.LocalAddr().String()
	}
	s.dials.end(link)
	return nc, err
}

// plain dials without faults: on the server's network what is there, and else the
// kernel's.
func (s *Server) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	if s.network != nil && s.network.has(addr) {
		if err := ctx.Err(); err != nil {
			return nil, dialError(network, addr, err)
		}
		return s.network.dial(network, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// resolve finds where an address leads, "" when it is not the server's, and what
// opening a connection to it counts as.
func (s *Server) resolve(addr string) target {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return target{ops: []wire.Op{wire.OpConnect}}
	}
	var ops []wire.Op
	if net.ParseIP(host) == nil {
		ops = append(ops, wire.OpDNS)
	}
	ops = append(ops, wire.OpConnect)
	if s.tokens != nil && strings.EqualFold(addr, s.tokens.addr) {
		return target{addr: s.tokens.addr, ops: append(ops, wire.OpToken)}
	}
	_, own, _ := net.SplitHostPort(s.gate.addr)
	known := slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, host) })
	if known || strings.EqualFold(addr, s.gate.addr) || host == "localhost" && port == own {
		return target{addr: s.gate.addr, ops: ops}
	}
	return target{ops: ops}
}

// refused is what a client sees when nothing listens at an address.
func refused(network, addr string) error {
	return dialError(network, addr, os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

// dialError is what a client sees of a dial that came to nothing.
func dialError(network, addr string, err error) error {
	op := &net.OpError{Op: "dial", Net: network, Err: err}
	if host, _, serr := net.SplitHostPort(addr); serr != nil || net.ParseIP(host) == nil {
		return op
	}
	if a, err := net.ResolveTCPAddr(network, addr); err == nil { // an address in digits looks nothing up
		op.Addr = a
	}
	return op
}

// dials tells connections of this process's clients from others, for a fault
// that struck at Dial must not strike again at the listener.
type dials struct {
	mu     sync.Mutex // guards everything below
	change sync.Cond  // with mu; when open or links change
	open   int        // dials under way
	links  map[string]struct{}
}

func (d *dials) begin() {
	d.mu.Lock()
	d.open++
	d.mu.Unlock()
}

// end notes that a dial ended; link is "" when it did not succeed.
func (d *dials) end(link string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if link != "" {
		if d.links == nil {
			d.links = map[string]struct{}{}
		}
		d.links[link] = struct{}{}
	}
	d.change.Broadcast()
}

// claim reports whether a connection was opened by Dial. It waits for dials that
// are under way, whose links are not known yet.
func (d *dials) claim(link string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if _, ok := d.links[link]; ok {
			delete(d.links, link)
			return true
		}
		if d.open == 0 {
			return false
		}
		d.change.Wait()
	}
}
