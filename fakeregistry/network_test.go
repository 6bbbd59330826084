package fakeregistry_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestANetworkGivesAddressesInOrder(t *testing.T) {
	t.Parallel()
	n := &fakeregistry.Network{}
	one, two := start(t, fakeregistry.Config{Network: n}), start(t, fakeregistry.Config{Network: n})
	assert.Equal(t, []string{"127.0.0.1:5000", "127.0.0.1:5001"}, []string{one.Host(), two.Host()})
	_, err := fakeregistry.Start(fakeregistry.Config{Registry: handler(nil), Network: n, Listen: "127.0.0.1:5001"})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	c, err := one.Dial(t.Context(), "tcp", two.Host())
	require.NoError(t, err, "one server's clients reach the other")
	assert.Equal(t, "127.0.0.1:40000", c.LocalAddr().String())
	require.NoError(t, c.Close())
	require.NoError(t, two.Close())
	_, err = two.Dial(t.Context(), "tcp", two.Host())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NotPanics(t, func() { _, err = net.Dial("tcp", one.Host()) })
}

// sure is what internal/wire knows of a connection of a Network.
type sure interface {
	net.Conn
	Stalled(over <-chan struct{})
	GiveUp()
	Broken() error
}

// asked opens a connection to a server on a Network that reads so much of a body of
// 100 bytes, and begins to write one.
func asked(t *testing.T, read int, then func(w http.ResponseWriter)) (sure, <-chan error) {
	t.Helper()
	s := start(t, fakeregistry.Config{Network: &fakeregistry.Network{}, Registry: handler(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, read))
		then(w)
	})})
	nc, err := s.Dial(t.Context(), "tcp", s.Host())
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	wrote := make(chan error, 1)
	go func() {
		_, err := io.WriteString(nc, "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 100))
		if err == nil {
			_, err = io.WriteString(nc, strings.Repeat("y", 100_000))
		}
		wrote <- err
	}()
	return nc.(sure), wrote
}

func TestWhoReadsHearsHowAConnectionEndedAndWhoWritesWaits(t *testing.T) {
	t.Parallel()
	c, wrote := asked(t, 100, func(http.ResponseWriter) { panic(http.ErrAbortHandler) })
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.ErrorIs(t, c.Broken(), io.EOF)
	select {
	case err := <-wrote:
		t.Fatalf("the writer was told: %v", err)
	default:
	}
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-wrote, net.ErrClosed)
}

func TestWhatNobodyWillReadIsKnown(t *testing.T) {
	t.Parallel()
	c, wrote := asked(t, 100, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "early") })
	c.Stalled(nil) // until the server is through with the connection
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "Connection: close\r\n")
	assert.True(t, strings.HasSuffix(string(answer), "\r\n\r\nearly"), "%q", answer)
	c.GiveUp()
	require.ErrorIs(t, <-wrote, syscall.EPIPE)
	over := make(chan struct{})
	close(over)
	c.Stalled(over)
}

// TestACutBodyIsTheSameEveryTime: how much of a body went out, and how the client is
// told that the connection broke, is the fault's to decide.
func TestACutBodyIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ fault, args, failure string }{
		{"reset", "after=100KiB", "read tcp CLIENT->HOST: read: connection reset by peer"},
		{"close", "after=100KiB", "EOF"},
		{"half-close", "after=64KiB", ""},
	} {
		for _, secure := range []bool{false, true} {
			seen := map[string]int{}
			for range 10 {
				e := cutOnce(t, row.fault, row.args, secure)
				require.True(t, e.Request.Body.Cut, "%+v", e)
				assert.Equal(t, row.failure, e.Err)
				seen[fmt.Sprint(e.Request.Body.Length, e.Request.Body.Digest)]++
			}
			assert.Len(t, seen, 1, "%s %s, TLS %t: %v", row.fault, row.args, secure, seen)
		}
	}
}

// cutOnce sends a body of a MiB to a server on a Network with one fault, and returns
// what the client's recorder saw.
func cutOnce(t *testing.T, name, args string, secure bool) wire.Exchange {
	t.Helper()
	s := start(t, fakeregistry.Config{
		Network: &fakeregistry.Network{}, TLS: secure, Faults: []fakeregistry.Fault{fault(t, name, "upload.patch", args)},
	})
	rec := wire.NewRecorder(clock.Real(), nil)
	base := client(t, s).Transport.(*http.Transport) //nolint:errcheck,forcetypeassert // as client makes it
	base.DialContext = rec.Dial(s.Dial)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, s.URL()+"/v2/a/blobs/uploads/x", io.LimitReader(endless{}, 1<<20))
	require.NoError(t, err)
	req.ContentLength = 1 << 20
	resp, err := rec.Transport(base).RoundTrip(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	} else {
		require.NotErrorIs(t, err, context.Canceled)
	}
	base.CloseIdleConnections()
	return wire.Scrub(rec.Trace())[0]
}

// endless is bytes without an end, of which no two kilobytes are alike.
type endless struct{}

// Read implements io.Reader.
func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}
