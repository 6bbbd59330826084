package replay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A server plays the registry's side of recordings on one loopback port, one
// script after the other.
type server struct {
	listener net.Listener
	clock    clock.Clock
	cert     tls.Certificate
	done     sync.WaitGroup // every goroutine of the server

	mu     sync.Mutex // guards everything below
	script *script    // what is played at the moment
	open   map[net.Conn]context.CancelFunc
	busy   sync.WaitGroup // connections of the script
	closed bool
}

// startServer listens. The caller closes it.
func startServer(ctx context.Context, c clock.Clock, cert tls.Certificate) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: l, clock: c, cert: cert, open: map[net.Conn]context.CancelFunc{}}
	s.done.Add(1)
	go s.accept(context.WithoutCancel(ctx))
	return s, nil
}

// host is "127.0.0.1:40312".
func (s *server) host() string { return s.listener.Addr().String() }

// play answers from now on as a script has it.
func (s *server) play(sc *script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = sc
}

// settle ends the connections of the script that plays and waits for them.
func (s *server) settle() {
	s.mu.Lock()
	for c, cancel := range s.open {
		cancel()
		_ = c.Close()
	}
	s.script = nil
	s.mu.Unlock()
	s.busy.Wait()
}

// close ends the server and waits for everything that it started.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.settle()
	s.done.Wait()
}

func (s *server) accept(ctx context.Context) {
	defer s.done.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		cctx, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		sc := s.script
		if sc == nil || s.closed {
			s.mu.Unlock()
			cancel()
			_ = c.Close()
			continue
		}
		s.open[c] = cancel
		s.busy.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.busy.Done()
			s.serve(cctx, c, sc)
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
			cancel()
			_ = c.Close()
		}()
	}
}

// helloByte is the first byte of a TLS handshake.
const helloByte = 0x16

// serve plays one connection.
func (s *server) serve(ctx context.Context, c net.Conn, sc *script) {
	sc = sc.of(c.RemoteAddr().String())
	number := sc.connect()
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	switch {
	case err != nil:
		sc.event(number, c.RemoteAddr().String(), recording.EventNoRequest)
		return
	case (first[0] == helloByte) != sc.tls:
		if sc.tls {
			sc.plainAttempt(number)
		} else {
			sc.event(number, c.RemoteAddr().String(), recording.EventPlainHello)
		}
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks something else.\n")
		recording.Part(c, r)
		return
	case first[0] == helloByte:
		tc := tls.Server(peeked{c, r}, &tls.Config{Certificates: []tls.Certificate{s.cert}})
		if err := tc.HandshakeContext(ctx); err != nil {
			sc.event(number, c.RemoteAddr().String(), recording.EventNoRequest)
			return
		}
		p := &player{server: s, script: sc, conn: number, raw: c, link: c.RemoteAddr().String()}
		p.run(ctx, tc, bufio.NewReader(tc))
		return
	}
	p := &player{server: s, script: sc, conn: number, raw: c, link: c.RemoteAddr().String()}
	p.run(ctx, c, r)
}

// peeked is a connection of which some was read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

// Read implements net.Conn.
func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// A player answers the requests of one connection.
type player struct {
	server *server
	script *script
	conn   int
	raw    net.Conn // below TLS, for a reset
	link   string   // the client's end
}

func (p *player) run(ctx context.Context, c net.Conn, r *bufio.Reader) {
	for asked := 0; ; asked++ {
		req, err := readHead(r)
		if err != nil {
			if asked == 0 && errors.Is(err, io.EOF) {
				p.script.event(p.conn, p.link, recording.EventNoRequest)
			}
			return
		}
		if !p.exchange(ctx, c, r, req) {
			return
		}
	}
}

// patience is how long a layer is kept waiting that the recorded client gave up:
// longer than all its retries. Only a client that does not give it up comes to see
// it end.
const patience = time.Hour

// exchange plays one request. It reports whether the connection goes on.
func (p *player) exchange(ctx context.Context, c net.Conn, r *bufio.Reader, req *request) (more bool) {
	entry, e, ok := p.script.take(p.conn, p.link, req)
	from, err := req.bodyReader(r)
	if err != nil {
		return false
	}
	if entry.held { // until the client gives it up
		_ = p.server.clock.Hold(ctx, p.link, patience)
		return false
	}
	if !ok {
		entry.req.Body = readBody(from, -1, nil)
		_, _ = io.WriteString(c, "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		recording.Part(c, r)
		return false
	}
	limit := int64(-1)
	if e.Status == 0 && e.ReqSHA256 == "" {
		limit = e.ReqLen // struck before the body's end
	}
	if !early(e) {
		entry.req.Body = readBody(from, limit, p.prefix(e))
	}
	if p.script.turns != nil && p.script.turns.wait(ctx, p.server.clock, p.link, e.Seq) != nil {
		return false
	}
	if d := max(p.script.step.Delay(e), p.script.paceOf(entry)); d > 0 {
		if p.server.clock.Hold(ctx, p.link, d) != nil {
			return false
		}
	}
	if p.script.turns != nil {
		p.script.turns.leave(e.Seq) // who comes next waits until the client had this answer
	}
	return p.answer(c, r, e)
}

// answer does to the client what the recording has.
func (p *player) answer(c net.Conn, r *bufio.Reader, e recording.Exchange) (more bool) {
	if _, broken := withoutBroken(p.script.step.Error); broken && early(e) && p.script.last(e) {
		recording.HangUp(p.raw) // the client was still writing, and never saw the answer
		return false
	}
	if e.Status == 0 {
		if strings.Contains(e.Err, "reset") || !strings.Contains(e.Err, "clos") {
			recording.HangUp(p.raw)
			return false
		}
		recording.Part(c, r)
		return false
	}
	a := newAnswer(e, p.script.host)
	if a.send(c) {
		return true
	}
	if a.reset {
		recording.HangUp(p.raw)
		return false
	}
	recording.Part(c, r)
	return false
}

// prefix is what V1's payload checksum puts before a layer: the image's JSON as
// the client sent it in this step, and a newline.
func (p *player) prefix(e recording.Exchange) []byte {
	route := routeOf(e.Method, e.Path)
	if route.Op != wire.OpV1LayerPut {
		return nil
	}
	p.script.mu.Lock()
	defer p.script.mu.Unlock()
	for _, q := range p.script.played {
		if q.req == nil {
			continue
		}
		if r := routeOf(q.req.Method, q.req.Path); r.Op == wire.OpV1JSONPut && r.ImageID == route.ImageID {
			return append(append([]byte(nil), q.req.Body.Head...), '\n')
		}
	}
	return nil
}
