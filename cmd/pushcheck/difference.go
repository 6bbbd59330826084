package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

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
have is marked with =, one that both have with other headers with ~, and then those
headers follow; User-Agent, which always differs, is left out.`,
		Example: "  pushcheck diff docker-1.8 docker-28",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("write: pushcheck diff ERA ERA", "diff takes two eras, not %s", plural(len(args), "argument"))
			}
			return nil
		},
		ValidArgsFunction: fixed(eraNames()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			var sides [2][]sent
			var heads [2]string
			for i, name := range args {
				era, err := findEra(name)
				if err != nil {
					return err
				}
				heads[i] = name
				if v := era.Version(); v != name {
					heads[i] += " (" + v + ")"
				}
				if sides[i], err = wireOf(cmd.Context(), era); err != nil {
					return err
				}
			}
			return sideBySide(o.stdout, append([][3]string{{"", heads[0], heads[1]}}, aligned(sides[0], sides[1])...))
		},
	}
}

// How wide the two sides may be together, and the left one alone.
const (
	pageColumns = 80
	leftColumns = 37
)

// sideBySide writes rows of a mark, a left and a right side in columns, without
// blanks at the ends.
func sideBySide(w io.Writer, rows [][3]string) error {
	widest := 0
	for i := range rows {
		rows[i][1] = fitted(rows[i][1], leftColumns)
		widest = max(widest, utf8.RuneCountInString(rows[i][1]))
	}
	for _, row := range rows {
		line := fmt.Sprintf("%-1s  %-*s  %s", row[0], widest, row[1], fitted(row[2], pageColumns-widest-5))
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// fitted cuts what is wider than so many columns.
func fitted(s string, columns int) string {
	if runes := []rune(s); len(runes) > columns {
		return string(runes[:columns-1]) + "…"
	}
	return s
}

// A sent is one request as it is shown.
type sent struct {
	line    string
	headers []string // "Name: value", sorted, without those that differ anyway
}

// wireOf is what an era sends for the made-up image.
func wireOf(ctx context.Context, era pusher.Era) ([]sent, error) {
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
	var list []sent
	for _, e := range res.Trace {
		if e.Route.Op != wire.OpEvent {
			list = append(list, sent{wireLine(e, res), shownHeaders(e)})
		}
	}
	return list, nil
}

// shownHeaders are the headers of a request that say something about its era.
func shownHeaders(e wire.Exchange) []string {
	var list []string
	for name, values := range e.Request.Header {
		switch name {
		case "User-Agent", "Host", "Content-Length":
			continue
		}
		for _, v := range values {
			if v == "" {
				v = "(empty)"
			}
			list = append(list, name+": "+v)
		}
	}
	slices.Sort(list)
	return list
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
		words = append(words, manifestFormat(e.Request.Header.Get("Content-Type")))
	}
	return strings.Join(append(words, "→ "+e.Answer()), " ")
}

// manifestFormat is what a manifest is, by its media type: schema 1 had none at first.
func manifestFormat(media string) string {
	switch {
	case media == "" || strings.Contains(media, "manifest.v1+"):
		return "schema 1"
	case strings.Contains(media, "docker.distribution.manifest.v2"):
		return "schema 2"
	}
	return strings.TrimPrefix(media, "application/vnd.")
}

// aligned puts equal lines beside each other: a mark, left and right, and below
// them the headers that only one of them has.
func aligned(a, b []sent) [][3]string {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if a[i].line == b[j].line {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	var rows [][3]string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i].line == b[j].line:
			rows = append(rows, beside(a[i], b[j])...)
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			rows = append(rows, [3]string{"<", a[i].line, ""})
			i++
		default:
			rows = append(rows, [3]string{">", "", b[j].line})
			j++
		}
	}
	return rows
}

// beside is one line that both have, and below it the headers that differ.
func beside(a, b sent) [][3]string {
	only := func(of, other []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(h string) bool { return slices.Contains(other, h) })
	}
	left, right := only(a.headers, b.headers), only(b.headers, a.headers)
	if len(left)+len(right) == 0 {
		return [][3]string{{"=", a.line, b.line}}
	}
	rows := [][3]string{{"~", a.line, b.line}}
	for i := range max(len(left), len(right)) {
		row := [3]string{}
		if i < len(left) {
			row[1] = "  " + left[i]
		}
		if i < len(right) {
			row[2] = "  " + right[i]
		}
		rows = append(rows, row)
	}
	return rows
}
