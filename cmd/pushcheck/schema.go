package main

import (
	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

func newSchema(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "write the JSON Schema of the scenario format, for editors",
		Long: `schema writes the JSON Schema (2020-12) of the scenario format to standard output.
An editor that has it completes keys, operations and faults, and marks mistakes:
with the YAML language server, write it to a file and begin a scenario with

  # yaml-language-server: $schema=scenario.schema.json

pushcheck lint is stricter, and its messages are better.`,
		Example: "  pushcheck schema > scenario.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := o.stdout.Write(scenarios.Schema())
			return err
		},
	}
}
