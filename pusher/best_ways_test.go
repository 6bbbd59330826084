package pusher

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// tcpPair is a connection, and what arrives at its other end until it is closed.
func tcpPair(t *testing.T) (near *net.TCPConn, arrived func() []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan []byte, 1)
	go func() {
		far, err := l.Accept()
		if err != nil {
			return
		}
		data, _ := io.ReadAll(far) // as much as there was
		got <- data
		_ = far.Close()
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	near = conn.(*net.TCPConn)
	return near, func() []byte {
		_ = near.Close()
		return <-got
	}
}

// TestBothWaysToSend: with cores to spare and without, the same bytes leave, none of the
// last before all are found right, and an error says the same.
func TestBothWaysToSend(t *testing.T) {
	t.Parallel()
	const size = sendPart + 3<<20 + 17
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(data) // never fails
	want := digest.NewDigestFromBytes(digest.SHA256, sum256(data))
	for _, row := range []struct {
		name         string
		from, hashed int64 // where it begins
		flip, cut    int64 // where the file is broken; 0 is nowhere
		err          string
	}{
		{name: "whole"},
		{name: "the rest", from: 70_000, hashed: 70_000},
		{name: "the rest of what was hashed further", from: 70_000, hashed: sendPart + 5},
		{name: "again, all hashed", from: 1 << 20, hashed: size},
		{name: "flipped at the start", flip: 1, err: "its bytes have digest"},
		{name: "flipped between parts", flip: sendPart, err: "its bytes have digest"},
		{name: "flipped at the end", flip: size - 1, err: "its bytes have digest"},
		{name: "short", cut: sendPart + 100, err: fmt.Sprintf("it ends after %d of %d bytes", sendPart+100, size)},
		{name: "short in the held end", cut: size - 1, err: fmt.Sprintf("it ends after %d of %d bytes", size-1, size)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for way, others := range map[string]int32{"beside": -100, "in turn": 100} {
				path := filepath.Join(t.TempDir(), "layer")
				content := bytes.Clone(data)
				if row.flip > 0 {
					content[row.flip] ^= 1
				}
				if row.cut > 0 {
					content = content[:row.cut]
				}
				require.NoError(t, os.WriteFile(path, content, 0o600))
				file, err := os.Open(path)
				require.NoError(t, err)
				s := newSum(want, size)
				require.NoError(t, s.catchUp(file, row.hashed))
				body, err := newSumBody(file, s, row.from, size, nil)
				require.NoError(t, err)
				l := newLinks(clock.Real())
				l.sending.Store(others)
				near, arrived := tcpPair(t)
				n, err, handled := body.sendTo(&linkedConn{Conn: near, links: l}, near, size-row.from)
				require.True(t, handled, way)
				require.NoError(t, body.Close())
				got := arrived()
				require.Equal(t, int64(len(got)), n, way)
				require.Equal(t, others, l.sending.Load(), way)
				if row.err != "" {
					require.ErrorContains(t, err, row.err, way)
					require.Less(t, n, size-row.from, "%s: all of it left", way)
					continue
				}
				require.NoError(t, err, way)
				require.True(t, bytes.Equal(data[row.from:], got), way)
				require.Equal(t, int64(size), s.hashed, way)
			}
		})
	}
}

func sum256(data []byte) []byte {
	s := sha256.Sum256(data)
	return s[:]
}
