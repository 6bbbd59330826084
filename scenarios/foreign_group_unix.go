//go:build unix

package scenarios

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command into a process group of its own, all of which is killed
// when the command's context ends.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// askToEnd asks a process group to end.
func askToEnd(pid int) { _ = syscall.Kill(-pid, syscall.SIGTERM) }

// killGroup kills what is left of a process group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
