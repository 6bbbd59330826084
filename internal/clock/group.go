package clock

import "sync"

// A Group runs workers whose starter waits for them, as sync.WaitGroup does,
// with the accounts of virtual time kept. The starter is itself a worker.
type Group struct {
	clock Clock

	mu   sync.Mutex // guards n and done
	n    int
	done chan struct{} // closed when n falls to 0 while somebody waits
}

// NewGroup makes an empty group on c.
func NewGroup(c Clock) *Group { return &Group{clock: c} }

// Go runs f as a worker of its own.
func (g *Group) Go(f func()) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	leave := g.clock.join()
	go func() {
		defer g.finish(leave)
		f()
	}()
}

// finish ends one worker. The last one leaves only after it has woken the
// waiting starter's account, so that time cannot slip between the two.
func (g *Group) finish(leave func()) {
	g.mu.Lock()
	g.n--
	if g.n == 0 && g.done != nil {
		close(g.done)
		g.done = nil
		g.mu.Unlock()
		return // the starter takes this worker's place
	}
	g.mu.Unlock()
	leave()
}

// Wait returns when every worker started so far has ended. One goroutine at a
// time may wait.
func (g *Group) Wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	done := make(chan struct{})
	g.done = done
	g.mu.Unlock()
	g.clock.block(done)
}
