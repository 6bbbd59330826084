package pusher

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/errcode"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// errCancelledDelay is docker's word for a push that ended while a layer waited
// for its next attempt (P-343).
var errCancelledDelay = errors.New("upload cancelled during retry delay")

// A finalError is an error after which a layer is not tried again. Its text is
// the error's.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

func (e *finalError) Unwrap() error { return e.err }

// errPanic is where this docker's daemon crashes (P-365).
var errPanic = errors.New("the registry answered 201 Created to an upload without a mount; docker itself crashes here (P-365)")

// try does an upload until it succeeds, fails for good or has failed often
// enough. It tells of the seconds that it waits (P-343).
func (r RetryRules) try(ctx context.Context, c clock.Clock, id string, tell func(Event), do upload) (image.Descriptor, error) {
	for attempt := 1; ; attempt++ {
		d, err := do(ctx, tell)
		if err == nil || ctx.Err() != nil {
			return d, err
		}
		err = r.weigh(err)
		var final *finalError
		if errors.As(err, &final) || attempt >= r.Attempts {
			return d, err
		}
		for left := time.Duration(attempt) * r.Step; left > 0; left -= time.Second {
			tell(Event{ID: id, Status: r.countdown(int(left / time.Second)), Action: true})
			if c.Sleep(ctx, min(left, time.Second)) != nil {
				return d, errCancelledDelay
			}
		}
	}
}

func (r RetryRules) countdown(seconds int) string {
	if seconds == 1 && r.Singular {
		return "Retrying in 1 second"
	}
	return fmt.Sprintf("Retrying in %d seconds", seconds)
}

// weigh says of an attempt's error whether it is final, and strips it to what
// docker goes on with: the first error of a list, and what is in net/http's
// wrapping (P-134, P-345).
func (r RetryRules) weigh(err error) error {
	switch e := err.(type) { //nolint:errorlint // docker looks at the error itself
	case *finalError:
		return e
	case errcode.Errors:
		if len(e) > 0 {
			return r.weigh(e[0])
		}
	case errcode.Error:
		if slices.Contains(r.Final, e.Code) {
			return &finalError{err}
		}
	case *url.Error:
		inner := e.Err
		var auth *authError
		if errors.As(inner, &auth) {
			inner = auth.err
			if r.FinalAuth && (errors.Is(inner, errNoBasic) || errors.Is(inner, errNoToken)) {
				return &finalError{inner}
			}
		}
		var refused *tokenStatusError
		if errors.As(inner, &refused) && refused.said != nil {
			inner = refused.said
		}
		return r.weigh(inner)
	case *ResponseError:
		return &finalError{err}
	default:
		if r.FinalUnknown && errors.Is(err, ErrBlobUnknown) || strings.Contains(err.Error(), r.FinalText) {
			return &finalError{err}
		}
	}
	return err
}
