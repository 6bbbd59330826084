//go:build unix

package engine_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/engine"
)

// A socket is its owner's alone, goes away with the engine, and takes the place of
// one that nobody answers on.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "sock") //nolint:usetesting // short: a socket's path is at most about 100 bytes
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	stale, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false) //nolint:forcetypeassert // "unix" gives nothing else
	require.NoError(t, stale.Close())

	l, err := engine.Listen(t.Context(), "unix://"+path, false)
	require.NoError(t, err)
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = engine.Listen(t.Context(), "unix://"+path, false)
	require.ErrorContains(t, err, "somebody listens there already")

	b := loaded(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.engine.Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://docker/v1.40/images/json", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Contains(t, string(body), "lib/app:latest")
	stop()
	require.NoError(t, <-served)
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = engine.Listen(t.Context(), "unix://"+path, false)
	require.ErrorContains(t, err, "is there and is not a socket")
	_, err = engine.Listen(t.Context(), "unix://"+filepath.Join(dir, "none", "s"), false)
	require.ErrorIs(t, err, os.ErrNotExist)
}
