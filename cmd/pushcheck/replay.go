package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

type replayFlags struct {
	era, images   string
	json, verbose bool
	serve         bool
	listen, ca    string
	expose        bool
}

func newReplay(o outside) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay PATH…",
		Short: "play recordings of real clients, and compare an era with them",
		Long: `replay answers as the registry of a recording did, resets and delays included,
while an era pushes against it from the recorded state, and compares what the era
sends, says and leaves behind with what the recorded client did. It needs no
registry, no network but loopback, and time costs nothing.

PATH is a folder of scenarios at any depth, a scenario, or the NAME.json of a
step. The images that were pushed are those in --images, or in a folder "images"
beside the recordings.

With --serve it answers any other client: it runs COMMAND once for each step, with
{registry} in its arguments in the place of the address, and compares what the
command asked, and its exit code, with the recording. Without a command it answers
until it is interrupted.`,
		Example: `  pushcheck replay recordings/docker-1.8.3
  pushcheck replay --serve recordings/crane -- crane push --insecure app.tar {registry}/lib/app:two`,
		RunE: func(cmd *cobra.Command, args []string) error {
			command := []string(nil)
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				args, command = args[:n], args[n:]
			}
			return f.run(cmd.Context(), args, command, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.era, "era", "", "push as this `docker` does; the recorded one unless given")
	flags.StringVar(&f.images, "images", "", "the `PATH` of the images that were pushed: an archive, or a folder of archives and layouts")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show every difference whole")
	flags.BoolVar(&f.json, "json", false, "one JSON object a step, and one for all")
	flags.BoolVar(&f.serve, "serve", false, "answer another client instead of an era")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "with --serve, the `ADDRESS`; port 0 is a free one")
	flags.BoolVar(&f.expose, "expose", false, "with --serve, allow an address that other machines can reach")
	flags.StringVar(&f.ca, "write-ca", "", "with --serve, write the certificate of a registry that spoke TLS to this `FILE`")
	_ = cmd.RegisterFlagCompletionFunc("era", fixed(eraNames()...))
	return cmd
}

func (f replayFlags) run(ctx context.Context, paths, command []string, o outside) error {
	if len(paths) == 0 {
		return usage("write: pushcheck replay PATH…", "replay takes recordings: folders of them, or single steps")
	}
	if f.serve {
		return f.serveSteps(ctx, paths, command, o)
	}
	if len(command) > 0 {
		return usage("add --serve to have the command run", "a command after -- is for replay --serve")
	}
	show, all := f.shower(o), &replay.Report{}
	for _, path := range paths {
		era, err := f.eraOf(ctx, path)
		if err != nil {
			return err
		}
		report, err := replay.Run(ctx, replay.Options{Paths: []string{path}, Images: f.images, Era: era, Step: show.verdict})
		if err != nil {
			return replayError(ctx, err)
		}
		all.Verdicts = append(all.Verdicts, report.Verdicts...)
	}
	return show.sum(all)
}

// eraOf is the era that was asked for, or the one that stands for the client of
// the recordings at path.
func (f replayFlags) eraOf(ctx context.Context, path string) (pusher.Era, error) {
	if f.era != "" {
		return findEra(f.era)
	}
	found, err := recording.Find(path)
	if err != nil {
		return pusher.Era{}, replayError(ctx, err)
	}
	for _, s := range found {
		for _, step := range s.Steps {
			if era, ok := eraOfClient(step.Client); ok {
				return era, nil
			}
		}
	}
	return findEra("docker-1.8")
}

// eraOfClient finds the era that stands for a client: docker-1.8 for
// "docker-1.8.3", docker-20.10 for "dockerd-20.10.24".
func eraOfClient(client string) (pusher.Era, bool) {
	client = strings.Replace(client, "dockerd-", "docker-", 1)
	for _, era := range pusher.Eras() {
		if client == era.Name || strings.HasPrefix(client, era.Name+".") {
			return era, true
		}
	}
	return pusher.Era{}, false
}

func replayError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted")}
	}
	return usage("a recording is a folder with NAME.json, NAME.jsonl and NAME.stdout; --images names the folder with what was pushed", "%v", err)
}

func (f replayFlags) shower(o outside) verdicts {
	if f.json {
		return verdictJSON{json.NewEncoder(o.stdout)}
	}
	return verdictText{o.stdout, f.verbose}
}

// verdicts show what comes out of a replay.
type verdicts interface {
	verdict(replay.Verdict)
	sum(*replay.Report) error
}

// verdictJSON writes one object a step, and one with the counts.
type verdictJSON struct{ e *json.Encoder }

func (j verdictJSON) verdict(v replay.Verdict) {
	type diff struct {
		Where    string `json:"where"`
		Recorded string `json:"recorded"`
		Played   string `json:"played"`
	}
	line := struct {
		Scenario   string   `json:"scenario"`
		Step       string   `json:"step"`
		File       string   `json:"file"`
		Equal      bool     `json:"equal"`
		Unplayable string   `json:"unplayable,omitempty"`
		Diffs      []diff   `json:"diffs,omitempty"`
		Reasons    []string `json:"reasons,omitempty"`
	}{Scenario: v.Scenario, Step: v.Step, File: v.Path, Equal: v.Equal(), Reasons: v.Reasons}
	if v.Unplayable != nil {
		line.Unplayable = v.Unplayable.Error()
	}
	for _, d := range v.Diffs {
		line.Diffs = append(line.Diffs, diff(d))
	}
	_ = j.e.Encode(line) // the exit code counts
}

func (j verdictJSON) sum(r *replay.Report) error {
	equal, steps := r.Equal(), len(r.Verdicts)
	if err := j.e.Encode(map[string]int{"equal": equal, "steps": steps}); err != nil {
		return broken("", err)
	}
	return allEqual(equal, steps)
}

func allEqual(equal, steps int) error {
	if equal < steps {
		return &exitError{code: scenarios.ExitFailed}
	}
	return nil
}

// stepName is how a step is named in lines: the scenario and the step.
func stepName(v replay.Verdict) string {
	return strings.TrimPrefix(fmt.Sprintf("%s/%s", v.Scenario, v.Step), "/")
}
