package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/golden"
)

// A page is documentation whose commands run. Its fenced blocks say by their
// first line what they are:
//
//	console           commands after "$ ", each with what it prints
//	console e2e       the same, with programs of others
//	console ci        commands that .ci/run has word for word
//	yaml NAME         a file that the commands find
//	go PATH           lines that the Go file at PATH has word for word
//
// A "…" in what is printed stands for the rest of a line, alone on a line for
// any lines. Addresses such as 127.0.0.1:5000 stand for free ports.
type page struct {
	t     *testing.T
	path  string
	dir   string            // where the commands run
	ports map[string]string // as written → as run
	last  int               // exit code of the command before
}

// pages are README.md and docs/*.md.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	return append(found, "../../README.md")
}

// runPages runs every page, and its console blocks of one kind besides those of none.
func runPages(t *testing.T, kind string) {
	for _, path := range pages(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			p := &page{t: t, path: path, dir: t.TempDir(), ports: map[string]string{}}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.Symlink(appTarPath(t), filepath.Join(p.dir, "app.tar")))
			made := p.run(string(text), kind)
			if made == string(text) {
				return
			}
			if golden.Update() {
				require.NoError(t, os.WriteFile(path, []byte(made), 0o644))
				return
			}
			t.Errorf("%s shows what the commands no longer print (-page +printed); go test -update writes it anew:\n%s", path, cmp.Diff(string(text), made))
		})
	}
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)( [^\n]+)?\n(.*?)^```$")

// run runs a page and returns it as it should be.
func (p *page) run(text, kind string) string {
	return fence.ReplaceAllStringFunc(text, func(block string) string {
		m := fence.FindStringSubmatch(block)
		language, rest, body := m[1], strings.TrimSpace(m[2]), m[3]
		switch {
		case language == "yaml" && rest != "":
			require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, rest), []byte(body), 0o644))
		case language == "go" && rest != "":
			p.quotes(rest, body)
		case language == "console" && rest == "ci":
			p.inCI(body)
		case language == "console" && (rest == "" || rest == kind):
			body = p.console(body)
		case language == "sh" || language == "bash" || language == "shell":
			p.t.Errorf("%s: a block of %s that nothing runs", p.path, language)
		}
		return "```" + language + m[2] + "\n" + body + "```"
	})
}

// quotes checks that a Go file has these lines.
func (p *page) quotes(path, lines string) {
	file, err := os.ReadFile(filepath.Join("..", "..", path))
	require.NoError(p.t, err)
	if !strings.Contains(flat(string(file)), flat(lines)) {
		p.t.Errorf("%s quotes lines that %s does not have:\n%s", p.path, path, lines)
	}
}

// flat forgets how lines are indented.
func flat(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func (p *page) inCI(body string) {
	ci, err := os.ReadFile("../../.ci/run")
	require.NoError(p.t, err)
	for line := range strings.Lines(body) {
		if command := strings.TrimSpace(strings.TrimPrefix(line, "$ ")); command != "" && !strings.Contains(string(ci), command+"\n") {
			p.t.Errorf("%s: .ci/run does not run %q", p.path, command)
		}
	}
}

// console runs the commands of a block and returns the block with what they print.
func (p *page) console(body string) string {
	var out strings.Builder
	for _, part := range strings.Split("\n"+body, "\n$ ")[1:] {
		command, shown, _ := strings.Cut(part, "\n")
		shown = strings.TrimSuffix(shown, "\n")
		got := strings.TrimSuffix(p.command(command), "\n")
		if alike(shown, got) {
			got = shown
		}
		out.WriteString("$ " + command + "\n")
		if got != "" {
			out.WriteString(got + "\n")
		}
	}
	return out.String()
}

// command runs one line and returns what it prints on both streams.
func (p *page) command(line string) string {
	p.t.Helper()
	if line == "echo $?" {
		return fmt.Sprint(p.last)
	}
	words := strings.Fields(p.translate(line))
	if words[0] == "grep" {
		return p.grep(words[1], words[2])
	}
	background := words[len(words)-1] == "&"
	if background {
		words = words[:len(words)-1]
	}
	cmd := exec.Command(words[0])
	cmd.Dir = p.dir
	for i := 1; i < len(words); i++ {
		switch w := strings.Trim(words[i], `'"`); w {
		case "<":
			data, err := os.ReadFile(filepath.Join(p.dir, words[i+1]))
			require.NoError(p.t, err)
			cmd.Stdin = strings.NewReader(string(data))
			i++
		default:
			cmd.Args = append(cmd.Args, w)
		}
	}
	if strings.HasPrefix(line, "go run ./cmd/pushcheck ") {
		cmd.Path, cmd.Args = "", append([]string{"pushcheck"}, cmd.Args[3:]...)
	}
	if cmd.Args[0] == "pushcheck" {
		path, err := exec.LookPath("pushcheck") // testscript put it there
		require.NoError(p.t, err)
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_CACHE_HOME=", "DOCKER_CONFIG=")
	if background {
		return p.start(cmd, address.FindString(line))
	}
	text, _ := cmd.CombinedOutput()
	require.NotNil(p.t, cmd.ProcessState, "%s does not run", line)
	p.last = cmd.ProcessState.ExitCode()
	return p.translateBack(string(text))
}

// grep finds lines of a file, so that pages need no program for it.
func (p *page) grep(pattern, name string) string {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	require.NoError(p.t, err)
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		if regexp.MustCompile(pattern).MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

var serving = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d*`)

var address = regexp.MustCompile(`127\.0\.0\.1:50\d\d`)

// translate replaces the addresses that a page shows by those that are in use,
// and one that is new to the page by a free one.
func (p *page) translate(line string) string {
	return address.ReplaceAllStringFunc(line, func(written string) string {
		if used, known := p.ports[written]; known {
			return used
		}
		return "127.0.0.1:0"
	})
}

func (p *page) translateBack(text string) string {
	for written, used := range p.ports {
		text = strings.ReplaceAll(text, used, written)
	}
	return text
}

// alike reports whether a page shows what was printed, "…" and times of day and
// of work aside.
func alike(shown, printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	for i, line := range strings.Split(shown, "\n") {
		if i > 0 && line != "…" {
			pattern.WriteString(`\n`)
		}
		if line == "…" {
			pattern.WriteString(`(\n[^\n]*)*?`)
			if i == 0 {
				pattern.WriteString(`[^\n]*(\n[^\n]*)*?`)
			}
			continue
		}
		quoted := regexp.QuoteMeta(varying.ReplaceAllString(line, "\x00"))
		quoted = strings.ReplaceAll(quoted, "…", `[^\n]*`)
		pattern.WriteString(strings.ReplaceAll(quoted, "\x00", varying.String()))
	}
	pattern.WriteString(`\z`)
	return regexp.MustCompile(pattern.String()).MatchString(printed)
}

// varying is what differs from run to run: how long something took, and the
// ports that the system gave.
var varying = regexp.MustCompile(`\b\d+(?:\.\d+)?(?:µs|ms|s)\b|127\.0\.0\.1:[1-9]\d{4}\b`)

// start starts a command that goes on until the page ends, and returns what it
// prints until it is ready. It serves at what the page calls written.
func (p *page) start(cmd *exec.Cmd, written string) string {
	p.t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	var said strings.Builder
	for s := bufio.NewScanner(out); s.Scan(); {
		fmt.Fprintln(&said, s.Text())
		if used := serving.FindString(s.Text()); used != "" && p.ports[written] == "" {
			p.ports[written] = used
		}
		if strings.HasPrefix(s.Text(), "ready") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p.translateBack(said.String())
		}
	}
	p.t.Fatalf("%v ended:\n%s", cmd.Args, said.String())
	return ""
}

// TestPages runs the commands of the documentation that need nothing but Go.
func TestPages(t *testing.T) {
	t.Parallel()
	runPages(t, "")
}

func TestPagesAlike(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, shown, printed string
		want                 bool
	}{
		{"equal", "a\nb", "a\nb", true},
		{"another line", "a\nb", "a\nc", false},
		{"one line more", "a\nb", "a\nb\nc", false},
		{"one line less", "a\nb", "a", false},
		{"another time", "done in 0.03s", "done in 12ms", true},
		{"no time", "done in 0.03s", "done in no time", false},
		{"the rest of a line", "a …\nb", "a and more\nb", true},
		{"the rest is one line", "a …\nb", "a and\nmore\nb", false},
		{"any lines", "a\n…\nb", "a\n1\n2\nb", true},
		{"no lines", "a\n…\nb", "a\nb", true},
		{"any lines before", "…\nb", "1\n2\nb", true},
		{"any lines after", "a\n…", "a\n1\n2", true},
		{"any lines, then another", "a\n…\nb", "a\n1\nc", false},
		{"signs of a pattern", "a.c", "abc", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, alike(row.shown, row.printed))
		})
	}
}
