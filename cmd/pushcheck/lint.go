package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

func newLint(o outside) *cobra.Command {
	return &cobra.Command{
		Use:               "lint FILE…",
		Short:             "check scenario files without running them: all errors at once",
		ValidArgsFunction: completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("pushcheck lint scenarios/ checks a folder, pushcheck lint all the built-in library", "lint takes at least one file, folder, glob or built-in name")
			}
			loader := scenarios.Loader{Files: scenarios.Dir(""), Env: o.env}
			list, err := loader.Load(args...)
			if wrong := new(scenarios.Errors); errors.As(err, &wrong) {
				fmt.Fprintln(o.stdout, strings.TrimRight(wrong.Error(), "\n"))
				return &exitError{code: scenarios.ExitUsage}
			}
			if err != nil {
				return loadError(err)
			}
			files := map[string]bool{}
			for _, s := range list {
				files[s.Position.File] = true
			}
			fmt.Fprintf(o.stdout, "%s, %s: no problems\n", plural(len(files), "file"), plural(len(list), "scenario"))
			return nil
		},
	}
}
