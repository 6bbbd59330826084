//go:build !unix

package engine

import (
	"context"
	"net"
)

func bindUnix(ctx context.Context, config *net.ListenConfig, path string) (net.Listener, error) {
	return config.Listen(ctx, "unix", path)
}
