package pusher_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A tap is a listener that keeps what each connection receives, in order of
// connecting.
type tap struct {
	net.Listener
	mu       sync.Mutex // guards received
	received []*bytes.Buffer
}

type tapConn struct {
	net.Conn
	tap *tap
	buf *bytes.Buffer
}

// Accept implements net.Listener.
func (l *tap) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received = append(l.received, &bytes.Buffer{})
	return &tapConn{conn, l, l.received[len(l.received)-1]}, nil
}

// Read implements net.Conn.
func (c *tapConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.buf.Write(p[:n])
	return n, err
}

// heads is the heads of all requests, one list a connection, without the
// values that vary.
func (l *tap) heads() [][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list [][]string
	for _, b := range l.received {
		head, _, found := strings.Cut(b.String(), "\r\n\r\n")
		if !found || strings.Count(b.String(), " HTTP/1.1\r\n") != 1 {
			list = append(list, []string{"not one request"})
			continue
		}
		list = append(list, strings.Split(head, "\r\n"))
	}
	return list
}

// TestOnTheWire: the head of every request to the byte, and one connection for
// each. The orders and values are those of docker 1.8.3.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	g.fault = func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/v2/" && status(401, "", "WWW-Authenticate", "Basic realm=x")(w, r)
	}
	g.Server = httptest.NewUnstartedServer(g)
	listener := &tap{Listener: g.Listener}
	g.Listener = listener
	g.Start()
	t.Cleanup(g.Close)
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
	result, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{
		Credentials: pusher.Credentials{Username: "alice", Password: "secret"},
		Meta:        http.Header{"X-Meta-Foo": {"bar", "baz"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := store.Tags(name)
	d, err := store.Digest(ids["t"])
	if err != nil {
		t.Fatal(err)
	}
	const agent = "User-Agent: docker/1.8.3 go/go1.4.2 git-commit/f4bf5c7 kernel/3.19.0 os/linux arch/amd64 (pushcheck)"
	const auth, foo, baz, gzip, end = "Authorization: Basic YWxpY2U6c2VjcmV0", "X-Meta-Foo: bar", "X-Meta-Foo: baz", "Accept-Encoding: gzip", "Connection: close"
	host := "Host: " + g.host()
	want := [][]string{
		{"not one request"}, // a TLS client hello
		{"GET /v2/ HTTP/1.1", host, agent, foo, baz, gzip, end},
		{"POST /v2/a/blobs/uploads/ HTTP/1.1", host, agent, "Content-Length: 0", auth, "Content-Type: ", foo, baz, gzip, end},
		{"PATCH /v2/a/blobs/uploads/1?_state=x HTTP/1.1", host, agent, "Transfer-Encoding: chunked", auth, foo, baz, gzip, end},
		{"PUT /v2/a/blobs/uploads/1?_state=y&digest=" + strings.Replace(d.String(), ":", "%3A", 1) + " HTTP/1.1", host, agent, "Content-Length: 0", auth, foo, baz, gzip, end},
		{"HEAD /v2/a/blobs/" + d.String() + " HTTP/1.1", host, agent, auth, foo, baz, end},
		{"PUT /v2/a/manifests/t HTTP/1.1", host, agent, "Content-Length: N", auth, foo, baz, gzip, end},
	}
	got := listener.heads()
	if last := got[len(got)-1]; len(last) > 3 && strings.HasPrefix(last[3], "Content-Length: ") {
		last[3] = "Content-Length: N"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(result.Attempts, func(a pusher.Attempt) bool { return a.Err == nil }) {
		t.Errorf("attempts %+v", result.Attempts)
	}
}
