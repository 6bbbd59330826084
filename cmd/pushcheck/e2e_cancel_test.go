//go:build e2e

package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A breakingBody calls broke once so many of its bytes were taken: more than lie
// between two ends of a loopback connection.
type breakingBody struct {
	io.ReadCloser
	left  int64
	broke context.CancelFunc
}

// Read implements io.Reader.
func (b *breakingBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.broke()
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// TestE2EDistribution2KeepsItsSessions: docker-registry 2.8.2 takes no DELETE of a session
// into which a body broke off, and best says that it stays there.
func TestE2EDistribution2KeepsItsSessions(t *testing.T) {
	t.Parallel()
	host := startDebianRegistry(t)
	store := image.InMemory()
	made, err := store.MakeStored(t.Context(), image.Recipe{Layers: []int64{48 << 20}}, image.Stored{Media: image.MediaOCI})
	require.NoError(t, err)
	require.NoError(t, store.Tag(host+"/a", "t", made[0].Image))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client, err := pusher.New(pusher.Config{
		Era: pusher.Best(), Images: store, TempDir: t.TempDir(), MaxConcurrentUploads: 1,
		Through: func(next http.RoundTripper) http.RoundTripper {
			return through(func(r *http.Request) (*http.Response, error) {
				if r.ContentLength > 32<<20 {
					r.Body = &breakingBody{r.Body, 32 << 20, cancel}
				}
				return next.RoundTrip(r)
			})
		},
	})
	require.NoError(t, err)
	var told []string
	_, err = client.Push(ctx, host+"/a", "t", pusher.Options{Progress: func(e pusher.Event) {
		if strings.Contains(e.Status, "was not cancelled") {
			told = append(told, e.Status)
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, told, 1)
	require.Contains(t, told[0], "404 Not Found: BLOB_UPLOAD_INVALID")
}

// through is a function as a RoundTripper.
type through func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f through) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
