package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/scenarios"
)

// outside is everything that a command may touch beyond its arguments.
type outside struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(name string) (string, bool)
	// terminal reports whether one of the streams is a terminal, and its columns.
	terminal func(stream any) (columns int, ok bool)
}

func (o outside) getenv(name string) string {
	value, _ := o.env(name)
	return value
}

// An exitError ends the program with a code. Its err is shown unless it is nil,
// when everything has been said already.
type exitError struct {
	code int
	err  error
	hint string // how to go on; may be ""
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(hint, format string, args ...any) error {
	return &exitError{code: scenarios.ExitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

func broken(hint string, err error) error {
	return &exitError{code: scenarios.ExitBroken, err: err, hint: hint}
}

// run is the whole program but for the process: arguments in, exit code out.
func run(ctx context.Context, args []string, o outside) int {
	root := newRoot(o)
	root.SetArgs(args)
	root.SetIn(o.stdin)
	root.SetOut(o.stdout)
	root.SetErr(o.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if unwritten := lost(o.stdout); unwritten != nil {
		fmt.Fprintf(o.stderr, "pushcheck: not all of the output could be written: %s\n", unwritten)
		return scenarios.ExitBroken
	}
	if err == nil {
		return scenarios.ExitOK
	}
	exit := &exitError{code: scenarios.ExitUsage, err: err}
	if !errors.As(err, &exit) { // cobra's own errors are about usage
		exit.hint = fmt.Sprintf("%s --help lists what there is", cmd.CommandPath())
	}
	if errors.Is(err, errUnread) || exit.code == scenarios.ExitInterrupted && errors.Is(context.Cause(ctx), errUnread) {
		return scenarios.ExitInterrupted // whoever closed the pipe knows
	}
	if exit.err != nil {
		fmt.Fprintf(o.stderr, "pushcheck: %s\n", strings.TrimSpace(wire.ScrubMessage(exit.err.Error())))
	}
	if exit.hint != "" {
		fmt.Fprintf(o.stderr, "  %s\n", wire.ScrubMessage(exit.hint))
	}
	return exit.code
}

func newRoot(o outside) *cobra.Command {
	root := newRun(o) // no subcommand means run
	root.Use = "pushcheck [SCENARIO…]"
	root.Short = "a test bench for the push side of container registries"
	root.Long = rootLong
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd, o) }
	root.SetFlagErrorFunc(flagError)
	runCommand := newRun(o)
	root.AddCommand(
		runCommand, newList(o), newLint(o), newExplain(o), newShrink(o), newSchema(o), newPush(o), newServe(o), newProxy(o), newVersion(o), newCompletion(o), newEngine(o), newReplay(o), newRecord(o),
		newConformance(o), newCompare(o), newEras(o), newDiff(o), newCover(o), newClients(o), newMatrix(o), newSweep(o),
	)
	return root
}

const rootLong = `pushcheck pushes real images through real and misbehaving registries, as docker
does, and says whether everything went as a scenario file says it must.

Without a command it runs scenarios:

  pushcheck --scenario fallback.yaml    one file
  pushcheck ./scenarios                 every file of a folder
  pushcheck auth/basic                  a built-in scenario
  pushcheck run                         the whole built-in library

Each flag has a twin in the environment: --fail-fast is PUSHCHECK_FAIL_FAST.
Exit codes: 0 all as expected, 1 a scenario failed, 2 wrong usage, 3 the bench
itself could not go on, 4 nothing was selected, 130 interrupted.`
