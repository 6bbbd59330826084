package conformance_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
)

func recorded(t *testing.T, r *conformance.Report) *conformance.Recorded {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	back, err := conformance.ReadReport(&b)
	require.NoError(t, err)
	return back
}

// TestCompare: what changed between two registries is said, and nothing else.
func TestCompare(t *testing.T) {
	t.Parallel()
	look := func(q fakeregistry.Quirks, seed uint64, skip ...string) *conformance.Recorded {
		report := run(t, fake(t, fakeregistry.V2Options{Quirks: q}), conformance.Options{Run: []string{"chunk-01", "mono", "dig"}, Skip: skip, Seed: seed})
		return recorded(t, report)
	}
	clean := look(fakeregistry.Quirks{}, 1)
	require.Empty(t, conformance.Compare(clean, look(fakeregistry.Quirks{}, 2)).Changes)
	ecr := look(fakeregistry.Quirks{PatchCreated: true, NoSinglePost: true}, 3, "dig-07")
	c := conformance.Compare(clean, ecr)
	got := map[string]conformance.Turn{}
	for _, change := range c.Changes {
		got[change.ID] = change.Turn
	}
	want := map[string]conformance.Turn{"chunk-01": conformance.Worse, "mono-09": conformance.Worse, "dig-07": conformance.Gone}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	require.True(t, c.Worsened())
	back := conformance.Compare(ecr, clean)
	require.False(t, back.Worsened())
	var text bytes.Buffer
	require.NoError(t, c.WriteText(&text))
	require.Contains(t, text.String(), "worse     chunk-01  PATCH of the first chunk answers 202\n  A  pass\n  B  fail        want status 202, got 201\n  hurts strict clients")
	require.Contains(t, text.String(), "upload in chunks       A yes; B wrong: see chunk-01")
	require.NoError(t, c.WriteJSON(&text))
	require.Contains(t, text.String(), `"turn": "gone"`)
}

// TestReadReport: what is no report says so.
func TestReadReport(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "[]", "{}", `{"format":9,"checks":[{"id":"x","verdict":"pass"}]}`, `{"format":1,"checks":[{"id":"x","verdict":"fine"}]}`,
		`{"format":1,"checks":[{"id":"x","verdict":"pass"},{"id":"x","verdict":"pass"}]}`,
	} {
		_, err := conformance.ReadReport(strings.NewReader(text))
		require.ErrorIs(t, err, conformance.ErrRecorded, text)
	}
}
