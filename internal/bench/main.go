// Command bench measures what pushcheck promises about its own speed and memory,
// beside its peers in the same run, and prints one line a figure.
//
//	go run ./internal/bench            everything, some minutes
//	go run ./internal/bench -only fake the figures whose name begins so
//	go run ./internal/bench -peers     era best beside the clients of others
//
// Its exit code is 1 when a figure misses its bound.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
)

// A figure is one promise and how it is measured.
type figure struct {
	name    string
	measure func(ctx context.Context, t *table) error
}

var figures = []figure{
	{"start", measureStart},
	{"library", measureLibrary},
	{"fake", measureFake},
	{"memory", measureMemory},
}

func main() {
	only := flag.String("only", "", "measure only `figures` whose name begins so")
	peers := flag.Bool("peers", false, "era best beside crane, oras, regctl and skopeo, and nothing else")
	rounds := flag.Int("rounds", 7, "of every client with -peers, beside one that does not count")
	child := flag.String("child", "", "measure one thing in a process of its own (used by bench itself)")
	size := flag.Int64("size", 0, "of what the child does, bytes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *child != "" {
		if err := runChild(ctx, *child, *size); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	t := &table{out: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	t.row("figure", "pushcheck", "peer", "ratio", "bound", "")
	list := figures
	if *peers {
		list = peerFigures(*rounds)
	}
	for _, f := range list {
		if !strings.HasPrefix(f.name, *only) {
			continue
		}
		if err := f.measure(ctx, t); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", f.name, err)
			os.Exit(1)
		}
	}
	if t.missed > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d figures miss their bound\n", t.missed)
		os.Exit(1)
	}
}

// A table prints figures as they come.
type table struct {
	out    *tabwriter.Writer
	missed int
}

func (t *table) row(cells ...string) {
	fmt.Fprintln(t.out, strings.Join(cells, "\t"))
	t.out.Flush()
}

// figure prints one figure with the verdict on its bound.
func (t *table) figure(name, ours, peer, ratio, bound string, holds bool) {
	verdict := "holds"
	if !holds {
		verdict = "MISSED"
		t.missed++
	}
	t.row(name, ours, peer, ratio, bound, verdict)
}
