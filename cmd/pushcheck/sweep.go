package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

type sweepFlags struct {
	pageFlags
	foreignFlags
	sweep    scenarios.Sweep
	save     string
	seed     uint64
	parallel int
	deadline time.Duration
}

func newSweep(o outside) *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep --client CLIENT",
		Short: "every fault at every step of one client's own push: a map of what becomes of it",
		Long: `sweep pushes once without faults, takes the connections, handshakes and requests
of that push for steps, and pushes again for every fault of the catalogue at every
step at which it can strike. The standing invariants judge. It shows a map of
faults × steps; with --json the same as JSON, and with --html one page that has
behind each cell the wire, what the client said, what the registry holds, and a
scenario file that runs it again. --save writes these files.

A builtin era is swept in memory and on virtual time. Another program is run for
real: --fault and --step choose a part, --deadline ends the sweep.

Exit codes: 0 no invariant is broken but those that the client is known to break,
1 one is, 3 the bench could not tell, or the deadline ended the sweep.`,
		Example: `  pushcheck sweep --client docker-20.10 --html sweep.html
  pushcheck sweep --client best --fault reset --fault close --step 'upload.*'
  pushcheck sweep --client docker-1.8 --registry v1 --save found`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSweep(cmd.Context(), f, o) },
	}
	flags := cmd.Flags()
	f.flags(flags)
	flags.StringVar(&f.sweep.Client, "client", "", "the `CLIENT`, an era or another program")
	flags.StringArrayVar(&f.sweep.Faults, "fault", nil, "only this `FAULT`; may be repeated; all unless given")
	flags.StringArrayVar(&f.sweep.Steps, "step", nil, "only this `STEP`: an operation such as upload.*, or one step such as 'upload.patch 2'; may be repeated")
	flags.StringVar(&f.sweep.Ground, "registry", "tokens", "what is pushed to: "+strings.Join(groundNames(), ", "))
	flags.DurationVar(&f.sweep.Limit, "timeout", 0, "of one push's own time; an hour of virtual time, or 30s of another program's")
	flags.StringVar(&f.save, "save", "", "write the scenario file of each cell into this `FOLDER`, which is made")
	flags.Uint64Var(&f.seed, "seed", 0, "of every push; 1 unless given")
	flags.IntVar(&f.parallel, "parallel", 0, "so many pushes at once; the number of processors unless given")
	flags.DurationVar(&f.deadline, "deadline", 0, "of the whole sweep's real time, such as 10m")
	flags.StringVar(&f.html, "html", "", "write the page to this `FILE`")
	flags.BoolVar(&f.json, "json", false, "write JSON to standard output, and the map to standard error")
	_ = cmd.MarkFlagRequired("client")
	_ = cmd.RegisterFlagCompletionFunc("client", fixed(eraNames()...))
	_ = cmd.RegisterFlagCompletionFunc("registry", fixed(groundNames()...))
	_ = cmd.RegisterFlagCompletionFunc("fault", fixed(scenarios.FaultNames()...))
	return cmd
}

func groundNames() []string {
	var names []string
	for _, g := range scenarios.SweepGrounds() {
		names = append(names, g.Name)
	}
	return names
}

func runSweep(ctx context.Context, f sweepFlags, o outside) error {
	if err := canPass(f.sweep.Limit, f.deadline); err != nil {
		return err
	}
	if err := writable(f.html); err != nil {
		return err
	}
	foreign, err := f.driver(nil, o)
	if err != nil {
		return err
	}
	if err := knownClient(f.sweep.Client, adapterNames(foreign.Adapters)); err != nil {
		return err
	}
	ctx, stop := withDeadline(ctx, f.deadline)
	defer stop()
	line := newCounter(o, "pushes")
	r := &scenarios.Runner{Parallel: f.parallel, Seed: f.seed, Foreign: foreign}
	rep, err := r.Sweep(ctx, f.sweep, line.tell)
	line.end()
	if rep == nil {
		return sweepError(ctx, err, f)
	}
	if err := saveCells(f.save, rep); err != nil {
		return err
	}
	p := rep.Page(f.command())
	if err := f.write(p, o); err != nil {
		return err
	}
	for _, c := range rep.Breaks() {
		fmt.Fprintf(o.stderr, "✗ %s: %s\n", c.Name, c.Because())
	}
	switch {
	case len(rep.Breaks()) > 0:
		return &exitError{code: scenarios.ExitFailed}
	case err != nil:
		return early(ctx, err, f.deadline)
	case p.Count()[scenarios.SweepUnknown] > 0:
		return &exitError{code: scenarios.ExitBroken}
	}
	return nil
}

// sweepError is why there is nothing to show.
func sweepError(ctx context.Context, err error, f sweepFlags) error {
	var wrong *scenarios.SweepError
	switch {
	case errors.As(err, &wrong):
		return usage("pushcheck sweep --help", "%v", err)
	case ctx.Err() != nil:
		return early(ctx, err, f.deadline)
	}
	return broken("--registry chooses another one to push to", err)
}

// saveCells writes the scenario file of every cell.
func saveCells(dir string, rep *scenarios.SweepReport) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return broken("--save takes a folder", err)
	}
	for _, row := range rep.Cells {
		for _, c := range row {
			if c == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, c.Name), []byte(c.Text), 0o644); err != nil {
				return broken("--save takes a folder", err)
			}
		}
	}
	return nil
}

// command is what makes the same sweep again.
func (f sweepFlags) command() string {
	words := []string{"pushcheck", "sweep", "--client", f.sweep.Client}
	if f.sweep.Ground != groundNames()[0] {
		words = append(words, "--registry", f.sweep.Ground)
	}
	for _, one := range f.sweep.Faults {
		words = append(words, "--fault", one)
	}
	for _, one := range f.sweep.Steps {
		words = append(words, "--step", one)
	}
	if f.seed > 0 {
		words = append(words, "--seed", fmt.Sprint(f.seed))
	}
	return shellWords(words...)
}
