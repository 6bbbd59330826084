package fakeregistry_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// An upload whose first part broke off, and goes on: what was kept counts, and
// no byte is hashed twice or left out.
func TestUploadThatBreaksOffAndGoesOn(t *testing.T) {
	t.Parallel()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{})
	server, err := fakeregistry.Start(fakeregistry.Config{Registry: registry})
	require.NoError(t, err)
	defer server.Close()
	blob := bytes.Repeat([]byte("0123456789"), 20_000)
	resp, err := http.Post(server.URL()+"/v2/a/b/blobs/uploads/", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	location := resp.Header.Get("Location")

	// A PATCH that promises everything and sends a part.
	conn, err := net.Dial("tcp", server.Host())
	require.NoError(t, err)
	target := location[strings.Index(location, "/v2/"):]
	_, err = fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", target, len(blob), blob[:70_000])
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	// What the registry has of it, and the rest in two more chunks.
	resp, err = http.Get(location)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, "0-69999", resp.Header.Get("Range"))
	location = resp.Header.Get("Location")
	for _, part := range [][]byte{blob[70_000:150_000], blob[150_000:]} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, location, bytes.NewReader(part))
		require.NoError(t, err)
		resp, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusAccepted, resp.StatusCode)
		location = resp.Header.Get("Location")
	}
	d := digest.FromBytes(blob)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, location+"&digest="+d.String(), nil)
	require.NoError(t, err)
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusCreated, resp.StatusCode)

	kept, size, err := registry.Storage().Blob("a/b", d)
	require.NoError(t, err)
	defer kept.Close()
	got, err := io.ReadAll(kept)
	require.NoError(t, err)
	require.EqualValues(t, len(blob), size)
	require.True(t, bytes.Equal(blob, got))
}
