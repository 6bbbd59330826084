package fakeregistry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// lineKinds are connections that cannot be had, or not kept.
func lineKinds() []Kind {
	return []Kind{
		{
			Name: "blackhole", Layer: "tcp", Where: []string{"connect"}, Seam: SeamConn,
			Doc:    "What asks for a connection gets lost, and nobody says so. After 127 s the kernel gives up, unless the client did before. A client that does not dial through the bench is accepted and gets no answer.",
			Params: []Param{hostParam, timeParam("for", time.Duration(-1), "for how long; then the connection is opened")},
			New:    func(a Args) (Effect, error) { return hole{connFault{a.text("host")}, a.time("for")}, nil },
		},
		{
			Name: "idle-kill", Layer: "tcp", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "A proxy has forgotten a connection that nobody used for a while: the next request on it meets a reset.",
			Params: []Param{timeParam("idle", time.Second, "how long a connection may be idle")},
			New: func(a Args) (Effect, error) {
				if a.time("idle") < 0 {
					return nil, errors.New("idle: want a time that ends")
				}
				dead := breaking(func(_ http.ResponseWriter, r *http.Request) {
					strikeOf(r).cutShort()
					snap(r, wire.FailureReset)
					abort()
				})
				return idle{dead, a.time("idle")}, nil
			},
		},
		{
			Name: "conn-limit", Layer: "tcp", Where: []string{"connect"}, Seam: SeamConn,
			Doc: "The front end allows fewer connections at a time than the client opens.",
			Params: []Param{
				{Name: "max", Type: ParamInt, Default: int64(1), Doc: "how many it allows"},
				enumParam("over", "what becomes of one too many", "refuse", "queue"),
			},
			New: func(a Args) (Effect, error) {
				if a.number("max") < 1 {
					return nil, errors.New("max: want at least 1")
				}
				return limit{max: a.number("max"), queue: a.text("over") == "queue"}, nil
			},
		},
	}
}

// synLimit is how long Linux asks for a connection: six times again.
const synLimit = 127 * time.Second

// hole swallows what asks for a connection.
type hole struct {
	connFault
	hold time.Duration
}

func (e hole) dial(ctx context.Context, s *strike, network, addr string) (string, error) { //nolint:unparam // of an interface
	d := e.hold
	if d < 0 || d > synLimit {
		d = synLimit
	}
	if err := s.delay(ctx, d); err != nil {
		return "", givenUp(ctx, network, addr, err)
	}
	if d != e.hold {
		return "", dialError(network, addr, os.NewSyscallError("connect", syscall.ETIMEDOUT))
	}
	return "", nil
}

func (e hole) accept(s *strike, c *conn) bool { return silence{hold: e.hold}.accept(s, c) }

// givenUp is what a client sees that ended a dial itself. net/http tells of its
// request's context; it must not depend on whether it hears of the dial first.
func givenUp(ctx context.Context, network, addr string, err error) error {
	requested, _, done := wire.Dialling(ctx)
	done()
	if requested != ctx {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return dialError(network, addr, os.ErrDeadlineExceeded)
	}
	return dialError(network, addr, err)
}

// idle kills connections that were not used.
type idle struct {
	breaking
	limit time.Duration
}

func (e idle) suits(q *query) bool {
	c := connOf(q.r.Context())
	if c == nil {
		return false
	}
	last := c.lastUse.Load()
	return last != 0 && q.now.UnixNano()-last >= int64(e.limit)
}

// limit allows so many connections.
type limit struct {
	connFault
	max   int64
	queue bool
}

func (e limit) suits(q *query) bool { return q.lines > e.max }

func (e limit) dial(ctx context.Context, s *strike, network, addr string) (string, error) {
	if !e.queue {
		return "", refused(network, addr)
	}
	own, link, done := s.dialling(ctx)
	defer done()
	line, _ := ctx.Value(lineKey{}).(string)
	if err := s.server().lines.wait(own, line, link, e.max); err != nil {
		return "", givenUp(ctx, network, addr, err)
	}
	return "", nil
}

func (e limit) accept(s *strike, c *conn) bool {
	if !e.queue {
		c.reset()
		return false
	}
	c.before = func(ctx context.Context) {
		_ = s.server().lines.wait(ctx, c.link, c.link, e.max) // ends with the connection at the latest
	}
	return true
}

// lineKey finds the line of a dial.
type lineKey struct{}

// A linedConn gives up its line when its client closes it.
type linedConn struct {
	net.Conn
	lines *lines
	link  string
}

// NetConn is the connection itself.
func (c *linedConn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *linedConn) Close() error {
	c.lines.leave(c.link)
	return c.Conn.Close()
}
