package scenarios

import (
	"testing"

	"github.com/pushcheck/pushcheck/internal/golden"
)

// TestPagesAreOfTheTables holds that the pages of docs say what the tables say.
func TestPagesAreOfTheTables(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "../docs/scenario-format.md", FormatPage())
	golden.Equal(t, "../docs/faults.md", FaultsPage())
}
