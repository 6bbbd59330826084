package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/scenarios"
)

type versionInfo struct {
	Version      string `json:"version"`
	Revision     string `json:"revision,omitempty"`
	Go           string `json:"go"`
	Platform     string `json:"platform"`
	Distribution string `json:"distribution"`
	Format       int    `json:"format"` // of scenario files
}

func newVersion(o outside) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "say which pushcheck this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if asJSON {
				return json.NewEncoder(o.stdout).Encode(v)
			}
			fmt.Fprintf(o.stdout, "pushcheck %s\n", v.Version)
			if v.Revision != "" {
				fmt.Fprintf(o.stdout, "revision      %s\n", v.Revision)
			}
			fmt.Fprintf(o.stdout, "go            %s %s\n", v.Go, v.Platform)
			fmt.Fprintf(o.stdout, "distribution  %s\n", v.Distribution)
			fmt.Fprintf(o.stdout, "format        %d\n", v.Format)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}

func readVersion() versionInfo {
	v := versionInfo{
		Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Distribution: "not built in", Format: scenarios.FormatVersion,
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if build.Main.Version != "" {
		v.Version = build.Main.Version
	}
	for _, dep := range build.Deps {
		if dep.Path == "github.com/distribution/distribution/v3" {
			v.Distribution = dep.Version
		}
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
