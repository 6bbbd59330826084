package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
)

// TestWhatTheClientSaid: it is shown at -vv, of what passes and of what fails, bounded
// and without its control characters, and without secrets.
func TestWhatTheClientSaid(t *testing.T) {
	t.Parallel()
	said := []string{"Pushing \x1b[2J layer", "the password is hunter2", "", "\u202edone"}
	const want = "  the client said (4 lines)\n     │ Pushing \\x1b[2J layer\n     │ the password is ***\n     │\n     │ \\u202edone\n"
	show := func(o report.TextOptions, r report.Result) string {
		var b strings.Builder
		report.NewText(&b, o).Result(r)
		return b.String()
	}
	for _, outcome := range []report.Outcome{report.Pass, report.Fail, report.Known} {
		r := report.Result{ID: "x", Outcome: outcome, Said: said, Secrets: []string{"hunter2"}}
		if got := show(report.TextOptions{Verbose: 2, Trace: true}, r); !strings.Contains(got, want) {
			t.Errorf("%s with -vv --trace shows\n%s", outcome, got)
		}
		if got := show(report.TextOptions{Verbose: 1}, r); strings.Contains(got, "Pushing") {
			t.Errorf("%s with -v shows\n%s", outcome, got)
		}
	}
	long := report.Result{ID: "x", Outcome: report.Pass}
	for i := range 100 {
		long.Said = append(long.Said, fmt.Sprintf("line %d", i+1))
	}
	got := show(report.TextOptions{Verbose: 2}, long)
	if !strings.Contains(got, "│ line 20\n     ⋮ 40 lines left out\n     │ line 61\n") || !strings.HasSuffix(got, "│ line 100\n") || strings.Count(got, "│") != 60 {
		t.Errorf("a long output is shown as\n%s", got)
	}
}
