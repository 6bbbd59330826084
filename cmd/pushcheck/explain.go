package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

func newExplain(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "explain NAME",
		Short: "say what a fault, key of the format, operation, invariant, era, client, exit code or scenario is",
		Example: `  pushcheck explain head-lies
  pushcheck explain upload.patch
  pushcheck explain chance
  pushcheck explain 3`,
		Args: exactlyOne("a name", "pushcheck explain --help has examples"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scenarios.Explainable(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := scenarios.Explain(args[0])
			if missing := new(scenarios.NotFoundError); errors.As(err, &missing) {
				return usage(didYouMean(missing, "explain knows every fault, key, quirk, oddity, operation, invariant, outcome, era, client, exit code and scenario"),
					"nothing is called %q", args[0])
			}
			if err != nil {
				return broken("", err)
			}
			for i, e := range found {
				if i > 0 {
					fmt.Fprintln(o.stdout)
				}
				explain(o, e)
			}
			return nil
		},
	}
}

func explain(o outside, e scenarios.Explanation) {
	fmt.Fprintf(o.stdout, "%s %s\n  %s\n", e.What, e.Name, e.Doc)
	if len(e.Rows) > 0 {
		fmt.Fprintln(o.stdout)
		table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
		for _, r := range e.Rows {
			kind := r.Type
			if r.Default != "" {
				kind = strings.TrimSpace(kind + " = " + r.Default)
			}
			line := "  " + r.Name + "\t" + kind
			if r.Doc != "" {
				line += "\t" + r.Doc
			}
			fmt.Fprintln(table, line)
		}
		table.Flush()
	}
	if len(e.Files) > 0 {
		fmt.Fprintf(o.stdout, "\n  used by %s\n", usedBy(e.Files))
	}
}

// shownFiles is how many files explain names.
const shownFiles = 12

func usedBy(files []string) string {
	if n := len(files); n > shownFiles+1 {
		return strings.Join(files[:shownFiles], ", ") + fmt.Sprintf(" and %d more", n-shownFiles)
	}
	return strings.Join(files, ", ")
}

// didYouMean is the hint for a name that stands for nothing.
func didYouMean(missing *scenarios.NotFoundError, otherwise string) string {
	near := strings.Join(missing.Near, ", ")
	if near == "" {
		return otherwise
	}
	return "did you mean " + near + "?"
}
