package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

type matrixFlags struct {
	selection
	pageFlags
	foreignFlags
	pushers           []string // --client
	seed              uint64
	parallel          int
	timeout, deadline time.Duration
}

func newMatrix(o outside) *cobra.Command {
	var f matrixFlags
	cmd := &cobra.Command{
		Use:   "matrix [SCENARIO…]",
		Short: "run scenarios with several clients: a table of clients × scenarios",
		Long: `matrix runs every scenario that is chosen with every client, in the place of the
client that the file names, and shows how each came out: as a table, with --json
as JSON, and with --html as one page that has behind each cell the wire, what the
client said, what the registry holds and the command that runs it again.

A scenario describes the way of its own client. Another one that breaks no
invariant and comes at least as far, but on another way, "differs"; that is no
failure.

Exit codes: 0 nothing failed, 1 a cell failed, 3 the bench could not tell, 4
nothing was selected.`,
		Example: `  pushcheck matrix auth --client docker-20.10 --client best
  pushcheck matrix --scenario network --client docker-28 --html matrix.html`,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runMatrix(cmd.Context(), args, f, o)
		},
	}
	flags := cmd.Flags()
	f.selection.flags(flags)
	f.foreignFlags.flags(flags)
	flags.StringArrayVar(&f.pushers, "client", nil, "push as this `CLIENT`, an era or another program; may be repeated; every era unless given")
	flags.Uint64Var(&f.seed, "seed", 0, "the first seed; each file's own unless given")
	flags.IntVar(&f.parallel, "parallel", 0, "so many pushes at once; the number of processors unless given")
	flags.DurationVar(&f.timeout, "timeout", 0, "of a scenario's own time, such as 30s, in place of the file's")
	flags.DurationVar(&f.deadline, "deadline", 0, "of the whole run's real time, such as 10m")
	flags.StringVar(&f.html, "html", "", "write the page to this `FILE`")
	flags.BoolVar(&f.json, "json", false, "write JSON to standard output, and the table to standard error")
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	_ = cmd.RegisterFlagCompletionFunc("client", fixed(eraNames()...))
	return cmd
}

func runMatrix(ctx context.Context, args []string, f matrixFlags, o outside) error {
	if err := canPass(f.timeout, f.deadline); err != nil {
		return err
	}
	if err := writable(f.html); err != nil {
		return err
	}
	foreign, err := f.driver(&f.selection, o)
	if err != nil {
		return err
	}
	list, err := f.load(args, o)
	if err != nil {
		return mistyped(args, err, o)
	}
	clients := f.pushers
	if len(clients) == 0 {
		clients = eraNames()
	}
	for i, c := range clients {
		if err := knownClient(c, adapterNames(foreign.Adapters)); err != nil {
			return err
		}
		if slices.Contains(clients[:i], c) {
			return usage("", "--client %s stands there twice", c)
		}
	}
	ctx, stop := withDeadline(ctx, f.deadline)
	defer stop()
	line := newCounter(o, "pushes")
	var done atomic.Int64
	r := &scenarios.Runner{Parallel: f.parallel, Seed: f.seed, Timeout: f.timeout, Foreign: foreign}
	r.Done = func(scenarios.Result) { line.tell(int(done.Add(1)), len(list)*len(clients)) }
	m, runErr := r.Matrix(ctx, list, clients)
	line.end()
	if wrong := new(scenarios.Errors); errors.As(runErr, &wrong) {
		return &exitError{code: scenarios.ExitUsage, err: runErr}
	}
	p := m.Page(f.command(args, clients))
	if err := f.write(p, o); err != nil {
		return err
	}
	count := p.Count()
	switch {
	case runErr != nil:
		return early(ctx, runErr, f.deadline)
	case count[scenarios.MatrixFail] > 0:
		return &exitError{code: scenarios.ExitFailed}
	case count[scenarios.MatrixBroken] > 0:
		return &exitError{code: scenarios.ExitBroken}
	}
	return nil
}

// command is what makes the same matrix again.
func (f matrixFlags) command(args, clients []string) string {
	words := f.selection.command("matrix", args)
	for _, c := range clients {
		words += " --client " + c
	}
	if f.seed > 0 {
		words += fmt.Sprintf(" --seed %d", f.seed)
	}
	return words
}
