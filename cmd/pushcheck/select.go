package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pushcheck/pushcheck/scenarios"
)

// A selection is which scenarios a command is about.
type selection struct {
	names     []string // --scenario
	run, skip string
	labels    []string
	adapters  []string // names of the user's own adapters
}

func (s *selection) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&s.names, "scenario", nil, "a scenario `FILE`, folder, glob or built-in name; may be repeated")
	f.StringVar(&s.run, "run", "", "only scenarios whose ID matches this `REGEX`")
	f.StringVar(&s.skip, "skip", "", "not those whose ID matches this `REGEX`")
	f.StringArrayVar(&s.labels, "label", nil, "only scenarios with this `LABEL`; !LABEL for those without; may be repeated")
}

// load loads what is selected, in order. Nothing selected is an error of its own,
// so that a renamed file cannot turn a build green.
func (s *selection) load(args []string, o outside) ([]*scenarios.Scenario, error) {
	run, err := compile("--run", s.run)
	if err != nil {
		return nil, err
	}
	skip, err := compile("--skip", s.skip)
	if err != nil {
		return nil, err
	}
	loader := scenarios.Loader{Files: scenarios.Dir(""), Env: o.env, Clients: s.adapters}
	list, err := loader.Load(append(slices.Clone(s.names), args...)...)
	if err != nil {
		return nil, loadError(err)
	}
	total := len(list)
	list = slices.DeleteFunc(list, func(one *scenarios.Scenario) bool {
		return (run != nil && !run.MatchString(one.ID)) || (skip != nil && skip.MatchString(one.ID)) || !s.labelled(one)
	})
	if len(list) == 0 {
		return nil, &exitError{
			code: scenarios.ExitNothing, err: fmt.Errorf("none of %s is selected by %s", plural(total, "scenario"), s.words()),
			hint: "pushcheck list shows their IDs and labels",
		}
	}
	return list, nil
}

func (s *selection) labelled(one *scenarios.Scenario) bool {
	for _, l := range s.labels {
		name, without := strings.CutPrefix(l, "!")
		if slices.Contains(one.Labels, name) == without {
			return false
		}
	}
	return true
}

// words says the selection as it was written.
func (s *selection) words() string {
	var parts []string
	if s.run != "" {
		parts = append(parts, "--run "+s.run)
	}
	if s.skip != "" {
		parts = append(parts, "--skip "+s.skip)
	}
	for _, l := range s.labels {
		parts = append(parts, "--label "+l)
	}
	return strings.Join(parts, " ")
}

// command is a command about what is selected, as it would be typed again.
func (s *selection) command(verb string, args []string) string {
	words := append([]string{"pushcheck", verb}, args...)
	for _, one := range s.names {
		words = append(words, "--scenario", one)
	}
	for _, pair := range [][2]string{{"--run", s.run}, {"--skip", s.skip}} {
		if pair[1] != "" {
			words = append(words, pair[0], pair[1])
		}
	}
	for _, l := range s.labels {
		words = append(words, "--label", l)
	}
	return shellWords(words...)
}

func compile(flag, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, usage("", "%s: %v", flag, err)
	}
	return re, nil
}

// loadError gives an error of loading its exit code and its hint.
func loadError(err error) error {
	var wrong *scenarios.Errors
	var missing *scenarios.NotFoundError
	switch {
	case errors.As(err, &wrong):
		return &exitError{code: scenarios.ExitUsage, err: fmt.Errorf("%s in scenario files; nothing was run\n%s", plural(len(wrong.Problems), "problem"), strings.TrimRight(wrong.Error(), "\n"))}
	case errors.As(err, &missing) && missing.Name == "":
		return &exitError{
			code: scenarios.ExitNothing, err: errors.New("the name of a scenario is empty; nothing was run"),
			hint: "leave it out, or say all, for the built-in library",
		}
	case errors.As(err, &missing) && missing.Place:
		return &exitError{
			code: scenarios.ExitNothing, err: missing,
			hint: "scenario files end in .yaml or .yml; pushcheck run all runs the built-in library",
		}
	case errors.As(err, &missing):
		return &exitError{
			code: scenarios.ExitNothing, err: fmt.Errorf("%q is no file, folder, glob, built-in scenario or command", missing.Name),
			hint: didYouMean(missing, "pushcheck list names the built-in scenarios, pushcheck --help the commands"),
		}
	}
	return broken("", err)
}

// completeScenarios completes IDs of built-in scenarios; the shell adds files.
func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	list, err := scenarios.Load(nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID+"\t"+s.Title)
	}
	return ids, cobra.ShellCompDirectiveDefault
}
