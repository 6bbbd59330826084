package main

import (
	"errors"
	"fmt"
	"os"

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

// broken2 is broken for an error that may be nil.
func broken2(err error) error {
	if err == nil {
		return nil
	}
	return broken("", err)
}
