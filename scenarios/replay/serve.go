package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
)

// ServeOptions say how to serve a recording.
type ServeOptions struct {
	Listen string      // "" is a free port on 127.0.0.1
	Expose bool        // allow an address that other machines can reach
	Clock  clock.Clock // nil is the real clock: recorded delays take their time
}

// A Served is the registry of one recorded step, for any client.
type Served struct {
	step   *recording.Step // as it is served
	before *recording.Step // as it was recorded
	server *server
	script *script
	root   []byte
	over   bool
}

// Serve answers any client as the registry of a step answered the recorded one.
// The caller closes what it gets.
//
// Errors: a step that cannot be served, because it was not read or an answer's
// body was not kept; an address that is not loopback, unless Expose; of the
// listener.
func Serve(ctx context.Context, step *recording.Step, o ServeOptions) (*Served, error) {
	if err := servable(step); err != nil {
		return nil, err
	}
	address := cmp.Or(o.Listen, "127.0.0.1:0")
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q: want HOST:PORT: %w", address, err)
	}
	if ip := net.ParseIP(host); !o.Expose && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("other machines could reach %q; want a loopback address, or to be told so", address)
	}
	cert, root, err := recording.NewCertificate("")
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := o.Clock
	if c == nil {
		c = clock.Real()
	}
	s := &Served{before: step, step: dated(step, c.Now()), root: root}
	s.server = &server{listener: l, clock: c, cert: cert, open: map[net.Conn]context.CancelFunc{}}
	s.script = newScript(s.step, s.server.host())
	s.server.play(s.script)
	s.server.done.Add(1)
	go s.server.accept(context.WithoutCancel(ctx))
	return s, nil
}

// servable says why a step cannot be served; nil when it can.
func servable(step *recording.Step) error {
	if step.Unreadable != nil {
		return step.Unreadable
	}
	for _, e := range step.Exchanges {
		if e.Method == "GET" && e.RespLen > 0 && e.RespBody == "" && e.Err == "" {
			return fmt.Errorf("exchange %d, %s: the %d bytes of its answer were not recorded", e.Seq, e, e.RespLen)
		}
	}
	return nil
}

// dated is a step whose dates are now: clients read when a token was issued.
func dated(step *recording.Step, now time.Time) *recording.Step {
	out := *step
	out.Exchanges = slices.Clone(step.Exchanges)
	for i := range out.Exchanges {
		e := &out.Exchanges[i]
		if body := strings.ReplaceAll(e.RespBody, `"`+recording.Date+`"`, `"`+now.UTC().Format(time.RFC3339)+`"`); body != e.RespBody {
			e.RespBody, e.RespLen = body, -1
		}
		e.RespHeaders = slices.Clone(e.RespHeaders)
		for j, h := range e.RespHeaders {
			if name, ok := strings.CutSuffix(h, ": "+recording.Date); ok {
				e.RespHeaders[j] = name + ": " + now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
			}
		}
	}
	return &out
}

// Host is where the registry is served, "127.0.0.1:40312".
func (s *Served) Host() string { return s.server.host() }

// CA is the certificate of a registry that speaks TLS, in PEM; nil for one that
// does not.
func (s *Served) CA() []byte {
	if !s.script.tls {
		return nil
	}
	return s.root
}

// Close ends every connection and waits. The verdict stays.
func (s *Served) Close() error {
	if s.over {
		return nil
	}
	s.over = true
	s.server.close()
	return nil
}

// Verdict closes what is served and compares what the client asked with what was
// recorded, and exit, its exit code, with the recorded one; a negative exit is not
// compared. Requests may come in another order and on other connections: most
// clients do several things at once.
func (s *Served) Verdict(exit int) Verdict {
	_ = s.Close() // gives no error
	v := Verdict{Scenario: s.before.Scenario, Step: s.before.Name, Path: s.before.Path}
	c := &comparison{step: s.before, host: s.server.host()}
	c.anyOrder(scrubbed(s.script.took(), s.server.host()))
	if exit >= 0 && exit != s.before.Exit {
		c.differ("exit code", fmt.Sprint(s.before.Exit), fmt.Sprint(exit))
	}
	v.Diffs = c.diffs
	for _, why := range c.reasons {
		v.Reasons = append(v.Reasons, string(why))
	}
	return v
}

// Unservable is the verdict of a step that could not be served.
func Unservable(step *recording.Step, err error) Verdict {
	if err == nil {
		err = errors.New("unknown")
	}
	return Verdict{Scenario: step.Scenario, Step: step.Name, Path: step.Path, Unplayable: err}
}

// scrubbed makes what came as free of credentials and chance as a recording is.
func scrubbed(list []*played, host string) []*played {
	s := recording.NewScrubber([]string{host}, nil)
	exchange := func(p *played) recording.Exchange {
		e := recording.Exchange{
			Method: p.req.Method, Path: p.req.Path, Proto: p.req.Proto, ReqHeaders: p.req.Headers,
			ReqLen: p.req.Body.Length, ReqSHA256: p.req.Body.SHA256,
		}
		if int64(len(p.req.Body.Head)) == p.req.Body.Length {
			e.ReqBody = string(p.req.Body.Head)
		}
		return e
	}
	for _, p := range list {
		if p.req != nil {
			s.Learn(exchange(p))
		}
	}
	var out []*played
	for _, p := range list {
		if p.req == nil {
			out = append(out, p)
			continue
		}
		e := exchange(p)
		was := e.ReqBody
		s.Exchange(&e)
		q := *p
		r := *p.req
		r.Path, r.Headers = e.Path, e.ReqHeaders
		if e.ReqBody != was && e.ReqSHA256 != recording.Varies {
			r.Body.Length, r.Body.SHA256, r.Body.Head = e.ReqLen, e.ReqSHA256, []byte(e.ReqBody)
		}
		q.req = &r
		out = append(out, &q)
	}
	return out
}

// anyOrder compares requests without regard to their order: those of the same
// method and path find partners that are equal, and what is left differs.
func (c *comparison) anyOrder(list []*played) {
	left := slices.DeleteFunc(slices.Clone(list), func(p *played) bool { return p.event == recording.EventNoRequest })
	var alone []recording.Exchange
	last, disordered, spare := -1, false, len(list)-len(left)
	for _, e := range c.step.Exchanges {
		if e.Event == recording.EventNoRequest {
			spare--
			continue
		}
		i := slices.IndexFunc(left, func(p *played) bool { return p != nil && c.alike(e, p, list) })
		if i < 0 {
			alone = append(alone, e)
			continue
		}
		disordered = disordered || i < last
		last = i
		left[i] = nil
	}
	if disordered {
		c.excuse(racingRequests)
	}
	if spare != 0 {
		c.excuse(spareConnections)
	}
	for _, e := range alone {
		i := slices.IndexFunc(left, func(p *played) bool { return p != nil && asExchange(p, c.host).String() == e.String() })
		if i < 0 {
			c.differ(fmt.Sprintf("request %d", e.Seq), e.String(), "nothing")
			continue
		}
		c.request(e, left[i].req, list)
		left[i] = nil
	}
	for i, p := range left {
		if p != nil {
			c.differ(fmt.Sprintf("request %d of the client", i+1), "nothing", asExchange(p, c.host).String())
		}
	}
}

// alike tells whether a request or event is what was recorded.
func (c *comparison) alike(e recording.Exchange, p *played, list []*played) bool {
	if asExchange(p, c.host).String() != e.String() {
		return false
	}
	if p.req == nil {
		return true
	}
	try := &comparison{step: c.step, host: c.host}
	try.request(e, p.req, list)
	return len(try.diffs) == 0
}
