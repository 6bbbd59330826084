package main

import (
	"fmt"
	"io"

	"github.com/pushcheck/pushcheck/pusher"
)

// bars shows a push as docker's own command line does on a terminal: a line for
// each layer, redrawn in place.
type bars struct {
	w       io.Writer
	columns int
	rows    map[string]int // layer → row, from the first one down
}

func (b *bars) show(e pusher.Event) {
	if e.ID == "" {
		if e.Status != "" {
			fmt.Fprintln(b.w, e.Status)
		}
		b.rows = nil // what was drawn stays as it is
		return
	}
	if b.rows == nil {
		b.rows = map[string]int{}
	}
	row, known := b.rows[e.ID]
	if !known {
		row = len(b.rows)
		b.rows[e.ID] = row
		fmt.Fprintln(b.w)
	}
	up := len(b.rows) - row
	line := e.ID + ": " + e.Status
	if box := e.Bar(b.columns); box != "" {
		line += " " + box
	}
	if n := []rune(line); len(n) >= b.columns {
		line = string(n[:b.columns-1])
	}
	fmt.Fprintf(b.w, "\x1b[%dA\x1b[2K\r%s\r\x1b[%dB", up, line, up)
}

// lines shows a push as plain lines: each thing that a layer comes to, once, and
// no figures.
type lines struct {
	w    io.Writer
	last map[string]string
}

func (l *lines) show(e pusher.Event) {
	switch {
	case e.Status == "":
	case e.ID == "":
		fmt.Fprintln(l.w, e.Status)
	case l.last[e.ID] != e.Status:
		if l.last == nil {
			l.last = map[string]string{}
		}
		l.last[e.ID] = e.Status
		fmt.Fprintf(l.w, "%s: %s\n", e.ID, e.Status)
	}
}
