package clock

import (
	"context"
	"sync"
	"time"
)

// WithTimeout implements Clock. When the deadline fires, the party that waits
// on the context counts as working until it calls cancel.
func (v *Virtual) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := &deadlineContext{Context: parent, done: make(chan struct{})}
	v.mu.Lock()
	w := v.add(d, true, func() { c.end(context.DeadlineExceeded) })
	v.mu.Unlock()
	stop := context.AfterFunc(parent, func() { c.end(parent.Err()) })
	return c, sync.OnceFunc(func() {
		stop()
		c.end(context.Canceled)
		v.mu.Lock()
		defer v.mu.Unlock()
		if w.fired {
			v.working--
			v.jump()
			return
		}
		v.remove(w)
	})
}

// A deadlineContext ends at a virtual deadline, with the error of a real one.
type deadlineContext struct {
	context.Context
	done chan struct{}

	mu    sync.Mutex // guards everything below
	err   error
	after map[int]func() // what ends with it
	given int            // keys of after
}

func (c *deadlineContext) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	close(c.done)
	list := c.after
	c.after = nil
	c.mu.Unlock()
	for _, f := range list {
		f()
	}
}

func (c *deadlineContext) Done() <-chan struct{} { return c.done }

// Err implements context.Context. It does not wait until the end of the parent has
// come through to Done.
func (c *deadlineContext) Err() error {
	if err := c.Context.Err(); err != nil {
		c.end(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is found by package context, so that contexts made from this one end
// when it does and not a moment later.
func (c *deadlineContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f() // the caller holds a lock that f wants
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[int]func(){}
	}
	c.given++
	key := c.given
	c.after[key] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.after[key]
		delete(c.after, key)
		return ok
	}
}
