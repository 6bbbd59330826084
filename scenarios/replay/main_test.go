package replay

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // many small recordings, each soon forgotten
	os.Exit(m.Run())
}
