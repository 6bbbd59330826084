package fakeregistry

import (
	"net"
	"strconv"
	"sync"
)

// A Network is loopback without the kernel: servers that are started with it are
// reached by the Dial of any of them, and by nobody else. Addresses are given out
// in order, so that the same course of events has the same addresses, and what a
// broken connection shows as is decided by who broke it, not by what the kernel
// was doing: see memConn. The zero Network is ready. It is safe for concurrent use.
type Network struct {
	mu        sync.Mutex // guards everything below
	listeners map[string]*memListener
	dialled   int
}

// firstPort is the port of the first server of a Network; others follow.
const firstPort = 5000

// The ports of clients, and how many there are before the next address is used.
const (
	clientPort  = 40000
	clientPorts = 20000
)

// listen opens a listener at an address, or at the next free one for port 0.
//
// Errors: *net.OpError for an address that is taken.
func (n *Network) listen(addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	if port == "0" {
		for i := firstPort; ; i++ {
			if addr = net.JoinHostPort(host, strconv.Itoa(i)); n.listeners[addr] == nil {
				break
			}
		}
	}
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err == nil && n.listeners[addr] != nil {
		err = errTaken
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: err}
	}
	if n.listeners == nil {
		n.listeners = map[string]*memListener{}
	}
	l := &memListener{network: n, addr: at}
	l.change.L = &l.mu
	n.listeners[addr] = l
	return l, nil
}

// has reports whether an address is one of the network's.
func (n *Network) has(addr string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[addr] != nil
}

// dial connects to a listener.
//
// Errors: as of a port at which nobody listens.
func (n *Network) dial(network, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	if l == nil {
		n.mu.Unlock()
		return nil, refused(network, addr)
	}
	own := &net.TCPAddr{IP: net.IPv4(127, 0, byte(n.dialled/clientPorts), 1), Port: clientPort + n.dialled%clientPorts}
	n.dialled++
	n.mu.Unlock()
	client, server := newMemConns(own, l.addr)
	if !l.offer(server) {
		return nil, refused(network, addr)
	}
	return client, nil
}

// A memListener hands out the connections that were dialled, in order.
type memListener struct {
	network *Network
	addr    *net.TCPAddr

	mu      sync.Mutex // guards everything below
	change  sync.Cond  // with mu
	waiting []*memConn
	closed  bool
}

// offer queues a connection, and reports whether somebody listens.
func (l *memListener) offer(c *memConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting = append(l.waiting, c)
	l.change.Broadcast()
	return true
}

// Accept implements net.Listener.
func (l *memListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.closed {
		l.change.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	return c, nil
}

// Close implements net.Listener. Connections that nobody accepted are reset.
func (l *memListener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[l.addr.String()] == l {
		delete(l.network.listeners, l.addr.String())
	}
	l.network.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.waiting {
		c.reset() // the client was told that it is connected
	}
	l.waiting = nil
	l.change.Broadcast()
	return nil
}

// Addr implements net.Listener.
func (l *memListener) Addr() net.Addr { return l.addr }
