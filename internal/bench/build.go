package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// All programs are built as their authors release them: without C, so that none waits
// for a dynamic linker.

// build builds a program of this module.
func build(ctx context.Context, source, program string) error {
	return run(exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, source))
}

// install builds a program of another module, with its version, into a folder.
func install(ctx context.Context, source, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "install", source)
	cmd.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	return run(cmd)
}

func run(cmd *exec.Cmd) error {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
