package replay

import (
	"github.com/pushcheck/pushcheck/internal/recording"
)

// takeFor finds the exchange to answer a request with where layers go side by
// side: of its own layer the next one, so that faults meet whom they met. What a
// layer asks beyond what was recorded of it before it was given up is not
// answered. The caller holds mu.
func (s *script) takeFor(p *played) (*played, recording.Exchange, bool) { //nolint:gocognit // one choice, with its reasons in order
	path := toHost(p.req.Path, s.host)
	fits := func(i int) bool {
		e := s.step.Exchanges[i]
		return !s.given[i] && e.Event == "" && e.Method == p.req.Method && e.Path == path
	}
	owners := []string{p.layer}
	if p.layer == "" {
		owners = []string{ownerBefore, ownerAfter}
	}
	for _, owner := range owners {
		for _, i := range s.courses.of(owner) {
			if fits(i) {
				return s.give(p, i)
			}
			if p.req.Method == "POST" && !s.given[i] {
				break // what comes next is after a session that anybody may have opened
			}
		}
	}
	if p.layer != "" {
		for _, owner := range []string{ownerAny, ownerBefore} {
			if s.courses.told.cut(p.layer) && (owner == ownerAny && !s.spare() || owner == ownerBefore && !s.spareTokens()) {
				continue
			}
			for _, i := range s.courses.of(owner) {
				if fits(i) {
					return s.give(p, i)
				}
			}
		}
		if s.courses.told.cut(p.layer) {
			p.held = true
		}
	}
	return p, recording.Exchange{}, false
}

// give plays an exchange. The caller holds mu.
func (s *script) give(p *played, i int) (*played, recording.Exchange, bool) {
	s.given[i], p.as = true, i
	e := s.step.Exchanges[i]
	p.held = s.courses.told.cut(p.layer) && e.Status == 0
	return p, e, true
}

// spare tells whether there are more sessions than the layers need that were not
// given up. The caller holds mu.
func (s *script) spare() bool {
	sessions, needed := 0, 0
	for i, owner := range s.courses.owner {
		e := s.step.Exchanges[i]
		switch {
		case owner == ownerAny && !s.given[i]:
			sessions++
		case e.Method == "PATCH" && !s.given[i] && !s.courses.told.cut(owner) && owner != ownerAfter && owner != ownerBefore:
			needed++
		}
	}
	return sessions > needed
}

// spareTokens tells whether there are more tokens than the layer needs that ended
// the push. The caller holds mu.
func (s *script) spareTokens() bool {
	needed, ok := s.courses.lastTokens()
	if !ok {
		return true
	}
	for _, p := range s.played {
		if p.layer == s.courses.told.failing() && asksForToken(p.req.Method, p.req.Path) {
			needed--
		}
	}
	left := 0
	for _, i := range s.courses.of(ownerBefore) {
		if e := s.step.Exchanges[i]; !s.given[i] && e.Event == "" && asksForToken(e.Method, e.Path) {
			left++
		}
	}
	return left > needed
}
