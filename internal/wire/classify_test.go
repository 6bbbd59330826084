package wire

import (
	"errors"
	"fmt"
	"testing"
)

// TestClassifyWords: errors that net/http gives no type are known by their words,
// wherever in the text they stand.
func TestClassifyWords(t *testing.T) {
	t.Parallel()
	alert := errors.New("remote error: tls: certificate required")
	for _, row := range []struct {
		err  error
		want Failure
	}{
		{alert, FailureTLS},
		{fmt.Errorf("readLoopPeekFailLocked: %w", alert), FailureTLS},
		{errors.New("tls: first record does not look like a TLS handshake"), FailureTLS},
		{errors.New("http: server closed idle connection"), FailureClosed},
		{errors.New(`malformed HTTP response "x"`), FailureOther},
	} {
		if got := classify(row.err, false); got != row.want {
			t.Errorf("%q is %q, want %q", row.err, got, row.want)
		}
	}
}
