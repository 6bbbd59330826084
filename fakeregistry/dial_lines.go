package fakeregistry

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// lines are the connections that the server has, for a fault that limits them.
// A connection of this process's clients counts from before it is dialled until
// its last exchange has ended or its client has closed it, whichever comes first:
// not until the server happens to notice.
type lines struct {
	clock clock.Clock

	mu      sync.Mutex // guards everything below
	open    map[string]struct{}
	waiting []*queued
	names   int
}

// A queued connection waits for a line.
type queued struct {
	line string
	link string             // under which the clock knows who waits
	free context.CancelFunc // called when there is a line
	got  bool
}

// enter takes a line whatever the limit is; name "" gives it one for the time
// until its link is known.
func (l *lines) enter(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name == "" {
		l.names++
		name = fmt.Sprintf("dial %d", l.names)
	}
	if l.open == nil {
		l.open = map[string]struct{}{}
	}
	l.open[name] = struct{}{}
	return name
}

// rename gives a line the name of its link.
func (l *lines) rename(line, link string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[line]; ok {
		delete(l.open, line)
		l.open[link] = struct{}{}
	}
}

// count is how many lines are taken.
func (l *lines) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.open))
}

// leave gives a line up: the first that waits gets it.
func (l *lines) leave(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[line]; !ok {
		return
	}
	delete(l.open, line)
	if len(l.waiting) == 0 {
		return
	}
	next := l.waiting[0]
	l.waiting = l.waiting[1:]
	next.got = true
	l.open[next.line] = struct{}{}
	l.clock.Release(next.link)
	next.free()
}

// wait gives a line up until there are fewer than limit.
//
// Errors: ctx's when it ended first.
func (l *lines) wait(ctx context.Context, line, link string, limit int64) error {
	held, free := context.WithCancel(ctx)
	defer free()
	q := &queued{line: line, link: link, free: free}
	l.mu.Lock()
	if int64(len(l.open)) <= limit { // one has left in the meantime
		l.mu.Unlock()
		return nil
	}
	delete(l.open, line)
	l.waiting = append(l.waiting, q)
	l.mu.Unlock()
	_ = l.clock.Hold(held, link, -1) // ends when there is a line, or with ctx
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.got {
		return nil
	}
	if i := slices.Index(l.waiting, q); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return ctx.Err()
}
