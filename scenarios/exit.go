package scenarios

import (
	"context"
	"errors"

	"github.com/pushcheck/pushcheck/internal/report"
)

// The exit codes of pushcheck.
const (
	ExitOK          = 0   // everything chosen passed, was skipped with a reason, or is known
	ExitFailed      = 1   // at least one scenario failed
	ExitUsage       = 2   // wrong usage, or a scenario file is wrong: nothing was run
	ExitBroken      = 3   // the bench or its environment failed
	ExitNothing     = 4   // nothing matched the selection
	ExitInterrupted = 130 // reports of what finished are written
)

// ExitCode is what the process ends with after a run. A failure wins over a
// broken scenario, an interruption over both.
func ExitCode(s Summary, err error) int {
	var wrong *Errors
	var missing *NotFoundError
	switch {
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &wrong):
		return ExitUsage
	case errors.As(err, &missing):
		return ExitNothing
	case s.Counts[report.Fail] > 0:
		return ExitFailed
	case err != nil, s.Counts[report.Broken] > 0:
		return ExitBroken
	case len(s.Results) == 0:
		return ExitNothing
	}
	return ExitOK
}
