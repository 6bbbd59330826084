package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// shown are the numbers of the wire's lines in a text report of r.
func shown(r report.Result) string {
	var b bytes.Buffer
	report.NewText(&b, report.TextOptions{}).Result(r)
	var list []string
	for line := range strings.Lines(b.String()) {
		fields := strings.Fields(line)
		if len(fields) > 0 && (strings.HasPrefix(fields[0], "#") || fields[0] == "⋮" || fields[0] == "--") {
			list = append(list, fields[0])
		}
		if strings.Contains(line, "events") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return strings.Join(list, " ")
}

func wireOf(n int) wire.Trace {
	var t wire.Trace
	for i := range n {
		t = append(t, exchange(i+1, "GET", "/v2/", 0, 200, ""))
	}
	return t
}

func TestWhatIsFarFromAFailureIsFolded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		length int
		after  int
		expect string
		faults []int // seqs
		want   string
	}{
		{"short", 7, 3, "", nil, "wire (8 events) #1 #2 #3 #4 #5 #6 #7 #8"},
		{"in the middle", 20, 10, "ping → 200", nil, "wire (21 events, 16 folded) ⋮ #9 #10 -- #11 ⋮ #20 #21"},
		{"at the start", 20, 1, "", nil, "wire (21 events, 17 folded) #1 #2 ⋮ #20 #21"},
		{"about none", 20, 0, "", nil, "wire (21 events, 19 folded) ⋮ #20 #21"},
		{"about none, but something is missing", 20, 0, "ping → 200", nil, "wire (21 events, 19 folded) ⋮ #20 -- #21"},
		{"faults elsewhere", 20, 19, "", []int{3, 7}, "wire (21 events, 15 folded) ⋮ #3 ⋮ #7 ⋮ #18 #19 #20 #21"},
		{"more faults than anybody reads", 20, 20, "", []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, "wire (21 events, 12 folded) #1 #2 #3 #4 #5 #6 ⋮ #19 #20 #21"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := report.Result{ID: "x", Outcome: report.Fail, Ending: "no", Trace: wireOf(row.length), Failures: []report.Failure{{Message: "m", After: row.after, Expected: row.expect}}}
			for _, seq := range row.faults {
				r.Trace[seq-1].Fault = "reset"
			}
			if got := shown(r); got != row.want {
				t.Errorf("shows %s, want %s", got, row.want)
			}
		})
	}
}

func TestCaretsStandUnderWhatTheyMean(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a: b, ", 40) + "HERE" + strings.Repeat(", c: d", 40)
	for _, row := range []struct {
		name, source   string
		column, length int
		marked         string
	}{
		{"plain", "push: a/b:c", 7, 5, "a/b:c"},
		{"no length marks one", "push: a/b:c", 7, 0, "a"},
		{"first column", "push: a", 1, 4, "push"},
		{"tab and umlauts", "\tü: ö, wire: x", 8, 4, "wire"},
		{"behind the end", "push:", 6, 3, ""},
		{"far behind the end", "push:", 60, 3, ""},
		{"past the end", "push: a", 7, 50, "a"},
		{"control character", "x: \x1b[2J, wire: y", 10, 4, "wire"},
		{"long line", long, strings.Index(long, "HERE") + 1, 4, "HERE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			report.NewText(&b, report.TextOptions{}).Result(report.Result{ID: "x", Outcome: report.Fail, Failures: []report.Failure{{
				Message: "m", Source: row.source, Position: report.Position{File: "f.yaml", Line: 7, Column: row.column, Length: row.length}, Note: "note",
			}}})
			var source, carets []rune
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if s, ok := strings.CutPrefix(line, "7 | "); ok {
					source = []rune(s)
				}
				if s, ok := strings.CutSuffix(line, "^ note"); ok {
					carets = []rune(strings.TrimPrefix(s+"^", "  | "))
				}
			}
			from := strings.Index(string(carets), "^")
			if from < 0 || len(source) > 112 {
				t.Fatalf("no carets, or a line of %d characters, in\n%s", len(source), b.String())
			}
			marked := ""
			if from < len(source) {
				marked = string(source[from:min(len(carets), len(source))])
			}
			if marked != row.marked || from > len(source)+1 {
				t.Errorf("the carets are under %q, want %q, in\n%s", marked, row.marked, b.String())
			}
		})
	}
}

func TestALineAboveTheLiveLineDoesNotMixWithIt(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	text := report.NewText(&b, report.TextOptions{Live: true})
	text.Start(report.Run{ID: "one"})
	text.Start(report.Run{ID: "two"})
	text.Ended(report.Run{ID: "one"})
	text.Result(report.Result{ID: "one"})
	text.Ended(report.Run{ID: "two"})
	text.Result(report.Result{ID: "two"})
	want := "" +
		"\r\x1b[K… 0 done  one" +
		"\r\x1b[K… 0 done  one  and 1 more" +
		"\r\x1b[K… 1 done  two" +
		"\r\x1b[K✓ one 0.00s\n" +
		"\r\x1b[K… 1 done  two" +
		"\r\x1b[K" + "✓ two 0.00s\n"
	if b.String() != want {
		t.Errorf("writes %q,\nwant   %q", b.String(), want)
	}
}

// A sink that only remembers what it was told.
type memory struct {
	report.Sink
	told []string
}

func (m *memory) Start(r report.Run)     { m.told = append(m.told, "start "+r.ID) }
func (m *memory) Result(r report.Result) { m.told = append(m.told, "result "+r.ID) }
func (m *memory) Summary(s report.Summary) error {
	return fmt.Errorf("%d passed", s.Counts[report.Pass])
}

func (m *memory) Exchange(r report.Run, _ wire.Exchange) { m.told = append(m.told, "exchange "+r.ID) }

func TestAllTellsEverySink(t *testing.T) {
	t.Parallel()
	one, two := &memory{}, &memory{}
	all := report.All(one, nil, two)
	all.Start(report.Run{ID: "x"})
	all.Exchange(report.Run{ID: "x"}, wire.Exchange{})
	all.Result(report.Result{ID: "x"})
	err := all.Summary(report.Summary{Counts: map[report.Outcome]int{report.Pass: 3}})
	if err == nil || err.Error() != "3 passed\n3 passed" {
		t.Errorf("ended with %v", err)
	}
	for _, m := range []*memory{one, two} {
		if got := strings.Join(m.told, ", "); got != "start x, exchange x, result x" {
			t.Errorf("a sink was told %s", got)
		}
	}
}
