package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pushcheck/pushcheck/scenarios"
)

// errDeadline ends what --deadline bounds.
var errDeadline = errors.New("the deadline ended the run")

// canPass demands that --timeout and --deadline are times that can pass.
func canPass(timeout, deadline time.Duration) error {
	const want = "--%s is %s; want a time such as 30s"
	switch {
	case timeout < 0:
		return usage("", want, "timeout", timeout)
	case deadline < 0:
		return usage("", want, "deadline", deadline)
	}
	return nil
}

// withDeadline ends a context after so much real time; never for none.
func withDeadline(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	if after <= 0 {
		return ctx, func() { end(nil) }
	}
	timer := time.AfterFunc(after, func() { end(errDeadline) })
	return ctx, func() { timer.Stop(); end(nil) }
}

// early is the end of a run that did not get through.
func early(ctx context.Context, err error, deadline time.Duration) error {
	switch {
	case errors.Is(context.Cause(ctx), errDeadline):
		return broken("", fmt.Errorf("the deadline of %s ended the run; what had finished is shown", deadline))
	case errors.Is(err, context.Canceled):
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted; what had finished is shown")}
	}
	return broken("", err)
}
