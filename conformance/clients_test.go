package conformance_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
)

// TestClientSide: what is asked of clients is held by scenarios that are there, and
// is no check of registries.
func TestClientSide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/conformance.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "<!-- client-side -->")
	require.True(t, ok)
	table, _, ok := strings.Cut(rest, "<!-- /client-side -->")
	require.True(t, ok)
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "-0") && !strings.Contains(cells[1], "-1") {
			continue
		}
		rows++
		id, scenario := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3])
		require.FileExists(t, filepath.Join("..", "scenarios", "library", scenario+".yaml"), id)
		for _, c := range conformance.Checks() {
			require.NotEqual(t, id, c.ID)
		}
	}
	require.Equal(t, 10, rows)
	checks := slices.DeleteFunc(conformance.Checks(), func(c *conformance.Check) bool { return c.Group() == "era" }) // whole pushes
	require.Len(t, checks, 241, "with the rows of clients, and ref-14, the catalogue's 252")
}
