package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pushcheck/pushcheck/internal/golden"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A recorded push comes out the same on every run and machine.
func TestGoldenTrace(t *testing.T) {
	t.Parallel()
	p := startPair(t, registryLike)
	p.sent.Event("restart")
	push(t, p)
	p.stop()
	text := wire.FormatTrace(p.sent.Trace(), "alice")
	golden.Equal(t, "testdata/golden/push.trace", text)
	golden.NoStrays(t, "testdata/golden", "push.trace")
	parsed, err := wire.ParseTrace(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wire.Scrub(p.sent.Trace(), "alice"), parsed, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was read back differs (-want +got):\n%s", diff)
	}
}

func TestParseTraceSaysWhereItStumbles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                                "trace: line 1: this is no trace; want pushcheck-trace 1",
		"pushcheck-trace 2\n":                             "trace: line 1: this is a trace of form 2; only 1 can be read",
		"pushcheck-trace 1\n\nx":                          "trace: line 3: want a line that begins with #",
		"pushcheck-trace 1\n#x ping":                      `trace: line 2: "x" is no number of an exchange`,
		"pushcheck-trace 1\n#1":                           "trace: line 2: something is missing at the end of the line",
		"pushcheck-trace 1\n#1 ping con=1":                `trace: line 2: "con=1" is not conn=, at=, took=, fault= or open`,
		"pushcheck-trace 1\n#1 ping conn=x":               `trace: line 2: "x" cannot be conn=`,
		"pushcheck-trace 1\n#1 ping\n> GET":               "trace: line 3: something is missing at the end of the line",
		"pushcheck-trace 1\n#1 ping\n> GET x y":           "trace: line 3: want a method, scheme://host and a target",
		"pushcheck-trace 1\n#1 ping\n< OK":                `trace: line 3: "OK" is no status`,
		"pushcheck-trace 1\n#1 ping\n< 200\n< A b":        "trace: line 4: want a header, a body or a line of its head",
		"pushcheck-trace 1\n#1 ping\n< 200\n< | x":        "trace: line 4: want a header, a body or a line of its head",
		"pushcheck-trace 1\n#1 ping\n! wet":               `trace: line 3: "wet" is no failure; want one of refused, reset, closed, timeout, tls, dns, cancelled, other`,
		"pushcheck-trace 1\n#1 ping\n? x":                 "trace: line 3: want a line that begins with #, >, < or !",
		"pushcheck-trace 1\n#1 ping\n< 200\n< A: \"\\q\"": "trace: line 4: a quoted string is not well formed",
	} {
		if _, err := wire.ParseTrace(text); err == nil || err.Error() != want {
			t.Errorf("ParseTrace(%q): %v, want %s", text, err, want)
		}
	}
}
