package scenarios

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhatLeavesItsGroupIsKilled(t *testing.T) {
	t.Parallel()
	b, err := newSandbox(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.path = "/usr/bin:/bin"
	daemon := exec.CommandContext(t.Context(), "/bin/sleep", "300")
	daemon.Env, daemon.SysProcAttr = b.environment(nil), &syscall.SysProcAttr{Setsid: true}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	out := b.run(t.Context(), call{argv: []string{"sh", "-c", "echo done"}, limit: time.Minute})
	if !strings.HasPrefix(out.text, "leftover: sleep (process ") || !strings.HasSuffix(out.text, "done\n") {
		t.Errorf("it said %q, %v", out.text, out.err)
	}
	if err := daemon.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the daemon ended with %v", err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
}
