// Command pushcheck is flags in, exit code out: one file per command, and no
// logic that a library call would not have.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	ctx, broken := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer broken() // and not before: who reads no more must not end what tidies up
	os.Exit(run(ctx, os.Args[1:], outside{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		env: os.LookupEnv, terminal: terminal,
	}))
}

// terminal reports whether a stream is a terminal, and how many columns it has.
func terminal(stream any) (columns int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		columns = 80
	}
	return columns, true
}
