package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/engine"
)

// Only loopback is listened on, unless it is asked for.
func TestListen(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:0":          "",
		"tcp://127.0.0.1:0":    "",
		"localhost:0":          "",
		"0.0.0.0:0":            "not a loopback address; whoever reaches it can push",
		":0":                   "not a loopback address",
		"tcp://example.org:80": "not a loopback address",
		"127.0.0.1":            "want HOST:PORT, tcp://HOST:PORT or unix://PATH",
		"http://127.0.0.1:0":   "want HOST:PORT, tcp://HOST:PORT or unix://PATH",
		"unix://":              "want the path of a socket",
	} {
		l, err := engine.Listen(t.Context(), address, false)
		if want == "" {
			require.NoError(t, err, address)
			require.NoError(t, l.Close())
			continue
		}
		require.ErrorContains(t, err, want, address)
	}
	l, err := engine.Listen(t.Context(), "0.0.0.0:0", true)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
