// Command meter runs a program and says on standard output, as one line of JSON, how
// long it took and what it used. It is small on purpose: Linux counts the memory of
// whoever starts a program as the program's own.
//
//	meter PROGRAM ARGUMENT…
//
// The program's output goes to standard error. meter's exit code is 0 whenever the
// program could be started.
package main

import (
	"encoding/json"
	"os"
	"syscall"
	"time"
)

// A usage is what a program used. Package main of the folder above reads it.
type usage struct {
	Wall, CPU time.Duration
	Peak      int64 // resident memory, bytes
	Exit      int
}

func main() {
	if len(os.Args) < 2 {
		fail("write: meter PROGRAM ARGUMENT…")
	}
	began := time.Now()
	process, err := os.StartProcess(os.Args[1], os.Args[1:], &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, os.Stderr, os.Stderr}})
	if err != nil {
		fail(err.Error())
	}
	state, err := process.Wait()
	if err != nil {
		fail(err.Error())
	}
	u := usage{Wall: time.Since(began), CPU: state.UserTime() + state.SystemTime(), Exit: state.ExitCode()}
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.Peak = r.Maxrss << 10
	}
	if err := json.NewEncoder(os.Stdout).Encode(u); err != nil {
		fail(err.Error())
	}
}

func fail(text string) {
	_, _ = os.Stderr.WriteString("meter: " + text + "\n")
	os.Exit(1)
}
