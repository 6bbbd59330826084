package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/conformance"
)

func newCompare(o outside) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "say what changed between two reports of conformance",
		Long: `compare reads two reports that pushcheck conformance --report wrote, of one registry
at two times or of two registries, and says what is worse, better or otherwise in
the second.

Exit codes: 0 nothing is worse in B, 1 something is, 2 wrong usage, 3 a file cannot
be read.`,
		RunE: func(_ *cobra.Command, args []string) error { return compareReports(args, asJSON, o) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the changes to standard output as JSON")
	return cmd
}

func compareReports(args []string, asJSON bool, o outside) error {
	if len(args) != 2 {
		return usage("pushcheck compare yesterday.json today.json", "compare takes two reports, not %d", len(args))
	}
	var both [2]*conformance.Recorded
	for i, name := range args {
		file, err := os.Open(name)
		if err != nil {
			return broken("", err)
		}
		both[i], err = conformance.ReadReport(file)
		_ = file.Close() // it was read
		if err != nil {
			return broken("pushcheck conformance --report "+name+" URL makes one", fmt.Errorf("%s: %w", name, err))
		}
	}
	c := conformance.Compare(both[0], both[1])
	write := c.WriteText
	if asJSON {
		write = c.WriteJSON
	}
	if err := write(o.stdout); err != nil {
		return broken("", err)
	}
	if c.Worsened() {
		return &exitError{code: conformance.ExitFailed}
	}
	return nil
}
