package replay

import (
	"sync"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// A script is what a step's server answers, and what it was asked.
type script struct {
	step *recording.Step
	host string
	tls  bool

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
}

func newScript(step *recording.Step, host string) *script {
	return &script{step: step, host: host, tls: speaksTLS(step), given: make([]bool, len(step.Exchanges))}
}

// speaksTLS tells whether the registry of a step did. The first thing that this
// client ever tries is TLS: where the proxy did not complain of it, it was right.
func speaksTLS(step *recording.Step) bool {
	return len(step.Exchanges) > 0 && step.Exchanges[0].Event != recording.EventPlainHello
}

// connect numbers a connection.
func (s *script) connect() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return s.conns
}

// event notes what was no request.
func (s *script) event(conn int, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	as := -1
	for i, e := range s.step.Exchanges {
		if !s.given[i] && e.Event == what {
			s.given[i], as = true, i
			break
		}
	}
	s.played = append(s.played, &played{conn: conn, event: what, as: as})
}

// take notes a request and finds the exchange to answer it with: the first that
// was not played yet and has its method and path. Requests that race find theirs
// in any order; that the order is right is for the comparison to say.
func (s *script) take(conn int, req *request) (*played, recording.Exchange, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &played{conn: conn, req: req, as: -1}
	s.played = append(s.played, p)
	path := toHost(req.Path, s.host)
	for i, e := range s.step.Exchanges {
		if !s.given[i] && e.Method == req.Method && e.Path == path {
			s.given[i], p.as = true, i
			return p, e, true
		}
	}
	return p, recording.Exchange{}, false
}

// took gives what was played. No connection may be open any more.
func (s *script) took() []*played {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.played
}
