package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/pusher"
)

func newDiff(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "diff ERA ERA",
		Short: "show what two eras send for the same image, side by side",
		Long: `diff lets two eras push one made-up image of three layers, the upper one the same
as the lower, to a fake registry: for the first time, again, to other repositories, and
past refusals. Time is virtual; +5s is a wait before a request. Layers go one after
the other, and are shown from the top one down whatever their order was.

Requests of one operation for one layer stand beside each other. A line that both
have is marked with =, one in which they differ with ~, and one that only one has with
< or >. Headers that differ stand below the first request of the operation that shows
it. What they say to their users follows where it differs, and at the end what differs
in their data: "pushcheck explain ERA" has the rules.`,
		Example: "  pushcheck diff docker-1.8 docker-28",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("write: pushcheck diff ERA ERA", "diff takes two eras, not %s", plural(len(args), "argument"))
			}
			return nil
		},
		ValidArgsFunction: fixed(eraNames()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			var eras [2]pusher.Era
			for i, name := range args {
				var err error
				if eras[i], err = findEra(name); err != nil {
					return err
				}
			}
			return difference(cmd.Context(), o.stdout, eras)
		},
	}
}

// difference plays every scene with both eras and shows what they do.
func difference(ctx context.Context, w io.Writer, eras [2]pusher.Era) error {
	var heads [2]string
	var data [2][]sent
	for i, era := range eras {
		heads[i] = era.Name
		if v := era.Version(); v != era.Name {
			heads[i] += " (" + v + ")"
		}
		var err error
		if data[i], err = dataOf(era); err != nil {
			return err
		}
	}
	if err := sideBySide(w, [][3]string{{"", heads[0], heads[1]}}); err != nil {
		return err
	}
	headers := map[string]bool{} // differences in them that were shown
	for i, s := range scenes() {
		var requests, words [2][]sent
		for j, era := range eras {
			res, err := s.play(ctx, era)
			if err != nil {
				return err
			}
			requests[j], words[j] = wireOf(res), wordsOf(res)
		}
		rows := aligned(requests[0], requests[1], headers)
		if i > 0 {
			rows = folded(rows)
		}
		if told := unequal(aligned(words[0], words[1], nil)); len(told) > 0 {
			rows = append(append(rows, [3]string{"", "says", "says"}), told...)
		}
		if err := section(w, s.heading, rows); err != nil {
			return err
		}
	}
	return section(w, "data", unequal(aligned(data[0], data[1], nil)))
}

// unequal leaves out what both have.
func unequal(rows [][3]string) [][3]string {
	return slices.DeleteFunc(rows, func(r [3]string) bool { return r[0] == "=" })
}

// folded says of several requests in a row that both have no more than how many they are.
func folded(rows [][3]string) [][3]string {
	var list [][3]string
	for i := 0; i < len(rows); {
		n := 0
		for i+n < len(rows) && rows[i+n][0] == "=" {
			n++
		}
		switch {
		case n > 2:
			text := fmt.Sprintf("%d requests", n)
			list = append(list, [3]string{"=", text, text})
		default:
			n = max(n, 1)
			list = append(list, rows[i:i+n]...)
		}
		i += n
	}
	return list
}

// section writes rows below a heading, or that there is nothing to see.
func section(w io.Writer, heading string, rows [][3]string) error {
	if equalRows(rows) {
		_, err := fmt.Fprintf(w, "\n%s: the same\n", heading)
		return err
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", heading); err != nil {
		return err
	}
	return sideBySide(w, rows)
}

func equalRows(rows [][3]string) bool {
	return !slices.ContainsFunc(rows, func(r [3]string) bool { return r[0] != "=" })
}

// How wide the two sides are; a mark and blanks are five columns more.
const (
	leftColumns  = 37
	rightColumns = 38
)

// sideBySide writes rows of a mark, a left and a right side in columns, without
// blanks at the ends. What is wider than its side goes on below.
func sideBySide(w io.Writer, rows [][3]string) error {
	for _, row := range rows {
		left, right := wrapped(row[1], leftColumns), wrapped(row[2], rightColumns)
		for i := range max(len(left), len(right)) {
			var cells [3]string
			if i == 0 {
				cells[0] = row[0]
			}
			if i < len(left) {
				cells[1] = left[i]
			}
			if i < len(right) {
				cells[2] = right[i]
			}
			line := fmt.Sprintf("%-1s  %-*s  %s", cells[0], leftColumns, cells[1], cells[2])
			if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrapped breaks a text between words, and words that are too wide; what goes on is
// indented.
func wrapped(text string, columns int) []string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var lines []string
	line, blank := []rune(indent), ""
	for _, word := range strings.Fields(text) {
		if len(line)+len(blank)+utf8.RuneCountInString(word) > columns && blank != "" {
			lines, line, blank = append(lines, string(line)), []rune(indent+"  "), ""
		}
		line, blank = append(line, []rune(blank+word)...), " "
		for len(line) > columns {
			lines, line = append(lines, string(line[:columns])), append([]rune(indent+"  "), line[columns:]...)
		}
	}
	return append(lines, string(line))
}
