// Command pushcheck is flags in, exit code out: one file per command, and no
// logic that a library call would not have.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

func main() {
	// net/http's Transport writes of odd answers to the standard logger and to no other.
	// Registries that misbehave are what we are for: the trace has what they sent.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	// Connections that peers reset raise SIGPIPE as well as output that nobody reads:
	// it is the writing that tells, and who reads no more must not end what tidies up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not Ignore, which programs that we start would inherit
	ctx, end := context.WithCancelCause(ctx)
	os.Exit(run(ctx, os.Args[1:], outside{
		stdin: os.Stdin, stdout: unreadable{os.Stdout, end, new(atomic.Pointer[error])}, stderr: unreadable{os.Stderr, end, new(atomic.Pointer[error])},
		env: os.LookupEnv, terminal: terminal,
	}))
}

// An unreadable is a stream whose reader may go away, which ends the command as an
// interrupt does, and whose disk may be full.
type unreadable struct {
	*os.File
	end  func(cause error)
	lost *atomic.Pointer[error] // the first error of writing, but for a reader's going
}

// Write implements io.Writer.
func (u unreadable) Write(p []byte) (int, error) {
	n, err := u.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		u.end(errUnread)
		return n, errUnread
	}
	if err != nil {
		u.lost.CompareAndSwap(nil, &err)
	}
	return n, err
}

// lost is why not all that a command printed was written; nil when it was.
func lost(stream any) error {
	u, ok := stream.(unreadable)
	if !ok {
		return nil
	}
	if first := u.lost.Load(); first != nil {
		return *first
	}
	return nil
}

// errUnread ends a command whose output nobody reads any more.
var errUnread = errors.New("nobody reads the output any more")

// WriteString implements io.StringWriter.
func (u unreadable) WriteString(s string) (int, error) { return u.Write([]byte(s)) }

// terminal reports whether a stream is a terminal, and how many columns it has.
func terminal(stream any) (columns int, ok bool) {
	if u, ok := stream.(unreadable); ok {
		stream = u.File
	}
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
