package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

func newCover(o outside) *cobra.Command {
	var chosen selection
	cmd := &cobra.Command{
		Use:   "cover [SCENARIO…]",
		Short: "run scenarios and say which faults struck what, and which invariants were tested",
		Long: `cover runs scenarios, the whole built-in library unless told otherwise, and says
for every fault of the catalogue which operations it struck and in how many
scenarios, and for every invariant how often it held and which of the broken
pushers it caught: each of those makes one mistake on purpose, which one invariant
has to catch and no other. A fault that never struck is told with what its
scenarios lack.

Exit code 1: a scenario failed; an invariant did not catch its broken pusher, or
another one did; or it was the whole library, and a fault never struck that nothing
that was skipped would have shown.`,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := chosen.load(args, o)
			if err != nil {
				return mistyped(args, err, o)
			}
			whole := len(args)+len(chosen.names)+len(chosen.labels) == 0 && chosen.run == "" && chosen.skip == ""
			return cover(cmd.Context(), list, whole, o)
		},
	}
	chosen.flags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	return cmd
}

// cover runs scenarios and says what they reached. whole says that they are the
// whole library, which has to reach every fault.
func cover(ctx context.Context, list []*scenarios.Scenario, whole bool, o outside) error {
	reach := scenarios.NewCoverage(list)
	summary, err := (&scenarios.Runner{Sink: reach}).Run(ctx, list)
	if errors.Is(ctx.Err(), context.Canceled) {
		finished := fmt.Sprintf("%d of %s had finished", len(summary.Results), plural(len(list), "scenario"))
		return &exitError{code: scenarios.ExitCode(summary, ctx.Err()), err: fmt.Errorf("interrupted; %s", finished)}
	}
	if err != nil {
		return &exitError{code: scenarios.ExitCode(summary, err), err: err}
	}
	missing, total, err := coveredFaults(o, reach)
	if err != nil {
		return broken("", err)
	}
	if err := coveredInvariants(o, reach); err != nil {
		return broken("", err)
	}
	uncaught, err := coveredMistakes(ctx, o)
	if errors.Is(ctx.Err(), context.Canceled) {
		return &exitError{
			code: scenarios.ExitCode(summary, ctx.Err()),
			err:  fmt.Errorf("interrupted; all of %s had finished, not all broken pushers", plural(len(list), "scenario")),
		}
	}
	if err != nil {
		return broken("", err)
	}
	fmt.Fprintf(o.stdout, "\n%d of %d faults struck in %s\n", total-len(missing), total, plural(len(list), "scenario"))
	unexplained := 0
	for _, f := range missing {
		if !whole && len(f.Skipped) == 0 {
			continue
		}
		why := "no scenario declares it"
		if len(f.Skipped) > 0 {
			why = "skipped: " + strings.Join(f.Skipped, "; ")
		} else {
			unexplained++
		}
		fmt.Fprintf(o.stdout, "  %s did not: %s\n", f.Name, why)
	}
	code := scenarios.ExitCode(summary, nil)
	switch {
	case code != scenarios.ExitOK:
		return &exitError{code: code, err: fmt.Errorf("not every scenario passed"), hint: "pushcheck run shows what went wrong"}
	case uncaught > 0:
		return &exitError{
			code: scenarios.ExitFailed, err: fmt.Errorf("%s caught by other invariants than their own", plural(uncaught, "broken pusher")),
			hint: "pushcheck explain INVARIANT says what it demands",
		}
	case whole && unexplained > 0:
		return &exitError{
			code: scenarios.ExitFailed, err: fmt.Errorf("%s never struck", plural(unexplained, "fault")),
			hint: "pushcheck explain FAULT says where it strikes",
		}
	}
	return nil
}

// coveredFaults writes a line for each fault that struck, and returns the others.
func coveredFaults(o outside, reach *scenarios.Coverage) (missing []scenarios.FaultReach, total int, err error) {
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "layer\tfault\tscenarios\ttimes\tstruck")
	for _, f := range reach.Faults() {
		total++
		if f.Times() == 0 {
			missing = append(missing, f)
			continue
		}
		var ops []string
		for _, op := range slices.Sorted(maps.Keys(f.Ops)) {
			ops = append(ops, fmt.Sprintf("%s %d×", op, f.Ops[op]))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", f.Layer, f.Name, len(f.Scenarios), f.Times(), strings.Join(ops, ", "))
	}
	return missing, total, table.Flush()
}

// coveredInvariants writes a line for each invariant.
func coveredInvariants(o outside, reach *scenarios.Coverage) error {
	fmt.Fprintln(o.stdout)
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "invariant\theld\tknown or waived\tbroken")
	for _, v := range reach.Invariants() {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", v.Name, v.Held, v.Known, v.Broken)
	}
	return table.Flush()
}

// coveredMistakes writes which invariants catch which broken pusher, and returns
// how many are not caught by their own invariant alone.
func coveredMistakes(ctx context.Context, o outside) (uncaught int, err error) {
	fmt.Fprintln(o.stdout)
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "invariant\tbroken pusher\tcaught by\twhat it does")
	list := scenarios.BrokenPushers()
	for _, b := range list {
		caught, err := b.Caught(ctx, false)
		if err != nil {
			return uncaught, fmt.Errorf("broken pusher %s: %w", b.Name, err)
		}
		by := strings.Join(caught, ", ")
		switch by {
		case b.Invariant:
			by = "it alone"
		case "":
			by = "none"
			uncaught++
		default:
			uncaught++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", b.Invariant, b.Name, by, b.Doc)
	}
	if err := table.Flush(); err != nil {
		return uncaught, err
	}
	fmt.Fprintf(o.stdout, "\n%d of %s caught by their own invariant and by no other\n", len(list)-uncaught, plural(len(list), "broken pusher"))
	return uncaught, nil
}
