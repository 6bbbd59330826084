package main

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/golden"
)

// TestPicture keeps the picture of README.md true: it is what the command of its
// first line prints, drawn as a terminal would.
func TestPicture(t *testing.T) {
	t.Parallel()
	const command = "pushcheck --scenario goes-on-over-v1.yaml"
	dir := t.TempDir()
	scenario, err := os.ReadFile("testdata/goes-on-over-v1.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "goes-on-over-v1.yaml"), scenario, 0o644))
	cmd := exec.Command("pushcheck", strings.Fields(command)[1:]...)
	cmd.Dir = dir
	cmd.Args = append(cmd.Args, "--color", "always", "--progress", "none")
	out, err := cmd.CombinedOutput()
	require.ErrorAs(t, err, new(*exec.ExitError))
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", out)
	const path = "../../docs/run.svg"
	drawn := draw("$ " + command + "\n" + steady(string(out)))
	kept, err := os.ReadFile(path)
	if golden.Update() && string(kept) != drawn {
		require.NoError(t, os.WriteFile(path, []byte(drawn), 0o644))
		return
	}
	require.NoError(t, err)
	if diff := cmp.Diff(string(kept), drawn); diff != "" {
		t.Errorf("%s is not what the command prints (-file +command); go test -update draws it anew:\n%s", path, diff)
	}
}

// steady gives real time, which varies from run to run, one value.
func steady(text string) string {
	text = regexp.MustCompile(`(seed \d+  )[\d.]+s`).ReplaceAllString(text, "${1}0.03s")
	return regexp.MustCompile(`( in )[\d.]+s`).ReplaceAllString(text, "${1}0.0s")
}

// colours are those of a terminal that GitHub shows well on light and on dark.
var colours = map[string]string{
	"31": "#ff7b72", "32": "#7ee787", "33": "#f2cc60", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea", "90": "#8b949e", "2": "#8b949e",
}

var sgr = regexp.MustCompile(`\x1b\[([\d;]*)m`)

// draw draws text with colours as an SVG.
func draw(text string) string {
	const width, height, margin = 8.4, 19, 16
	rows := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 0
	for _, r := range rows {
		columns = max(columns, utf8.RuneCountInString(sgr.ReplaceAllString(r, "")))
	}
	var b strings.Builder
	w, h := int(float64(columns)*width)+2*margin, len(rows)*height+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="a run of pushcheck">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", w, h)
	b.WriteString(`<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="#e6edf3" xml:space="preserve">` + "\n")
	style := ""
	for i, r := range rows {
		fmt.Fprintf(&b, `<text x="%d" y="%d">`, margin, margin+(i+1)*height-5)
		for len(r) > 0 {
			at := sgr.FindStringSubmatchIndex(r)
			plain := r
			if at != nil {
				plain = r[:at[0]]
			}
			if plain != "" {
				b.WriteString(span(style, plain))
			}
			if at == nil {
				break
			}
			style = restyle(style, r[at[2]:at[3]])
			r = r[at[1]:]
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

func span(style, text string) string {
	if style == "" {
		return html.EscapeString(text)
	}
	return "<tspan" + style + ">" + html.EscapeString(text) + "</tspan>"
}

// restyle applies one escape sequence's codes.
func restyle(style, codes string) string {
	for _, code := range strings.Split(codes, ";") {
		switch {
		case code == "" || code == "0":
			style = ""
		case code == "1":
			style += ` font-weight="bold"`
		case colours[code] != "":
			style = regexp.MustCompile(` fill="[^"]*"`).ReplaceAllString(style, "") + ` fill="` + colours[code] + `"`
		}
	}
	return style
}
