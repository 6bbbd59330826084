package conformance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
)

// TestKnown: a deviation that is known does not count, and one that is gone does.
func TestKnown(t *testing.T) {
	t.Parallel()
	known, err := conformance.ReadKnown("known.yaml", []byte(`
chunk-01: # ECR's
  reason: answers 201
  link: https://registry.example/issues/1
mono-01: answers 200
`))
	require.NoError(t, err)
	require.Equal(t, []conformance.KnownDeviation{
		{ID: "chunk-01", Reason: "answers 201", Link: "https://registry.example/issues/1", Place: "known.yaml:2:1"},
		{ID: "mono-01", Reason: "answers 200", Place: "known.yaml:5:1"},
	}, known)
	url := fake(t, fakeregistry.V2Options{Quirks: fakeregistry.Quirks{PatchCreated: true}})
	o := conformance.Options{Run: []string{"chunk-01"}, Known: known[:1]}
	report := run(t, url, o)
	require.Equal(t, conformance.Known, report.Verdict("chunk-01").Word)
	require.Equal(t, conformance.ExitOK, report.ExitCode(conformance.May))
	o.Known = known
	report = run(t, url, o)
	require.Equal(t, conformance.ExitFailed, report.ExitCode(conformance.Must))
	require.Equal(t, "it is known to deviate (answers 200) and does not any more: take it out of known.yaml:5:1", report.Verdict("mono-01").Reason)
}

// TestKnownWrong: what cannot be meant says where it stands.
func TestKnownWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"chunk-99: x":                              `k.yaml:1:1: no check is called "chunk-99"`,
		"chunk-01: x\nchunk-01: y":                 "k.yaml:2:1: chunk-01 stands there already",
		"chunk-01:":                                "k.yaml:1:1: chunk-01 has no reason",
		"chunk-01:\n  link: https://x.example":     "k.yaml:1:1: chunk-01 has no reason",
		"chunk-01:\n  reason: x\n  until: y":       `k.yaml:3:3: there is no "until" here; there is reason and link`,
		"chunk-01:\n  reason: x\n  reason: y":      "k.yaml:3:3: reason stands there already",
		"chunk-01:\n  reason: x\n  link: nowhere":  `k.yaml:3:9: the link "nowhere" is no address`,
		"chunk-01:\n  reason: [x]":                 "k.yaml:2:11: reason is a text",
		"- chunk-01":                               "k.yaml:1:1: this is no map",
		"chunk-01: [":                              "k.yaml:1:11: ",
		"chunk-01: " + strings.Repeat("x", 300000): "k.yaml:1:1: the file has more than",
	} {
		_, err := conformance.ReadKnown("k.yaml", []byte(text))
		require.ErrorIs(t, err, conformance.ErrKnown, text[:min(len(text), 60)])
		require.ErrorContains(t, err, want)
	}
	none, err := conformance.ReadKnown("k.yaml", []byte("# nothing\n"))
	require.NoError(t, err)
	require.Empty(t, none)
}

// FuzzKnown: whatever a file holds, reading it ends, with deviations that have an ID
// and a reason or with an error that says where.
func FuzzKnown(f *testing.F) {
	f.Add([]byte("chunk-01: x"))
	f.Add([]byte("chunk-01:\n  reason: x\n  link: https://a.example"))
	f.Add([]byte("a: &b [*b]\n? x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		known, err := conformance.ReadKnown("f", data)
		if err != nil && !strings.Contains(err.Error(), "f:") {
			t.Fatal(err)
		}
		for _, k := range known {
			if k.ID == "" || k.Reason == "" || k.Place == "" {
				t.Fatalf("%+v", k)
			}
		}
	})
}
