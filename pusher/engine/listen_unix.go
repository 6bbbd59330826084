//go:build unix

package engine

import (
	"context"
	"net"
	"os"
	"path/filepath"
)

// bindUnix makes the socket where nobody else can reach it, gives it its mode,
// and only then moves it to its place.
func bindUnix(ctx context.Context, config *net.ListenConfig, path string) (net.Listener, error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".sock")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private) //nolint:errcheck // empty by then
	l, err := config.Listen(ctx, "unix", filepath.Join(private, "s"))
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) //nolint:errcheck,forcetypeassert // "unix" gives nothing else
	if err = os.Chmod(filepath.Join(private, "s"), 0o600); err == nil {
		err = os.Rename(filepath.Join(private, "s"), path)
	}
	if err != nil {
		_ = l.Close() //nolint:errcheck // the first error counts
		return nil, err
	}
	return &unixListener{l, path}, nil
}

// A unixListener removes its socket when it is closed.
type unixListener struct {
	net.Listener
	path string
}

// Close implements net.Listener.
func (l *unixListener) Close() error {
	err := l.Listener.Close()
	if err == nil {
		_ = os.Remove(l.path) //nolint:errcheck // somebody may have been quicker
	}
	return err
}
