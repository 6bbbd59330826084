package main

import (
	"fmt"
	"io"
)

// A counter is a line on a terminal that says how far a long run is. Its methods
// are safe for concurrent use by way of io.Writer's single writes.
type counter struct {
	w    io.Writer // nil shows nothing
	what string
}

// newCounter counts on standard error where that is a terminal.
func newCounter(o outside, what string) counter {
	if _, ok := o.terminal(o.stderr); ok {
		return counter{o.stderr, what}
	}
	return counter{}
}

func (c counter) tell(done, total int) {
	if c.w != nil {
		fmt.Fprintf(c.w, "\r\x1b[K… %d/%d %s", done, total, c.what)
	}
}

func (c counter) end() {
	if c.w != nil {
		fmt.Fprint(c.w, "\r\x1b[K")
	}
}
