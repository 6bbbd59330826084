package fakeregistry_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// An upstream is the other end of a proxy's connections, byte by byte.
type upstream struct {
	t     *testing.T
	conns chan net.Conn
	addr  string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u := &upstream{t: t, conns: make(chan net.Conn, 10), addr: l.Addr().String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(u.conns)
				return
			}
			u.conns <- c
		}
	}()
	return u
}

// accept is the next connection of the proxy.
func (u *upstream) accept() *end {
	u.t.Helper()
	c, ok := <-u.conns
	require.True(u.t, ok)
	u.t.Cleanup(func() { c.Close() })
	return &end{u.t, c, bufio.NewReader(c)}
}

// An end is one end of a connection.
type end struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (e *end) say(text string) {
	e.t.Helper()
	_, err := io.WriteString(e, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(e.t, err)
}

// head reads up to the empty line; the headers are in order.
func (e *end) head() string {
	e.t.Helper()
	first, err := e.in.ReadString('\n')
	require.NoError(e.t, err)
	var lines []string
	for {
		line, err := e.in.ReadString('\n')
		require.NoError(e.t, err)
		if line == "\r\n" {
			break
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.ReplaceAll(first+strings.Join(lines, ""), "\r\n", "\n")
}

// hear reads a text.
func (e *end) hear(text string) {
	e.t.Helper()
	b := make([]byte, len(text))
	_, err := io.ReadFull(e.in, b)
	require.NoError(e.t, err)
	require.Equal(e.t, text, string(b))
}

// ended is how the other end ended the connection.
func (e *end) ended() string {
	e.t.Helper()
	rest, err := io.ReadAll(e.in)
	switch {
	case len(rest) > 0:
		return fmt.Sprintf("%q", rest)
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case err != nil:
		return err.Error()
	}
	return "closed"
}

// reset breaks the connection.
func (e *end) reset() {
	require.NoError(e.t, e.Conn.(*net.TCPConn).SetLinger(0))
	e.Close()
}

func (e *end) closeWrite() { require.NoError(e.t, e.Conn.(*net.TCPConn).CloseWrite()) }

// startProxy starts a proxy in front of an address.
func startProxy(t *testing.T, o fakeregistry.ProxyOptions, faults ...fakeregistry.Fault) *fakeregistry.Server {
	t.Helper()
	p, err := fakeregistry.NewProxy(o)
	require.NoError(t, err)
	s, err := fakeregistry.Start(fakeregistry.Config{Registry: p, Faults: faults})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// between is a client's end and an upstream, with a proxy between them.
func between(t *testing.T, faults ...fakeregistry.Fault) (client *end, u *upstream) {
	t.Helper()
	u = newUpstream(t)
	s := startProxy(t, fakeregistry.ProxyOptions{Upstream: "http://" + u.addr}, faults...)
	return dialProxy(t, s), u
}

func dialProxy(t *testing.T, s *fakeregistry.Server) *end {
	t.Helper()
	c, err := net.Dial("tcp", s.Host())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &end{t, c, bufio.NewReader(c)}
}

func TestProxyPassesRequestsAsTheyCome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, sent, body, head, heard string }{
		{"no header is added", "GET /v2/ HTTP/1.1\nHost: proxy\n\n", "", "GET /v2/ HTTP/1.1\nHost: UP\n", ""},
		{
			"what the client says stays", "GET /v2/a/b/tags/list?n=1;x&_state=a%2Fb%3D HTTP/1.1\nHost: proxy\nUser-Agent: docker/1.8\nAccept-Encoding: zstd\nX-Forwarded-For: 10.0.0.1\nAuthorization: Basic YTpi\nConnection: keep-alive, X-Mine\nX-Mine: 1\n\n", "",
			"GET /v2/a/b/tags/list?n=1;x&_state=a%2Fb%3D HTTP/1.1\nAccept-Encoding: zstd\nAuthorization: Basic YTpi\nHost: UP\nUser-Agent: docker/1.8\nX-Forwarded-For: 10.0.0.1\n", "",
		},
		{"a length stays", "PUT /v2/a/manifests/x HTTP/1.1\nHost: proxy\nContent-Length: 5\n\n", "hello", "PUT /v2/a/manifests/x HTTP/1.1\nContent-Length: 5\nHost: UP\n", "hello"},
		{"a length of nothing stays", "POST /v2/a/blobs/uploads/ HTTP/1.1\nHost: proxy\nContent-Length: 0\n\n", "", "POST /v2/a/blobs/uploads/ HTTP/1.1\nContent-Length: 0\nHost: UP\n", ""},
		{"chunks stay", "PATCH /v2/a/blobs/uploads/1 HTTP/1.1\nHost: proxy\nTransfer-Encoding: chunked\n\n", "5\r\nhello\r\n0\r\n\r\n", "PATCH /v2/a/blobs/uploads/1 HTTP/1.1\nHost: UP\nTransfer-Encoding: chunked\n", "5\r\nhello\r\n0\r\n\r\n"},
		{"no chunks stay chunks", "DELETE /v2/a/blobs/uploads/1 HTTP/1.1\nHost: proxy\nTransfer-Encoding: chunked\n\n", "0\r\n\r\n", "DELETE /v2/a/blobs/uploads/1 HTTP/1.1\nHost: UP\nTransfer-Encoding: chunked\n", "0\r\n\r\n"},
		{"a closing client is one", "GET /v1/_ping HTTP/1.1\nHost: proxy\nConnection: close\n\n", "", "GET /v1/_ping HTTP/1.1\nConnection: close\nHost: UP\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client, u := between(t)
			client.say(row.sent)
			up := u.accept()
			if diff := cmp.Diff(strings.ReplaceAll(row.head, "UP", u.addr), up.head()); diff != "" {
				t.Errorf("the registry hears otherwise (-want +got):\n%s", diff)
			}
			_, err := io.WriteString(client, row.body)
			require.NoError(t, err)
			up.hear(row.heard)
			up.say("HTTP/1.1 204 No Content\n\n")
			require.Equal(t, "HTTP/1.1 204 No Content\n", strings.Replace(client.head(), "Connection: close\n", "", 1))
		})
	}
}

func TestProxyPassesAnswersAsTheyCome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, method, said, head, heard string }{
		{"no header is added", "GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", "HTTP/1.1 200 OK\nContent-Length: 2\n", "{}"},
		{"chunks stay", "GET", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", "2\r\n{}\r\n0\r\n\r\n"},
		{"a HEAD has a length", "HEAD", "HTTP/1.1 200 OK\nContent-Length: 77\nContent-Type: application/octet-stream\n\n", "HTTP/1.1 200 OK\nContent-Length: 77\nContent-Type: application/octet-stream\n", ""},
		{"several of a header", "GET", "HTTP/1.1 401 Unauthorized\nWww-Authenticate: A\nWww-Authenticate: B\nContent-Length: 0\n\n", "HTTP/1.1 401 Unauthorized\nContent-Length: 0\nWww-Authenticate: A\nWww-Authenticate: B\n", ""},
		{"interim answers", "GET", "HTTP/1.1 103 Early Hints\nX-A: 1\n\nHTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 103 Early Hints\nX-A: 1\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"},
		{"a closing registry is one", "GET", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n", ""},
		{"trailers", "GET", "HTTP/1.1 200 OK\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n1\na\n0\nX-Sum: 1\n\n", "HTTP/1.1 200 OK\nTrailer: X-Sum\nTransfer-Encoding: chunked\n", "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client, u := between(t)
			client.say(row.method + " /v2/ HTTP/1.1\nHost: proxy\n\n")
			up := u.accept()
			up.head()
			up.say(row.said)
			if diff := cmp.Diff(row.head, client.head()); diff != "" {
				t.Errorf("the client hears otherwise (-want +got):\n%s", diff)
			}
			client.hear(row.heard)
		})
	}
}

func TestProxyIsHonestAboutConnections(t *testing.T) {
	t.Parallel()
	const get = "GET /v2/ HTTP/1.1\nHost: proxy\n\n"
	const put = "PUT /v2/a/manifests/x HTTP/1.1\nHost: proxy\nContent-Length: 10\n\n"
	for _, row := range []struct {
		name string
		run  func(t *testing.T, client *end, u *upstream)
	}{
		{"reset before the answer", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.reset()
			require.Equal(t, "reset", client.ended())
		}},
		{"closed before the answer", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.Close()
			require.Equal(t, "closed", client.ended())
		}},
		{"reset in the answer", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 200 OK\nContent-Length: 10\n\n12345")
			client.head()
			client.hear("12345")
			up.reset()
			require.Equal(t, "reset", client.ended())
		}},
		{"closed in a chunked answer", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\n12345\n")
			client.head()
			client.hear("5\r\n12345\r\n")
			up.Close()
			require.Equal(t, "closed", client.ended(), "no last chunk")
		}},
		{"closed between two requests", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 204 No Content\n\n")
			client.head()
			client.say(get)
			up.head()
			up.say("HTTP/1.1 204 No Content\n\n")
			client.head()
			up.Close()
			require.Equal(t, "closed", client.ended())
		}},
		{"answered before the body, and then read on", func(t *testing.T, client *end, u *upstream) {
			client.say(put)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 413 Request Entity Too Large\nContent-Length: 2\n\nno")
			client.head()
			client.hear("no")
			client.say("1234567890")
			up.hear("1234567890")
			client.say(get)
			require.Contains(t, up.head(), "GET /v2/", "on the same connection")
		}},
		{"answered before the body, and closed", func(t *testing.T, client *end, u *upstream) {
			client.say(put)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 413 Request Entity Too Large\nContent-Length: 2\nConnection: close\n\nno")
			require.Contains(t, client.head(), "Connection: close")
			client.hear("no")
			up.Close()
			require.Equal(t, "closed", client.ended())
		}},
		{"answered in chunks before the body", func(t *testing.T, client *end, u *upstream) {
			client.say(put)
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 413 Request Entity Too Large\nTransfer-Encoding: chunked\n\n2\nno\n0\n\n")
			client.head()
			client.hear("2\r\nno\r\n0\r\n\r\n")
			require.Equal(t, "closed", client.ended())
		}},
		{"a client that resets", func(t *testing.T, client *end, u *upstream) {
			client.say(put + "12345")
			up := u.accept()
			up.head()
			up.hear("12345")
			client.reset()
			require.Equal(t, "reset", up.ended())
		}},
		{"a client that resets while it waits", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			client.reset()
			require.Equal(t, "reset", up.ended())
		}},
		{"a client that closes its end and waits", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			client.closeWrite()
			require.Equal(t, "closed", up.ended())
			up.say("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")
			client.head()
			client.hear("{}")
		}},
		{"a client that closes its end in a body", func(t *testing.T, client *end, u *upstream) {
			client.say(put + "12345")
			up := u.accept()
			up.head()
			up.hear("12345")
			client.closeWrite()
			require.Equal(t, "closed", up.ended())
			up.say("HTTP/1.1 400 Bad Request\nContent-Length: 0\n\n")
			require.Contains(t, client.head(), "400")
		}},
		{"a body that trickles", func(t *testing.T, client *end, u *upstream) {
			client.say(put)
			up := u.accept()
			up.head()
			for _, c := range "1234567890" {
				client.say(string(c))
				up.hear(string(c))
			}
		}},
		{"asked to continue", func(t *testing.T, client *end, u *upstream) {
			client.say(strings.Replace(put, "\n\n", "\nExpect: 100-continue\n\n", 1))
			up := u.accept()
			require.Contains(t, up.head(), "Expect: 100-continue")
			up.say("HTTP/1.1 100 Continue\n\n")
			require.Contains(t, client.head(), "100 Continue")
			client.say("1234567890")
			up.hear("1234567890")
		}},
		{"not asked to continue", func(t *testing.T, client *end, u *upstream) {
			client.say(strings.Replace(put, "\n\n", "\nExpect: 100-continue\n\n", 1))
			up := u.accept()
			up.head()
			up.say("HTTP/1.1 401 Unauthorized\nContent-Length: 0\n\n")
			require.Contains(t, client.head(), "401 Unauthorized")
		}},
		{"two clients", func(t *testing.T, client *end, u *upstream) {
			other, err := net.Dial("tcp", client.RemoteAddr().String())
			require.NoError(t, err)
			defer other.Close()
			client.say(get)
			u.accept().head()
			_, _ = io.WriteString(other, strings.ReplaceAll(get, "\n", "\r\n"))
			require.Contains(t, u.accept().head(), "GET", "on a connection of its own")
		}},
		{"an answer that is none", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			up.say("220 smtp.example ESMTP\n\n")
			require.Contains(t, client.head(), "502 Bad Gateway")
		}},
		{"an answer without end", func(t *testing.T, client *end, u *upstream) {
			client.say(get)
			up := u.accept()
			up.head()
			go func() {
				line := []byte("X-More: " + strings.Repeat("x", 8000) + "\r\n")
				_, err := io.WriteString(up, "HTTP/1.1 200 OK\r\n")
				for err == nil {
					_, err = up.Write(line)
				}
			}()
			require.Contains(t, client.head(), "502 Bad Gateway")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client, u := between(t)
			row.run(t, client, u)
		})
	}
}

// TestProxyPassesLargeBodies: a body of many pieces arrives as it was sent, over TLS too.
func TestProxyPassesLargeBodies(t *testing.T) {
	t.Parallel()
	want := make([]byte, 100_000)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan []byte, 1)
			upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				data, _ := io.ReadAll(r.Body)
				got <- data
			}))
			if secure {
				upstream.StartTLS()
			} else {
				upstream.Start()
			}
			t.Cleanup(upstream.Close)
			s := startProxy(t, fakeregistry.ProxyOptions{Upstream: upstream.URL, Insecure: secure})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+"/v2/a/blobs/uploads/1", bytes.NewReader(want))
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			if data := <-got; !bytes.Equal(want, data) {
				t.Errorf("%d bytes arrived as %d others", len(want), len(data))
			}
		})
	}
}

func TestProxyLeadsBack(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	s := startProxy(t, fakeregistry.ProxyOptions{Upstream: "http://" + u.addr, Aliases: []string{"https://Registry.example"}})
	for _, row := range []struct{ name, header, said, want string }{
		{"an upload session", "Location", "http://UP/v2/a/blobs/uploads/1?_state=a%2Fb%3D", "http://PROXY/v2/a/blobs/uploads/1?_state=a%2Fb%3D"},
		{"without a scheme", "Location", "//UP/v2/", "http://PROXY/v2/"},
		{"an alias, with the port that it has anyway", "Location", "https://registry.example:443/v2/", "http://PROXY/v2/"},
		{"another scheme is another place", "Location", "https://UP/v2/", "https://UP/v2/"},
		{"elsewhere", "Location", "https://bucket.example/layer?sig=%2F", "https://bucket.example/layer?sig=%2F"},
		{"a path", "Location", "/v2/a/blobs/uploads/1", "/v2/a/blobs/uploads/1"},
		{"with credentials", "Location", "http://a:b@UP/v2/", "http://a:b@UP/v2/"},
		{"a realm", "Www-Authenticate", `Bearer realm="http://UP/auth?x",service="UP",scope="repository:a:pull"`, `Bearer realm="http://PROXY/auth?x",service="UP",scope="repository:a:pull"`},
		{"a realm elsewhere", "Www-Authenticate", `Bearer realm="https://auth.example/token",service="registry"`, `Bearer realm="https://auth.example/token",service="registry"`},
		{"a basic realm", "Www-Authenticate", `Basic realm="UP"`, `Basic realm="UP"`},
		{"two challenges", "Www-Authenticate", `Basic realm="x", Bearer Realm="http://UP/auth"`, `Basic realm="x", Bearer Realm="http://PROXY/auth"`},
		{"the next page", "Link", `<http://UP/v2/a/tags/list?n=2&last=x>; rel="next"`, `<http://PROXY/v2/a/tags/list?n=2&last=x>; rel="next"`},
		{"the endpoint of V1", "X-Docker-Endpoints", "UP", "PROXY"},
	} {
		in := func(text string) string {
			return strings.NewReplacer("UP", u.addr, "PROXY", s.Host()).Replace(text)
		}
		client := dialProxy(t, s)
		client.say("GET /v2/ HTTP/1.1\nHost: " + s.Host() + "\n\n")
		up := u.accept()
		up.head()
		up.say("HTTP/1.1 202 Accepted\nContent-Length: 0\n" + row.header + ": " + in(row.said) + "\n\n")
		resp, err := http.ReadResponse(client.in, nil)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, in(row.want), resp.Header.Get(row.header), row.name)
	}
}

func TestProxyAddresses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ address, want string }{
		{"registry.example:5000", `upstream: "registry.example:5000" is not an address; want https://HOST[:PORT] or http://HOST[:PORT]`},
		{"ftp://registry.example", `upstream: "ftp://registry.example" is not an address; want https://HOST[:PORT] or http://HOST[:PORT]`},
		{"https://registry.example/v2/", `upstream: "https://registry.example/v2/" has more than a host; a registry's V2 is at the root of its host: want https://registry.example`},
		{"https://alice:s3cret@registry.example", "upstream: it has credentials in it; want https://HOST[:PORT] alone"},
		{"https://alice:s3%ret@registry.example", "upstream: it is not an address; want https://HOST[:PORT] or http://HOST[:PORT]"},
		{"", `upstream: "" is not an address; want https://HOST[:PORT] or http://HOST[:PORT]`},
	} {
		_, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: row.address})
		require.EqualError(t, err, row.want)
	}
	_, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: "https://registry.example", CA: []byte("no PEM")})
	require.EqualError(t, err, "the CA has no certificate in it; want PEM")
}
