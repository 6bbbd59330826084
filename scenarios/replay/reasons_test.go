package replay_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every reason for which something counts as equal is explained in the
// documentation, and no other.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/recordings.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(page), "| reason | what |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	var documented, known []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		documented = append(documented, m[1])
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\breason += +"([a-z-]+): `).FindAllStringSubmatch(string(source), -1) {
			known = append(known, m[1])
		}
	}
	assert.GreaterOrEqual(t, len(known), 8)
	assert.ElementsMatch(t, known, documented)
}
