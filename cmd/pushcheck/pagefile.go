package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tables "github.com/pushcheck/pushcheck/internal/report/page"
)

// pageFlags say where a page goes beside the terminal.
type pageFlags struct {
	html string
	json bool
}

// write writes a page: as text to standard output, or there as JSON and the text
// to standard error; and as HTML to a file.
func (f pageFlags) write(p *tables.Page, o outside) error {
	text := o.stdout
	if f.json {
		text = o.stderr
		if err := p.WriteJSON(o.stdout); err != nil {
			return broken("", err)
		}
	}
	if err := p.WriteText(text); err != nil {
		return broken("", err)
	}
	if err := writeHTML(f.html, p); err != nil {
		return err
	}
	if f.html != "" {
		fmt.Fprintf(text, "\n%s has what stands behind each cell\n", f.html)
	}
	return nil
}

// writeHTML writes a page to a file; to none when it is not named.
func writeHTML(name string, p *tables.Page) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return broken("--html takes a file in a folder that exists", err)
	}
	return broken2(errors.Join(p.WriteHTML(file), file.Close()))
}

// writable says, before a long run, that the page could not be written after it.
// It leaves an empty file where there is none yet, as a shell's > does.
func writable(name string) error {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // a report is for everybody
	if err != nil {
		return broken("--html takes a file in a folder that exists", err)
	}
	return broken2(file.Close())
}

// notNegative demands that a flag's time is one that can pass.
func notNegative(flag string, d time.Duration) error {
	if d < 0 {
		return usage("", "--%s is %s; want a time such as 30s", flag, d)
	}
	return nil
}

// broken2 is broken for an error that may be nil.
func broken2(err error) error {
	if err == nil {
		return nil
	}
	return broken("", err)
}

// shellWords is a command as it would be typed again.
func shellWords(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " *?[]{}()$&;|<>'\"\\`!#~") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

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
