package main

import (
	"context"
	"fmt"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// serveSteps answers a client as recorded registries did, a step at a time.
func (f replayFlags) serveSteps(ctx context.Context, paths, command []string, o outside) error {
	var steps []*recording.Step
	for _, path := range paths {
		scenarios, err := recording.Find(path)
		if err != nil {
			return replayError(ctx, err)
		}
		for _, s := range scenarios {
			steps = append(steps, s.Steps...)
		}
	}
	if len(command) == 0 && len(steps) > 1 {
		return usage("name the NAME.json of one step, or give a command after --", "%s, and no command to run for each", plural(len(steps), "step"))
	}
	show, report := f.shower(o), &replay.Report{}
	for _, step := range steps {
		v, err := f.serveStep(ctx, step, command, o)
		if err != nil {
			return err
		}
		report.Verdicts = append(report.Verdicts, v)
		show.verdict(v)
	}
	return show.sum(report)
}

// serveStep serves one step to one run of the client.
func (f replayFlags) serveStep(ctx context.Context, step *recording.Step, command []string, o outside) (replay.Verdict, error) {
	served, err := replay.Serve(ctx, step, replay.ServeOptions{Listen: f.listen, Expose: f.expose})
	if err != nil {
		return replay.Unservable(step, err), nil
	}
	defer served.Close()
	ca, remove, err := f.certificateOf(served)
	if err != nil {
		return replay.Verdict{}, err
	}
	defer remove()
	if len(command) == 0 {
		fmt.Fprintf(o.stderr, "registry  %s\n", served.Host())
		if ca != "" {
			fmt.Fprintf(o.stderr, "ca        %s\n", ca)
		}
		fmt.Fprintln(o.stderr, "ready; an interrupt ends it and compares")
		<-ctx.Done()
		return served.Verdict(-1), nil
	}
	quiet := o
	quiet.stdout = o.stderr // standard output is for the verdicts
	r, err := runClient(ctx, command, served.Host(), ca, quiet)
	if err != nil {
		return replay.Verdict{}, err
	}
	if r.interrupted {
		return replay.Verdict{}, interruptedError("interrupted")
	}
	return served.Verdict(r.exit), nil
}

func (f replayFlags) certificateOf(served *replay.Served) (path string, remove func(), err error) {
	if served.CA() == nil {
		if f.ca != "" {
			return "", nil, usage("leave --write-ca out", "--write-ca: the recorded registry spoke plain HTTP")
		}
		return "", func() {}, nil
	}
	return writeCA(f.ca, served.CA())
}
