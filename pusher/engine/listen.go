package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// Listen opens the address that a DOCKER_HOST names: "127.0.0.1:2375",
// "tcp://127.0.0.1:2375" or "unix:///run/pushcheck.sock". A socket is the owner's
// alone (mode 0600) and is removed when the listener is closed; one that nobody
// answers on any more is replaced. Other than loopback must be asked for with
// expose, since whoever reaches the engine can push what it holds.
func Listen(ctx context.Context, address string, expose bool) (net.Listener, error) {
	var config net.ListenConfig
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return listenUnix(ctx, &config, path)
	}
	host := address
	if u, err := url.Parse(address); err == nil && u.Scheme == "tcp" {
		host = u.Host
	} else if strings.Contains(address, "://") {
		return nil, fmt.Errorf("%s: want HOST:PORT, tcp://HOST:PORT or unix://PATH", address)
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("%s: want HOST:PORT, tcp://HOST:PORT or unix://PATH: %w", address, err)
	}
	if ip := net.ParseIP(name); !expose && name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address; whoever reaches it can push: say so with --expose", address)
	}
	return config.Listen(ctx, "tcp", host)
}

func listenUnix(ctx context.Context, config *net.ListenConfig, path string) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("unix://: want the path of a socket, such as unix:///run/pushcheck.sock")
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is there and is not a socket", path)
		}
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
			_ = conn.Close() //nolint:errcheck // only to see whether somebody answers
			return nil, fmt.Errorf("%s: somebody listens there already", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return bindUnix(ctx, config, path)
}
