package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatIsShownAgainIsNotCounted: a table that shows what others have too adds
// nothing to the legend.
func TestWhatIsShownAgainIsNotCounted(t *testing.T) {
	t.Parallel()
	rows := []Row{{Cells: []Cell{{Verdict: "fail"}, {Verdict: "pass"}, {}}}}
	p := Page{Tables: []Table{{Rows: rows}, {Rows: rows, Again: true}}}
	require.Equal(t, map[string]int{"fail": 1, "pass": 1}, p.Count())
}
