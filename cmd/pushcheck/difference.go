package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

func newDiff(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "diff ERA ERA",
		Short: "show what two eras send for the same image, side by side",
		Long: `diff lets two eras push one made-up image of two layers to a fake registry, one
layer after the other, and shows their requests side by side. A line that both
have is marked with =.`,
		Example: "  pushcheck diff docker-1.8 docker-28",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("write: pushcheck diff ERA ERA", "diff takes two eras, not %s", plural(len(args), "argument"))
			}
			return nil
		},
		ValidArgsFunction: fixed(eraNames()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			var sides [2][]string
			for i, name := range args {
				era, err := findEra(name)
				if err != nil {
					return err
				}
				if sides[i], err = wireOf(cmd.Context(), era); err != nil {
					return err
				}
			}
			table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(table, "\t%s\t%s\n", args[0], args[1])
			for _, row := range aligned(sides[0], sides[1]) {
				fmt.Fprintf(table, "%s\t%s\t%s\n", row[0], row[1], row[2])
			}
			return table.Flush()
		},
	}
}

// wireOf is what an era sends for the made-up image, a line a request.
func wireOf(ctx context.Context, era pusher.Era) ([]string, error) {
	s := &scenarios.Scenario{
		ID: "diff/" + era.Name, Title: "An image is pushed",
		Registries: []scenarios.Registry{{Kind: scenarios.KindFake}},
		Client:     scenarios.Client{Era: era.Name},
		Image:      scenarios.Image{Layers: []int64{64 << 10, 1 << 10}},
		Steps:      []scenarios.Step{{Push: "team/app:v1"}},
	}
	if era.Layers.Concurrency > 0 {
		s.Client.Concurrency = 1
	}
	summary, err := (&scenarios.Runner{}).Run(ctx, []*scenarios.Scenario{s})
	if err != nil {
		return nil, broken("", err)
	}
	res := summary.Results[0]
	if res.Outcome != report.Pass {
		return nil, broken("", fmt.Errorf("era %s could not push: %s %s", era.Name, res.Outcome, res.Because))
	}
	var lines []string
	for _, e := range res.Trace {
		if e.Route.Op != wire.OpEvent {
			lines = append(lines, wireLine(e, res))
		}
	}
	return lines, nil
}

// wireLine is one request and how it ended.
func wireLine(e wire.Exchange, res scenarios.Result) string {
	words := []string{string(e.Route.Op)}
	switch name := res.Names[e.Route.Digest]; {
	case name != "":
		words = append(words, name)
	case e.Route.Digest != "":
		words = append(words, "config")
	case e.Route.Tag != "":
		words = append(words, e.Route.Tag)
	}
	if n := e.Request.Body.Length; n > 0 && e.Route.Op != wire.OpManifestPut {
		words = append(words, fmt.Sprintf("%d B", n))
	}
	if e.Route.Op == wire.OpManifestPut {
		words = append(words, strings.TrimPrefix(e.Request.Header.Get("Content-Type"), "application/vnd."))
	}
	return strings.Join(append(words, "→ "+e.Answer()), " ")
}

// aligned puts equal lines beside each other: a mark, left and right.
func aligned(a, b []string) [][3]string {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	var rows [][3]string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			rows = append(rows, [3]string{"=", a[i], b[j]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			rows = append(rows, [3]string{"<", a[i], ""})
			i++
		default:
			rows = append(rows, [3]string{">", "", b[j]})
			j++
		}
	}
	return rows
}
