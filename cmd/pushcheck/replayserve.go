package main

import (
	"context"
)

func (f replayFlags) serveSteps(ctx context.Context, paths, command []string, o outside) error {
	_, _, _, _ = ctx, paths, command, o
	return usage("", "replay --serve is not there yet")
}
