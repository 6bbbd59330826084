//go:build !unix

package scenarios

import (
	"os"
	"os/exec"
)

// ownGroup does nothing where there are no process groups: a command is killed
// alone.
func ownGroup(*exec.Cmd) {}

// askToEnd ends a process.
func askToEnd(pid int) { killGroup(pid) }

// killGroup kills a process.
func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
