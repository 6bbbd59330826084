package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

type runFlags struct {
	selection
	foreignFlags
	client                       string
	seed                         uint64
	runs, parallel, verbose      int
	timeout, deadline            time.Duration
	failFast, trace, quiet, json bool
	color, progress, junit, html string
	set                          map[string]bool // flags that were given
}

func newRun(o outside) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:               "run [SCENARIO…]",
		Short:             "run scenarios; what pushcheck does without a command",
		Long:              rootLong,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.set = map[string]bool{}
			cmd.Flags().Visit(func(flag *pflag.Flag) { f.set[flag.Name] = true })
			return runScenarios(cmd.Context(), args, f, o)
		},
	}
	f.flags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	_ = cmd.RegisterFlagCompletionFunc("client", fixed(eraNames()...))
	_ = cmd.RegisterFlagCompletionFunc("color", fixed("auto", "always", "never"))
	_ = cmd.RegisterFlagCompletionFunc("progress", fixed("auto", "plain", "none"))
	return cmd
}

func (f *runFlags) flags(flags *pflag.FlagSet) {
	f.selection.flags(flags)
	f.foreignFlags.flags(flags)
	flags.StringVar(&f.client, "client", "", "push as this era or adapter, by `NAME`, instead of the files' own clients")
	flags.Uint64Var(&f.seed, "seed", 0, "the first seed; each file's own unless given")
	flags.IntVar(&f.runs, "runs", 0, "run each scenario with so many seeds; each file's own number unless given")
	flags.IntVar(&f.parallel, "parallel", 0, "so many scenarios at once; the number of processors unless given")
	flags.DurationVar(&f.timeout, "timeout", 0, "of a scenario's own time, such as 30s, in place of the file's")
	flags.DurationVar(&f.deadline, "deadline", 0, "of the whole run's real time, such as 10m")
	flags.BoolVar(&f.failFast, "fail-fast", false, "end at the first scenario that fails")
	flags.CountVarP(&f.verbose, "verbose", "v", "say more; -vv more still")
	flags.BoolVar(&f.trace, "trace", false, "show the whole wire of every scenario")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show failures only")
	flags.StringVar(&f.color, "color", "auto", "auto, always or never")
	flags.StringVar(&f.progress, "progress", "auto", "the live line: auto, plain or none")
	flags.BoolVar(&f.json, "json", false, "write events to standard output, one JSON object a line, and text to standard error")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to this `FILE`")
	flags.StringVar(&f.html, "html", "", "write a page with the wire of every scenario to this `FILE`")
}

// Many scenarios are many small worlds, each soon forgotten: with garbage collected
// less often the library takes a fifth less of the processors' time, for 40 MiB.
const (
	many      = 20
	lessOften = 200
)

// errFailFast ends a run at its first failure.
var errFailFast = errors.New("the first failure ended the run")

// check says which flags cannot be followed, before anything is run.
func (f runFlags) check() error {
	for _, n := range []struct {
		flag  string
		value int
	}{{"runs", f.runs}, {"parallel", f.parallel}} {
		if n.value < 0 || f.set[n.flag] && n.value == 0 {
			return usage("", "--%s is %d; want at least 1", n.flag, n.value)
		}
	}
	if err := canPass(f.timeout, f.deadline); err != nil {
		return err
	}
	return writable(f.html)
}

func runScenarios(ctx context.Context, args []string, f runFlags, o outside) error {
	if err := f.check(); err != nil {
		return err
	}
	foreign, err := f.driver(&f.selection, o)
	if err != nil {
		return err
	}
	list, err := f.loadAs(args, o)
	if err != nil {
		return err
	}
	if f.wholeLibrary(args) {
		foreign = nil
	}
	if err := foreign.Allow(list); err != nil {
		return usage("", "%s", strings.TrimSpace(err.Error()))
	}
	sink, finish, err := f.sinks(len(list), o)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	ctx, stop := withDeadline(ctx, f.deadline)
	defer stop()
	if len(list) > many {
		defer debug.SetGCPercent(debug.SetGCPercent(lessOften))
	}
	began := time.Now()
	runner := f.runner(sink, end, o)
	runner.Foreign = foreign
	list = f.flagged(list)
	summary, runErr := runner.Run(ctx, list)
	counted := tally(summary)
	counted.Seed, counted.Elapsed, counted.Interrupted = f.seed, time.Since(began), len(summary.Results) < len(list)
	if err := finish(counted); err != nil {
		return broken("", err)
	}
	if err := writeHTML(f.html, scenarios.RunPage(summary.Results, list, f.command("run", args))); err != nil {
		return err
	}
	if ctx.Err() == nil {
		w := o.stdout
		if f.json {
			w = o.stderr
		}
		shrinkFailed(ctx, summary, list, runner, w)
	}
	return verdict(ctx, summary, runErr, len(list), f)
}

// mistyped turns "no such scenario" into "no such command" where that is more
// likely what somebody meant.
func mistyped(args []string, err error, o outside) error {
	if exit := new(exitError); len(args) == 0 || strings.ContainsAny(args[0], "./") || !errors.As(err, &exit) || exit.code != scenarios.ExitNothing {
		return err
	}
	commands := []string{"help"}
	for _, c := range newRoot(o).Commands() {
		commands = append(commands, c.Name())
	}
	if near := scenarios.Nearest(args[0], commands); near != "" {
		return usage("pushcheck --help lists the commands, pushcheck list the scenarios", "there is no command or scenario %q; did you mean %s?", args[0], near)
	}
	return err
}

// runner is the runner that the flags describe. end ends the run.
func (f runFlags) runner(sink report.Sink, end context.CancelCauseFunc, o outside) *scenarios.Runner {
	r := &scenarios.Runner{Parallel: f.parallel, Seed: f.seed, Runs: f.runs, Timeout: f.timeout, Sink: sink}
	r.Emit = func(res scenarios.Result) {
		if f.failFast && res.Outcome == report.Fail {
			end(errFailFast)
		}
	}
	if f.verbose > 1 {
		r.Log = newLog(o.stderr, slog.LevelDebug)
	}
	return r
}

// as makes every scenario push as --client says.
func (f runFlags) as(list []*scenarios.Scenario) ([]*scenarios.Scenario, error) {
	if f.client == "" {
		return list, nil
	}
	names := append(adapterNames(scenarios.BuiltinAdapters()), f.adapters...)
	era, adapter := f.client, ""
	if slices.Contains(names, f.client) {
		era, adapter = "", f.client
	} else if err := knownClient(f.client, names); err != nil {
		return nil, err
	}
	return f.replaced(scenarios.Meant(list, f.client), era, adapter), nil
}

// replaced is list with another client. A file that lists its clients runs once,
// and as it stands where the client is one of them.
func (f runFlags) replaced(list []*scenarios.Scenario, era, adapter string) []*scenarios.Scenario {
	at := map[string]int{} // of what was listed, without the client
	var out []*scenarios.Scenario
	for _, s := range list {
		changed := *s
		own := scenarios.ClientName(s.Client)
		id, listed := strings.CutSuffix(s.ID, "@"+own)
		if listed {
			changed.ID = id + "@" + f.client
			changed.Name = strings.TrimSuffix(s.Name, "@"+own)
		}
		if own != f.client {
			changed.Client.Era, changed.Client.Name, changed.Client.Adapter, changed.Client.Run = era, "", adapter, nil
		}
		changed.As = f.client
		i, again := at[s.Position.File+" "+id]
		switch {
		case !listed || !again:
			at[s.Position.File+" "+id] = len(out)
			out = append(out, &changed)
		case own == f.client:
			out[i] = &changed
		}
	}
	return out
}

// loadAs loads the scenarios, with the client of --client in the place of theirs.
func (f runFlags) loadAs(args []string, o outside) ([]*scenarios.Scenario, error) {
	bare := func(list []string) []string {
		list = slices.Clone(list)
		for i := range list {
			list[i] = strings.TrimSuffix(list[i], "@"+f.client) // as the run names it
		}
		return list
	}
	if f.client != "" {
		args, f.names = bare(args), bare(f.names)
	}
	list, err := f.load(args, o)
	if err != nil {
		return nil, mistyped(args, err, o)
	}
	return f.as(list)
}

// flagged is list with the flags that each needs to be run again.
func (f runFlags) flagged(list []*scenarios.Scenario) []*scenarios.Scenario {
	out := make([]*scenarios.Scenario, len(list))
	for i, s := range list {
		changed := *s
		var words []string
		if f.allowExec && len(s.Client.Run) > 0 {
			words = append(words, "--allow-exec")
		}
		if s.Client.Adapter != "" {
			for _, folder := range f.clients {
				words = append(words, "--clients", folder)
			}
		}
		changed.Flags = shellWords(words...)
		out[i] = &changed
	}
	return out
}

// wholeLibrary reports whether the built-in library was chosen as it stands: then
// clients of others are left out, unless a flag asks for them.
func (f runFlags) wholeLibrary(args []string) bool {
	named := slices.DeleteFunc(append(slices.Clone(f.names), args...), func(name string) bool { return name == "all" })
	return len(named) == 0 && f.client == "" && len(f.require) == 0 && len(f.clients) == 0
}

// sinks are the reports that the flags ask for. finish ends them.
func (f runFlags) sinks(total int, o outside) (sink report.Sink, finish func(report.Summary) error, err error) {
	text, err := f.text(total, o)
	if err != nil {
		return nil, nil, err
	}
	sinks := []report.Sink{text}
	if f.json {
		sinks = append(sinks, report.NewJSON(o.stdout))
	}
	var file *os.File
	if f.junit != "" {
		if file, err = os.Create(f.junit); err != nil {
			return nil, nil, broken("--junit takes a file in a folder that exists", err)
		}
		sinks = append(sinks, report.NewJUnit(file))
	}
	sink = report.All(sinks...)
	return sink, func(s report.Summary) error {
		err := sink.Summary(s)
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return err
	}, nil
}

// text is the report for people, on standard error where --json has the other.
func (f runFlags) text(total int, o outside) (report.Sink, error) {
	var w io.Writer = o.stdout
	if f.json {
		w = o.stderr
	}
	columns, isTerminal := o.terminal(w)
	options := report.TextOptions{
		Color: color(f.color).on(isTerminal, o), Live: isTerminal, Total: total, Width: columns, Now: time.Now,
		Quiet: f.quiet, Verbose: f.verbose, Trace: f.trace,
	}
	if err := color(f.color).check(); err != nil {
		return nil, err
	}
	switch f.progress {
	case "auto":
	case "plain", "none":
		options.Live = false
	default:
		return nil, usage("", "--progress is auto, plain or none, not %q", f.progress)
	}
	return report.NewText(w, options), nil
}

func tally(s scenarios.Summary) report.Summary {
	var t report.Tally
	for _, r := range s.Results {
		t.Add(r)
	}
	return t.Summary()
}

// verdict is the exit code, and what the reports have not said.
func verdict(ctx context.Context, s scenarios.Summary, err error, chosen int, f runFlags) error {
	unfinished := fmt.Sprintf("%d of %s had finished", len(s.Results), plural(chosen, "scenario"))
	cause := context.Cause(ctx)
	switch code := scenarios.ExitCode(s, err); {
	case errors.Is(cause, errFailFast):
		return &exitError{code: scenarios.ExitFailed}
	case errors.Is(cause, errDeadline) && s.Counts[report.Fail] > 0:
		return &exitError{code: scenarios.ExitFailed, err: fmt.Errorf("the deadline of %s ended the run; %s", f.deadline, unfinished)}
	case errors.Is(cause, errDeadline):
		return broken("", fmt.Errorf("the deadline of %s ended the run; %s", f.deadline, unfinished))
	case code == scenarios.ExitInterrupted:
		return &exitError{code: code, err: fmt.Errorf("interrupted; %s", unfinished)}
	case code == scenarios.ExitUsage:
		return &exitError{code: code, err: errors.New(strings.TrimSpace(err.Error()))}
	case code != scenarios.ExitOK:
		return &exitError{code: code}
	}
	return nil
}
