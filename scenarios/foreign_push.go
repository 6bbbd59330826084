package scenarios

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// A foreignSeen is what is known of a push of a foreign client beside what its
// registry saw.
type foreignSeen struct {
	name   string
	exit   int
	output string
	cannot string           // why it could not do what was asked (exit code 89); "" when it could
	errors []Wording        // its words for the registry's codes
	known  map[string]Habit // invariants that it breaks by nature
	limit  time.Duration
}

// A foreignError is a push that a foreign client reported as failed.
type foreignError struct {
	exit  int
	words string
}

// Error is the client's last line and its exit code.
func (e *foreignError) Error() string {
	if e.words == "" {
		return fmt.Sprintf("it ended with exit code %d and said nothing", e.exit)
	}
	return fmt.Sprintf("%s (exit code %d)", e.words, e.exit)
}

// foreignNow runs the client for one push.
//
// Errors: what kept the client from being run; a push that it reports as failed is
// none: p has it.
func (w *world) foreignNow(ctx context.Context, step Step, p *seenPush) error {
	f := w.foreign
	if err := w.prepareForeign(step.Push); err != nil {
		return err
	}
	run := func(argv []string, limit time.Duration) answer {
		return f.box.run(ctx, call{argv: argv, dir: f.adapter.dir, env: f.env, limit: limit})
	}
	for _, argv := range append(slices.Clone(f.adapter.Prepare), f.adapter.Login.Run) {
		login := len(f.adapter.Login.Run) > 0 && len(argv) > 0 && &argv[0] == &f.adapter.Login.Run[0]
		if len(argv) == 0 || login && w.s.Client.Login == nil {
			continue
		}
		if out := run(argv, prepareLimit); out.err != nil || out.exit != 0 && !login {
			return fmt.Errorf("%s: %s before the push: %s", f.adapter.Name, argv[0], out.words())
		}
	}
	argv := f.command(f.adapter.Push)
	if len(f.adapter.Shim) > 0 {
		argv = append(slices.Clone(f.adapter.Shim), "push")
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	gaveUp := w.cancelling(own, cancel, step)
	p.start = w.elapsed()
	out := f.box.run(own, call{argv: argv, dir: f.adapter.dir, env: f.env, limit: f.limit})
	p.end = w.elapsed()
	p.cancelled = gaveUp()
	out.late = out.late || errors.Is(ctx.Err(), context.DeadlineExceeded) // the scenario's limit and the push's are often one
	w.took(p, out)
	return startError(out, p)
}

// prepareLimit is how long a command before the push may take.
const prepareLimit = time.Minute

// startError is why a client did not run at all; nil when it did.
func startError(out answer, p *seenPush) error {
	switch {
	case p.cancelled, p.hung, out.err == nil:
		return nil
	case errors.Is(out.err, context.Canceled), errors.Is(out.err, context.DeadlineExceeded):
		return out.err
	}
	return fmt.Errorf("%s could not be run to its end: %w", p.foreign.name, out.err)
}

// took notes how the client ended.
func (w *world) took(p *seenPush, out answer) {
	f := w.foreign
	p.foreign = &foreignSeen{
		name: f.adapter.Name, exit: out.exit, output: out.text, errors: f.adapter.Errors, known: f.adapter.Known,
		limit: f.limit,
	}
	f.said = append(f.said, out.text)
	p.events = f.adapter.events(out.text)
	switch {
	case p.cancelled:
		p.err = context.Canceled
	case out.late:
		p.hung, p.err = true, fmt.Errorf("it did not end within %s", f.limit)
	case out.err != nil:
		p.err = out.err
	case out.exit == exitCannot:
		p.foreign.cannot = lastLine(out.text)
		if p.foreign.cannot == "" {
			p.foreign.cannot = fmt.Sprintf("exit code %d", exitCannot)
		}
		p.err = &foreignError{out.exit, lastLine(out.text)}
	case out.exit != 0:
		p.err = &foreignError{out.exit, lastLine(out.text)}
	}
}

// cancelling kills the client when a step says so. What it returns tells whether
// that has happened.
func (w *world) cancelling(ctx context.Context, kill func(), step Step) func() bool {
	if step.Verb != VerbCancel {
		return func() bool { return false }
	}
	gone, once := make(chan struct{}), make(chan struct{}, 1)
	give := func() {
		select {
		case once <- struct{}{}:
			close(gone)
			kill()
		default:
		}
	}
	if step.Wait > 0 {
		go func() {
			if clock.Real().Sleep(ctx, step.Wait) == nil {
				give()
			}
		}()
	} else {
		w.setWatch(func(e wire.Exchange) {
			if selects(step.At, e) {
				give()
			}
		})
	}
	return func() bool {
		w.setWatch(nil)
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}
}

// events are what a client's output says of layers.
func (a Adapter) events(text string) []pusher.Event {
	var list []pusher.Event
	for _, way := range [...]struct{ pattern, status string }{{a.Pushed, "Pushed"}, {a.Exists, "Layer already exists"}} {
		if way.pattern == "" {
			continue
		}
		re, err := regexp.Compile(way.pattern)
		if err != nil {
			continue // the decoder has refused it
		}
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			list = append(list, pusher.Event{ID: strings.TrimPrefix(m[1], "sha256:"), Status: way.status})
		}
	}
	return list
}

// viaOf is the protocol that the last request of a push was of.
func viaOf(trace []seen) pusher.Version {
	var via pusher.Version
	for _, e := range trace {
		switch {
		case !e.succeeded():
		case strings.HasPrefix(string(e.Route.Op), "v1."):
			via = pusher.V1
		case e.Route.Op != wire.OpToken && e.Route.Op != wire.OpEvent && e.Route.Op != wire.OpOther:
			via = pusher.V2
		}
	}
	return via
}
