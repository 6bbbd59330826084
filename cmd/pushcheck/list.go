package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

// A listed is one scenario as list --json writes it.
type listed struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	File   string   `json:"file,omitempty"`
	Line   int      `json:"line,omitempty"`
	Client string   `json:"client"`
	Labels []string `json:"labels,omitempty"`
	Needs  []string `json:"needs,omitempty"`
	Spec   string   `json:"spec,omitempty"`
	Skip   string   `json:"skip,omitempty"` // why it would not run here
}

func newList(o outside) *cobra.Command {
	var chosen selection
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list [SCENARIO…]",
		Short:             "list scenarios, and which would be skipped and why",
		ValidArgsFunction: completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := chosen.load(args, o)
			if err != nil {
				return err
			}
			if asJSON {
				return listJSON(o, list)
			}
			table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
			for _, s := range list {
				l := describeScenario(s)
				more := ""
				if len(l.Labels) > 0 {
					more += " [" + strings.Join(l.Labels, ", ") + "]"
				}
				if l.Skip != "" {
					more += " (skipped: " + l.Skip + ")"
				}
				fmt.Fprintf(table, "%s\t%s\n", report.Visible(l.ID), report.Visible(l.Title+more))
			}
			return table.Flush()
		},
	}
	chosen.flags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	return cmd
}

func listJSON(o outside, list []*scenarios.Scenario) error {
	out := json.NewEncoder(o.stdout)
	for _, s := range list {
		if err := out.Encode(describeScenario(s)); err != nil {
			return broken("", err)
		}
	}
	return nil
}

func describeScenario(s *scenarios.Scenario) listed {
	client := s.Client.Name
	if client == "" {
		client = s.Client.Era
	}
	return listed{
		ID: s.ID, Title: s.Title, File: s.Position.File, Line: s.Position.Line, Client: client,
		Labels: s.Labels, Needs: s.Needs, Spec: s.Spec, Skip: scenarios.SkipReason(s),
	}
}
