package pusher

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// A Fallback is when a docker since 1.10 goes on to the next endpoint, as data
// (P-104 to P-109).
type Fallback struct {
	// Codes are the refusals, told with a message or a detail, after which it goes
	// on; after every other such refusal it ends (P-105, P-109).
	Codes []errcode.ErrorCode
	// StopText ends the push when an error that is no refusal has it.
	StopText string
	// KeepsTLS leaves a host's plain endpoints out once TLS worked there (P-107).
	KeepsTLS bool
}

// Policy is the policy. V1 is left out once V2 was confirmed (P-106).
func (f Fallback) Policy() Policy {
	return func(history []Attempt, next Endpoint) Decision {
		confirmed, secure := false, false
		for _, a := range history {
			if a.Skipped {
				continue
			}
			if a.Stage > StageConnect && (a.Endpoint.Version == V1 || !f.continues(a.Err)) {
				return Stop
			}
			confirmed = confirmed || a.ConfirmedV2
			secure = secure || a.TransportOK && isTLS(a.Endpoint) && hostOf(a.Endpoint) == hostOf(next)
		}
		if confirmed && next.Version == V1 || f.KeepsTLS && secure && !isTLS(next) {
			return Skip
		}
		return Try
	}
}

func isTLS(e Endpoint) bool { return strings.HasPrefix(e.URL, "https://") }

func hostOf(e Endpoint) string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return e.URL
	}
	return u.Host
}

// continues tells whether an error lets the next endpoint try. Docker looks at
// the error itself, not into it: a refusal of a layer that is marked as final is
// like any other error (P-105).
func (f Fallback) continues(err error) bool {
	var staged *StageError
	if errors.As(err, &staged) {
		err = staged.Err
	}
	switch e := err.(type) { //nolint:errorlint // see above
	case errcode.Errors:
		return len(e) == 0 || f.continues(e[0])
	case errcode.Error:
		return slices.Contains(f.Codes, e.Code)
	case *ResponseError:
		return true
	}
	return !strings.Contains(err.Error(), f.StopText)
}
