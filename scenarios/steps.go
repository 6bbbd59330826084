package scenarios

import (
	"context"
	"errors"
	"fmt"
)

// steps does what the scenario says, one step after the other, and returns its
// pushes as they were seen.
func (w *world) steps(ctx context.Context, c changes) ([]*seenPush, error) {
	var list []*seenPush
	if err := w.reachable(ctx); err != nil {
		return nil, err
	}
	for i, step := range w.s.Steps {
		before := len(w.trace())
		p, err := w.step(ctx, i, step, c)
		if len(list) > 0 {
			last := list[len(list)-1]
			last.late = append(last.late, requests(w.contents.annotate(w.trace()[last.seen:before]))...)
		}
		if p != nil {
			p.seen = len(w.trace())
			list = append(list, p)
		}
		if err != nil {
			return list, err
		}
	}
	if len(list) > 0 {
		last := list[len(list)-1]
		last.late = requests(w.contents.annotate(w.trace()[last.seen:]))
	}
	return list, nil
}

// step does one step; the push is nil unless it was one.
func (w *world) step(ctx context.Context, i int, step Step, c changes) (*seenPush, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch step.Verb {
	case VerbDelete:
		return nil, w.remove(ctx, step.Delete)
	case VerbRestart:
		w.note("restart")
		w.hosts[0].server.Restart(step.Wait)
		w.hosts[0].server.Event("restart")
		return nil, nil
	case VerbWait:
		return nil, w.time().Sleep(ctx, step.Wait)
	}
	return w.push(ctx, i, step, c)
}

// note puts what the bench did into the client's own trace, where there is one.
func (w *world) note(text string) {
	if w.foreign == nil {
		w.recorder.Event(text)
	}
}

// remove takes something out of the first host behind everybody's back.
func (w *world) remove(ctx context.Context, x Deletion) error {
	storage := w.hosts[0].registry.Storage()
	if storage == nil {
		return errors.New("delete: this registry has no storage that can be reached")
	}
	what := x.Blob
	if x.Tag != "" {
		what = "tag " + x.Tag
		if err := storage.Untag(ctx, x.From, x.Tag); err != nil {
			return fmt.Errorf("delete %s from %s: %w", what, x.From, err)
		}
	} else {
		d, err := w.digestOf(x.Blob)
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		if !storage.Delete(x.From, d) {
			return fmt.Errorf("delete: %s is not in %s", x.Blob, x.From)
		}
	}
	w.note("delete " + what)
	w.hosts[0].server.Event("delete " + what)
	return nil
}
