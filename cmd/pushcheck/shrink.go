package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

func newShrink(o outside) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "shrink SCENARIO",
		Short: "reduce a failing scenario to the faults that matter, as a scenario file",
		Long: `shrink runs a scenario with --seed, or with each of its seeds up to the first that
fails, and looks for the smallest scenario that fails by the same expectation or
invariant. Whatever struck, by chance or not, becomes a fault at one request; the
fewest of these that still make it fail are kept, then fewer and smaller layers and
plainer settings. The result is written to standard output as a scenario file that
lints and fails by itself.

Exit code 1: no seed fails, so that there is nothing to shrink.`,
		Example:           "  pushcheck shrink upload/storm --client docker-20.10 > shrunk.yaml\n  pushcheck run shrunk.yaml --trace",
		Args:              exactlyOne("a scenario", "pushcheck list has their names"),
		ValidArgsFunction: completeScenarios,
		RunE:              func(cmd *cobra.Command, args []string) error { return shrinkOne(cmd.Context(), args, f, o) },
	}
	cmd.Flags().StringVar(&f.client, "client", "", "push as this `ERA` instead of the file's own client")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "the seed that fails; each of the file's own unless given")
	cmd.Flags().IntVar(&f.runs, "runs", 0, "try so many seeds; the file's own number unless given")
	_ = cmd.RegisterFlagCompletionFunc("client", fixed(eraNames()...))
	return cmd
}

func shrinkOne(ctx context.Context, args []string, f runFlags, o outside) error {
	list, err := f.loadAs(args, o)
	if err != nil {
		return err
	}
	if len(list) > 1 {
		return usage("name one of them, as pushcheck list shows it", "%s is %s", args[0], plural(len(list), "scenario"))
	}
	s := list[0]
	first, runs := max(f.seed, s.Seed, 1), max(s.Runs, 1)
	switch {
	case f.runs > 0:
		runs = f.runs
	case f.seed > 0:
		first, runs = f.seed, 1
	}
	for i := range runs {
		shrunk, err := new(scenarios.Runner).Shrink(ctx, s, first+uint64(i)) //nolint:gosec // runs is not negative
		switch {
		case errors.Is(err, scenarios.ErrPassed):
			continue
		case err != nil:
			return broken("", fmt.Errorf("%s: %w", s.ID, err))
		}
		fmt.Fprintf(o.stdout, "%s", shrunk.Source)
		tellShrunk(o.stderr, shrunk)
		return nil
	}
	return &exitError{
		code: scenarios.ExitFailed, err: fmt.Errorf("%s passes with %s: there is nothing to shrink", s.ID, plural(runs, "seed")),
		hint: "--seed and --runs try others",
	}
}

func tellShrunk(w io.Writer, s *scenarios.Shrunk) {
	faults := len(s.Scenario.Faults)
	for _, t := range s.Scenario.Steps {
		faults += len(t.Faults)
	}
	fmt.Fprintf(w, "pushcheck: it takes %s of what struck (%s); found in %s\n", plural(faults, "fault"), plural(s.Struck, "time"), plural(s.Tried, "run"))
}

// shrinkFailed writes, below a run's report, what is left of the first scenario
// that failed by chance.
func shrinkFailed(ctx context.Context, summary scenarios.Summary, list []*scenarios.Scenario, r *scenarios.Runner, w io.Writer) {
	for _, res := range summary.Results {
		i := slices.IndexFunc(list, func(s *scenarios.Scenario) bool { return s.ID == res.ID })
		if res.Outcome != report.Fail || i < 0 || !list[i].Chancy() {
			continue
		}
		shrunk, err := (&scenarios.Runner{Timeout: r.Timeout}).Shrink(ctx, list[i], res.Seed)
		if err != nil {
			return // the report has said what failed
		}
		fmt.Fprintf(w, "\n%s", shrunk.Source)
		tellShrunk(w, shrunk)
		return
	}
}
