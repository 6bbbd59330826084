package wire_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestHashIsLentOnceTheBodyIsRead(t *testing.T) {
	t.Parallel()
	recorder := wire.NewRecorder(clock.Real(), nil)
	var early, late, twice, foreign, lends bool
	var sum string
	var length int64
	server := httptest.NewServer(recorder.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		lends = wire.Lends(r.Body)
		_, _ = io.ReadFull(r.Body, make([]byte, 3))
		_, _, early = wire.TakeHash(r.Body)
		_, _ = io.Copy(io.Discard, r.Body)
		h, n, ok := wire.TakeHash(r.Body)
		late, length = ok, n
		if ok {
			h.Write([]byte(" and more"))
			sum = hex.EncodeToString(h.Sum(nil))
		}
		_, _, twice = wire.TakeHash(r.Body)
		_, _, foreign = wire.TakeHash(strings.NewReader("x"))
	})))
	resp, err := http.Post(server.URL+"/v2/a/blobs/uploads/", "application/octet-stream", strings.NewReader("a body"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	server.Close()

	require.True(t, lends)
	require.False(t, early, "before the end")
	require.True(t, late)
	require.False(t, twice)
	require.False(t, foreign)
	require.EqualValues(t, 6, length)
	want := sha256.Sum256([]byte("a body and more"))
	require.Equal(t, hex.EncodeToString(want[:]), sum, "the state goes on")
	body := sha256.Sum256([]byte("a body"))
	require.Equal(t, "sha256:"+hex.EncodeToString(body[:]), string(recorder.Trace()[0].Request.Body.Digest), "the trace has the body's own digest")
}
