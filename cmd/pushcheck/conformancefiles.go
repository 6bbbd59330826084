package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

// reportFiles are the files that a run of the checks writes; nil for those that
// nobody asked for.
type reportFiles struct{ junit, json, html *reportFile }

// files opens what the flags ask for, before anything is sent.
func (f *conformanceFlags) files() (*reportFiles, error) {
	files, flags := &reportFiles{}, map[string]string{}
	for _, row := range []struct {
		flag, name string
		file       **reportFile
	}{{"junit", f.junit, &files.junit}, {"report", f.report, &files.json}, {"html", f.html, &files.html}} {
		if row.name == "" {
			continue
		}
		file, err := openReport(row.flag, row.name)
		if err != nil {
			files.close()
			return nil, err
		}
		*row.file = file
		if other := flags[file.name]; other != "" && !file.own {
			files.close()
			return nil, usage("", "--%s and --%s name one file, %s", other, row.flag, row.name)
		}
		flags[file.name] = row.flag
	}
	return files, nil
}

func (r *reportFiles) close() {
	for _, f := range []*reportFile{r.junit, r.json, r.html} {
		if f != nil {
			f.close()
		}
	}
}

// readKnown reads the file of known deviations.
func (f *conformanceFlags) readKnown() ([]conformance.KnownDeviation, error) {
	if f.known == "" {
		return nil, nil
	}
	file, err := os.Open(f.known)
	if err != nil {
		return nil, usage("--known takes a file of lines such as chunk-17: the reason", "--known: %v", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, configLimit)) // which is more than ReadKnown takes
	if err != nil {
		return nil, usage("--known takes a file of lines such as chunk-17: the reason", "--known: %v", err)
	}
	known, err := conformance.ReadKnown(f.known, data)
	if err != nil {
		return nil, usage("write the check, a colon and the reason, or under it reason: and link:", "%v", err)
	}
	return known, nil
}

// parseBytes reads a size above 0 such as "100MiB" or "1048576"; "" is 0.
func parseBytes(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := scenarios.ParseSize(text)
	if err != nil || n == 0 {
		return 0, usage("", "--%s is a number of bytes such as 1048576 or 64MiB, not %q", flag, text)
	}
	return n, nil
}

// asOCI takes what is not on the command line from the variables of the
// specification's own suite.
func (f *conformanceFlags) asOCI(args []string, o outside) ([]string, error) {
	if len(args) == 0 {
		switch url, host := o.getenv("OCI_ROOT_URL"), o.getenv("OCI_REGISTRY"); {
		case url != "":
			args = []string{url}
		case host != "":
			scheme := "https://"
			switch o.getenv("OCI_TLS") {
			case "disabled":
				scheme = "http://"
			case "insecure":
				f.insecure = true
			case "", "enabled":
			default:
				return nil, usage("", "OCI_TLS is enabled, insecure or disabled, not %q", o.getenv("OCI_TLS"))
			}
			args = []string{scheme + host}
		}
	}
	for _, row := range []struct {
		value *string
		still string // what the flag is when nobody set it
		names []string
	}{{&f.prefix, "pushcheck", []string{"OCI_NAMESPACE", "OCI_REPO1"}}, {&f.other, "", []string{"OCI_CROSSMOUNT_NAMESPACE", "OCI_REPO2"}}} {
		for _, name := range row.names {
			if v := o.getenv(name); v != "" && *row.value == row.still {
				*row.value = v
			}
		}
	}
	return args, nil
}

// credentials are those of the flags, of the variables of the specification's own
// suite, or docker's, in this order.
func (f *conformanceFlags) credentials(ctx context.Context, host string, o outside) (pusher.Credentials, error) {
	name, password := o.getenv("OCI_USERNAME"), o.getenv("OCI_PASSWORD")
	if f.login.user == "" && !f.login.passwordStdin && name+password != "" {
		if name == "" || password == "" {
			return pusher.Credentials{}, usage("", "OCI_USERNAME and OCI_PASSWORD go together")
		}
		return pusher.Credentials{Username: name, Password: password}, nil
	}
	return f.login.credentials(ctx, host, o)
}

// A checkLine is the live line of a run of the checks: how far it is, and what was
// found last. Where there is no terminal it says nothing.
type checkLine struct {
	o       outside
	plain   bool
	shown   bool
	columns int
	done    int
	total   int
	bad     map[conformance.Word]int
	last    string
}

// live makes the live line that the flags ask for.
func (f *conformanceFlags) live(options conformance.Options, o outside) (*checkLine, error) {
	checks, err := options.Select()
	if err != nil {
		return nil, optionsError(err)
	}
	l := &checkLine{o: o, total: len(checks), bad: map[conformance.Word]int{}}
	columns, isTerminal := o.terminal(o.stderr)
	switch f.progress {
	case "auto":
		if isTerminal {
			l.columns = columns
		}
	case "plain":
		l.plain = true
	case "none":
	default:
		return nil, usage("", "--progress is auto, plain or none, not %q", f.progress)
	}
	return l, nil
}

// show is told of each verdict, one at a time.
func (l *checkLine) show(v conformance.Verdict) {
	l.done++
	switch v.Word {
	case conformance.Fail, conformance.Warn, conformance.Errored:
		l.bad[v.Word]++
		l.last = string(v.Word) + " " + v.Check.ID
		if l.plain {
			fmt.Fprintf(l.o.stderr, "%d/%d  %s %s\n", l.done, l.total, v.Word, v.Check.ID)
		}
	case conformance.Pass, conformance.Note, conformance.Known, conformance.Unsupported, conformance.FellBack, conformance.BlockedBy:
	}
	if l.columns == 0 {
		return
	}
	text := fmt.Sprintf("… %d/%d", l.done, l.total)
	for _, w := range conformance.Words() {
		if n := l.bad[w]; n > 0 {
			text += fmt.Sprintf("  %d %s", n, w)
		}
	}
	if l.last != "" {
		text += "  " + l.last
	}
	if r := []rune(text); len(r) >= l.columns {
		text = string(r[:l.columns-1])
	}
	fmt.Fprintf(l.o.stderr, "\r\x1b[K%s", text)
	l.shown = true
}

// end takes the live line away.
func (l *checkLine) end() {
	if l.shown {
		fmt.Fprint(l.o.stderr, "\r\x1b[K")
	}
}
