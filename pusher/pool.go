package pusher

import (
	"fmt"
	"sync"
)

// A pool is the names that are being pushed. It excludes; it does not share: a
// second push of a name fails at once (P-181).
type pool struct {
	mu      sync.Mutex // guards pushing
	pushing map[string]bool
}

// add takes a name until the returned function is called. taken says that another
// push has it; where that is "" pushes of one name do not mind each other (P-182).
func (p *pool) add(name, taken string) (remove func(), err error) {
	if taken == "" {
		return func() {}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pushing[name] {
		return nil, fmt.Errorf(taken, name)
	}
	if p.pushing == nil {
		p.pushing = map[string]bool{}
	}
	p.pushing[name] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pushing, name)
	}, nil
}
