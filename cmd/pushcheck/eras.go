package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

func newEras(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "eras",
		Short: "list the dockers and other pushers that there are",
		Long: `eras lists every builtin pusher, oldest first. "pushcheck explain ERA" says what
one does and which rule says so, "pushcheck diff ERA ERA" shows two of them side
by side.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
			for _, e := range pusher.Eras() {
				fmt.Fprintf(table, "%s\t%s\n", e.Name, scenarios.EraSentence(e))
			}
			return table.Flush()
		},
	}
}
