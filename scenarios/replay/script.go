package replay

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
)

// A script is what a step's server answers, and what it was asked.
type script struct {
	step *recording.Step
	host string
	tls  bool

	courses *courses // nil where nothing goes side by side
	// pace holds answers back once layers are asked for, so that pushes that began
	// at once stay side by side: none gets ahead of another that works.
	pace time.Duration

	// sides are the scripts of pushes of several repositories at once, which answer in
	// turn; nil where one script has it all.
	sides []*script
	turns *turns

	dialling sync.Mutex         // guards layers and links; held while a client dials
	layers   map[string]string  // by the client's end of a connection
	links    map[string]*script // of sides, by the same

	mu     sync.Mutex // guards everything below
	given  []bool     // by index of step.Exchanges: whether it was played
	played []*played  // in the order of beginning
	conns  int
}

// A played is one request that came, or one event.
type played struct {
	conn  int
	event string
	req   *request
	as    int // index of the exchange that answered it; -1 when none fitted
	// unseen is an event that a recorder may not have seen.
	unseen bool
	layer  string // that it was for, where layers go side by side
	held   bool   // it is not answered: its layer was given up at this point
}

func newScript(step *recording.Step, host string) *script {
	return &script{step: step, host: host, tls: speaksTLS(step), given: make([]bool, len(step.Exchanges)), layers: map[string]string{}, links: map[string]*script{}}
}

// speaksTLS tells whether the registry of a step did. The first thing that this
// client ever tries is TLS: where the proxy did not complain of it, it was right.
// Where the recording says it, nothing has to be found out.
func speaksTLS(step *recording.Step) bool {
	if step.Scheme != "" {
		return step.Scheme == "https"
	}
	return len(step.Exchanges) > 0 && step.Exchanges[0].Event != recording.EventPlainHello
}

// early tells an answer that came before anything of a body was read.
func early(e recording.Exchange) bool {
	return e.Event == "" && e.ReqLen == 0 && slices.ContainsFunc(e.ReqHeaders, func(h string) bool {
		return strings.EqualFold(h, "Transfer-Encoding: chunked")
	})
}

// last tells whether the recording ends with an exchange.
func (s *script) last(e recording.Exchange) bool {
	return e.Seq == s.step.Exchanges[len(s.step.Exchanges)-1].Seq
}

// connect numbers a connection.
func (s *script) connect() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return s.conns
}

// event notes what was no request.
func (s *script) event(conn int, link, what string) {
	layer := s.layerOf(link)
	s.mu.Lock()
	defer s.mu.Unlock()
	as := s.find(func(e recording.Exchange) bool { return e.Event == what })
	s.played = append(s.played, &played{conn: conn, event: what, as: as, layer: layer})
}

// paceOf is how long an answer is held back for the pace.
func (s *script) paceOf(p *played) time.Duration {
	if s.courses == nil || p.as < 0 || s.courses.owner[p.as] == ownerBefore {
		return 0
	}
	return s.pace
}

// dialled notes for whom a connection was opened. The caller holds dialling.
func (s *script) dialled(ctx context.Context, link string) {
	s.layers[link] = pusher.LayerOf(ctx)
	if i, ok := ctx.Value(sideKey{}).(int); ok && i < len(s.sides) {
		s.links[link] = s.sides[i]
		s.sides[i].dialling.Lock()
		defer s.sides[i].dialling.Unlock()
		s.sides[i].layers[link] = s.layers[link]
	}
}

// of is the script that answers on a connection, by the client's end.
func (s *script) of(link string) *script {
	s.dialling.Lock()
	defer s.dialling.Unlock()
	if side := s.links[link]; side != nil {
		return side
	}
	return s
}

// layerOf is the layer that a connection was opened for, by the client's end.
func (s *script) layerOf(link string) string {
	s.dialling.Lock()
	defer s.dialling.Unlock()
	return s.layers[link]
}

// plainAttempt notes plain HTTP on a port that speaks TLS. Recorders call it what
// they like, or do not see it at all.
func (s *script) plainAttempt(conn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &played{conn: conn, event: recording.EventNoRequest, unseen: true}
	p.as = s.find(func(e recording.Exchange) bool { return e.Event != "" && e.Event != recording.EventPlainHello })
	if p.as >= 0 {
		p.event, p.unseen = s.step.Exchanges[p.as].Event, false
	}
	s.played = append(s.played, p)
}

// find takes the first exchange that was not played yet and fits; -1 when there is
// none. The caller holds mu.
func (s *script) find(fits func(recording.Exchange) bool) int {
	for i, e := range s.step.Exchanges {
		if !s.given[i] && fits(e) {
			s.given[i] = true
			return i
		}
	}
	return -1
}

// take notes a request and finds the exchange to answer it with: the first that
// was not played yet and has its method and path. Requests that race find theirs
// in any order; that the order is right is for the comparison to say.
func (s *script) take(conn int, link string, req *request) (*played, recording.Exchange, bool) {
	layer := s.layerOf(link)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &played{conn: conn, req: req, as: -1, layer: layer}
	s.played = append(s.played, p)
	if s.courses != nil {
		return s.takeFor(p)
	}
	path := toHost(req.Path, s.host)
	p.as = s.find(func(e recording.Exchange) bool { return e.Method == req.Method && e.Path == path })
	if p.as < 0 {
		return p, recording.Exchange{}, false
	}
	return p, s.step.Exchanges[p.as], true
}

// took gives what was played. No connection may be open any more.
func (s *script) took() []*played {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.played
}
