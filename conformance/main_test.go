package conformance_test

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // many small registries, each soon forgotten
	os.Exit(m.Run())
}
