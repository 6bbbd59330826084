package pusher_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A connCount counts the connections that a client has open.
type connCount struct {
	mu   sync.Mutex // guards open
	open map[*countedConn]bool
}

type countedConn struct {
	net.Conn
	count *connCount
}

func (c *connCount) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	counted := &countedConn{conn, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[counted] = true
	return counted, nil
}

func (c *countedConn) Close() error {
	c.count.mu.Lock()
	delete(c.count.open, c)
	c.count.mu.Unlock()
	return c.Conn.Close()
}

// pusherStacks is the stacks of goroutines that the package or net/http's client
// side started.
func pusherStacks() string {
	buf := make([]byte, 1<<20)
	var left []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "net/http.(*persistConn)") || strings.Contains(g, "net/http.(*Transport)") || strings.Contains(g, "pusher.(*Client).Push(") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

// TestCancel: wherever a push is cancelled, it ends at once and leaves nothing
// behind. It is not parallel: it looks at every goroutine of the process.
func TestCancel(t *testing.T) { //nolint:paralleltest // see above
	for _, stuck := range []string{"GET /v2/", "POST /v2/a/blobs/uploads/", "PATCH /v2/a/blobs/uploads/", "PUT /v2/a/blobs/uploads/", "HEAD /v2/a/blobs/", "PUT /v2/a/manifests/"} {
		t.Run(stuck, func(t *testing.T) {
			g := startRegistry(t)
			name := g.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{1 << 20}}, name+":t")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			release := make(chan struct{})
			g.fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.Method+" "+r.URL.Path, stuck) {
					return false
				}
				if r.Method == http.MethodPatch { // in the middle of the body
					_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
				}
				cancel()
				<-release
				panic(http.ErrAbortHandler)
			}
			conns := &connCount{open: map[*countedConn]bool{}}
			client := newClient(t, pusher.Config{Images: store, Dial: conns.dial})
			_, err := client.Push(ctx, name, "t", pusher.Options{})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			conns.mustBeClosed(t)
			settled(t)
			close(release)
		})
	}
}

func (c *connCount) mustBeClosed(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) > 0 {
		t.Errorf("%d connections are open", len(c.open))
	}
}

// settled waits until net/http's own goroutines have seen that their connections
// are closed.
func settled(t *testing.T) {
	t.Helper()
	for range 500 {
		if pusherStacks() == "" {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("left behind:\n%s", pusherStacks())
}

// TestLeavesNothing: no push leaves a connection or a goroutine, failed or not.
func TestLeavesNothing(t *testing.T) { //nolint:paralleltest // it looks at every goroutine of the process
	for _, fault := range []func(http.ResponseWriter, *http.Request) bool{
		nil,
		answerTo("GET", "/v2/", 1, status(404, "")),
		answerTo("POST", "/blobs/uploads/", 1, status(500, "boom")),
		answerTo("PATCH", "/blobs/uploads/", 1, status(500, strings.Repeat("x", 1<<20))),
		answerTo("PATCH", "/blobs/uploads/", 1, func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }),
		answerTo("PUT", "/manifests/", 1, status(400, "{}")),
	} {
		g := startRegistry(t)
		g.fault = fault
		name := g.host() + "/a"
		store, _ := storeWith(t, image.Recipe{Layers: []int64{1 << 20}}, name+":t")
		conns := &connCount{open: map[*countedConn]bool{}}
		client := newClient(t, pusher.Config{Images: store, Dial: conns.dial})
		_, _ = client.Push(t.Context(), name, "t", pusher.Options{})
		conns.mustBeClosed(t)
		settled(t)
	}
}
