package pusher

import (
	"errors"
	"fmt"
)

// ErrNoEndpoint means that there was no endpoint to try at all.
var ErrNoEndpoint = errors.New("no endpoints found")

// A FailedError says that no endpoint took the push. Its text is what this
// docker shows (P-103); Attempts have every reason.
type FailedError struct {
	Attempts []Attempt
	Shown    error // the error that this era's user sees
}

// Error implements error with the era's own words.
func (e *FailedError) Error() string { return e.Shown.Error() }

// Unwrap gives every attempt's error to errors.Is and errors.As, the shown one
// first.
func (e *FailedError) Unwrap() []error {
	errs := []error{e.Shown}
	for _, a := range e.Attempts {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}

// A StageError is what a Pusher returns: an error and how far the push got. Its
// text is the error's.
type StageError struct {
	Stage Stage
	Err   error
	// ConfirmedV2 and TransportOK are Attempt's.
	ConfirmedV2, TransportOK bool
}

// Error implements error.
func (e *StageError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *StageError) Unwrap() error { return e.Err }

// at says that err came at a stage; nil stays nil.
func at(s Stage, err error) error {
	if err == nil {
		return nil
	}
	return &StageError{Stage: s, Err: err}
}

// attemptOf is the attempt that an error of a Pusher tells of. One that names no
// stage counts as having got as far as possible, so that nothing falls back on it.
func attemptOf(e Endpoint, err error) Attempt {
	a := Attempt{Endpoint: e, Stage: StagePublish, Err: err}
	var s *StageError
	if errors.As(err, &s) {
		a.Stage, a.ConfirmedV2, a.TransportOK = s.Stage, s.ConfirmedV2, s.TransportOK
	}
	return a
}

// A MemoryError says that Config.Metadata could not keep what a docker's push learnt
// of a layer, which ends the attempt as it does in docker. No registry is to blame.
type MemoryError struct{ Err error }

// Error implements error in docker's words, which are the disk's.
func (e *MemoryError) Error() string { return e.Err.Error() }

// Unwrap gives the disk's error.
func (e *MemoryError) Unwrap() error { return e.Err }

// An HTTPError is a V1 answer that ends a push; the stream shows its code
// (P-034).
type HTTPError struct {
	Code    int // HTTP status
	Message string
}

// Error implements error.
func (e *HTTPError) Error() string { return e.Message }

// A noEndpointError is ErrNoEndpoint in docker's words.
type noEndpointError struct{ name string }

func (e noEndpointError) Error() string { return fmt.Sprintf("no endpoints found for %s", e.name) }

func (e noEndpointError) Unwrap() error { return ErrNoEndpoint }

// A localError is an error of the local store in docker's words.
type localError struct {
	text  string
	cause error
}

func (e localError) Error() string { return e.text }

func (e localError) Unwrap() error { return e.cause }
