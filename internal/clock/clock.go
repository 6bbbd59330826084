// Package clock is real and virtual time. Pusher, fakes, faults and runner take
// one Clock, so that back-off of half a minute costs a scenario nothing and a
// token can expire without anybody waiting for it.
package clock

import (
	"context"
	"time"
)

// A Clock tells and waits for time. All methods are safe for concurrent use.
//
// The methods beyond Now, Sleep and WithTimeout keep the accounts of virtual
// time: it moves only while nobody works. They do nothing on the real clock.
type Clock interface {
	// Now is the present time.
	Now() time.Time

	// Sleep waits for d or until ctx ends. The caller is a worker: it is between
	// Work and done, or inside a Group.
	//
	// Errors: ctx's error when ctx ended first.
	Sleep(ctx context.Context, d time.Duration) error

	// Hold waits on behalf of the client at the other end of link, which is stuck
	// until the caller goes on: it is how a server delays an answer. d < 0 waits
	// until ctx ends, or on virtual time until the client abandons the link. A link
	// that no Connected named waits without being counted.
	//
	// Errors: ctx's error when ctx ended first; context.Canceled of an abandoned link.
	Hold(ctx context.Context, link string, d time.Duration) error

	// WithTimeout is context.WithTimeout on this clock. The context's Deadline
	// method does not tell virtual deadlines. cancel must be called.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)

	// Work says that a party works from now until it calls done, once.
	Work() (done func())

	// Connected says that a worker of this process is the client of link
	// ("127.0.0.1:40312", the client's end).
	Connected(link string)

	// Awaits says that the client of link gives up as soon as ctx ends: time does not
	// pass before it had a chance to. It is called after Connected.
	Awaits(ctx context.Context, link string)

	// Release ends a Hold of link at once, as if its time had come. Only virtual time
	// needs to be told; on the real clock the caller ends the Hold's context.
	Release(link string)

	// Abandon says that the client of link no longer waits for its answer, or
	// closed the connection. It may be called more than once.
	Abandon(link string)

	join() (leave func())
	pause(ctx context.Context) (resume func(woken bool))
	block(done <-chan struct{})
}

// Real is the system's clock.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c realClock) Hold(ctx context.Context, _ string, d time.Duration) error {
	if d < 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Sleep(ctx, d)
}

func (realClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (realClock) Work() func()     { return func() {} }
func (realClock) Connected(string) {}
func (realClock) Abandon(string)   {}
func (realClock) Release(string)   {}
func (realClock) join() func()     { return func() {} }

func (realClock) Awaits(context.Context, string) {}

func (realClock) pause(context.Context) func(bool) { return func(bool) {} }

func (realClock) block(done <-chan struct{}) { <-done }
