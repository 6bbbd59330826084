package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/scenarios"
)

// A silent stream is open, and nothing comes.
type silent struct{ read func() }

func (s silent) Read([]byte) (int, error) {
	s.read()
	select {}
}

// TestAPasswordThatNobodyTypes: an interrupt ends a push that waits for a password.
func TestAPasswordThatNobodyTypes(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	var said strings.Builder
	code := run(ctx, []string{"push", "--user", "alice", "--password-stdin", "app.tar", "127.0.0.1:1/lib/app"}, outside{
		stdin: silent{interrupt}, stdout: io.Discard, stderr: &said,
		env:      func(string) (string, bool) { return "", false },
		terminal: func(any) (int, bool) { return 0, false },
	})
	require.Equal(t, scenarios.ExitInterrupted, code)
	require.Equal(t, "pushcheck: interrupted; the push has been given up\n", said.String())
	require.ErrorIs(t, ctx.Err(), context.Canceled, "it was not the minute that ended it")
}
