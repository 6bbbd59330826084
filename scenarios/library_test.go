package scenarios_test

import (
	"testing"

	"github.com/pushcheck/pushcheck/scenarios/library"
	"github.com/pushcheck/pushcheck/scenarios/scenariotest"
)

// TestLibrary runs every built-in scenario.
func TestLibrary(t *testing.T) { scenariotest.Run(t, library.Files) }
