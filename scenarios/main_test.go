package scenarios

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
)

// TestMain holds, after every scenario that the tests of this package ran, that
// no goroutine outlived them but the one of each distribution app, by name.
func TestMain(m *testing.M) {
	if code, ok := pretending(os.Args[1:]); ok {
		os.Exit(code)
	}
	debug.SetGCPercent(400) // many small worlds, each soon forgotten
	code := m.Run()
	if left := leftover(5 * time.Second); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines outlived the scenarios:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftover is the stacks of goroutines that are still there after a while.
func leftover(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var left []string
		buf := make([]byte, 4<<20)
		for i, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			own := i == 0 || strings.Contains(stack, distregistry.LeakedGoroutine) || strings.Contains(stack, "os/signal") ||
				strings.Contains(stack, "testing.(*M)") || strings.Contains(stack, "runtime/pprof") || strings.Contains(stack, "testing/internal/testdeps")
			if !own {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
