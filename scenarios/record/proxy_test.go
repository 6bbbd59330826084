package record_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/scenarios/record"
)

// behind is a registry with a recording proxy before it. The exchanges are there
// once all of them have ended.
func behind(t *testing.T, h http.HandlerFunc, c record.Config) (p *record.Proxy, ended chan recording.Exchange) {
	t.Helper()
	registry := httptest.NewServer(h)
	t.Cleanup(registry.Close)
	return before(t, registry.URL, c)
}

func before(t *testing.T, upstream string, c record.Config) (p *record.Proxy, ended chan recording.Exchange) {
	t.Helper()
	ended = make(chan recording.Exchange, 64)
	c.Upstream, c.Observe = upstream, func(e recording.Exchange) { ended <- e }
	p, err := record.Start(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p, ended
}

// dial opens a connection that a test writes to by hand.
func dial(t *testing.T, p *record.Proxy) (net.Conn, *bufio.Reader) {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", p.Host())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

func answer(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

// Names, order and blanks of headers are kept as the client wrote them, chunks are
// taken out of the body, and a connection that is kept keeps its number.
func TestAsWritten(t *testing.T) {
	t.Parallel()
	got := make(chan string, 4)
	p, ended := behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s %s %q %v %s", r.Method, r.RequestURI, r.Header.Get("X-b"), r.Header.Values("User-Agent"), body)
		w.Header().Set("Location", "http://"+r.Host+"/v2/a/blobs/uploads/0123456789?_state=abcdefgh")
		w.WriteHeader(http.StatusAccepted)
	}, record.Config{})
	c, r := dial(t, p)
	_, err := io.WriteString(c, "PATCH /v2/a/blobs/uploads/x?a=%2F HTTP/1.1\r\nHost: "+p.Host()+"\r\nx-B: 1\r\nContent-Type: \r\nTransfer-Encoding: chunked\r\n\r\n"+
		"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n")
	require.NoError(t, err)
	resp, _ := answer(t, r, "PATCH")
	assert.Equal(t, http.StatusAccepted, resp.StatusCode)
	assert.Equal(t, "http://"+p.Host()+"/v2/a/blobs/uploads/0123456789?_state=abcdefgh", resp.Header.Get("Location"), "the client stays with the proxy")
	assert.Equal(t, `PATCH /v2/a/blobs/uploads/x?a=%2F "1" [] abcde`, <-got)

	_, err = io.WriteString(c, "GET /v2/ HTTP/1.1\r\nHost: "+p.Host()+"\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	resp, _ = answer(t, r, "GET")
	assert.True(t, resp.Close)
	<-got
	e, second := <-ended, <-ended
	want := recording.Exchange{
		Seq: 1, Conn: 1, Method: "PATCH", Path: "/v2/a/blobs/uploads/x?a=%2F", Proto: "HTTP/1.1",
		ReqHeaders: []string{"Host: " + p.Host(), "x-B: 1", "Content-Type: ", "Transfer-Encoding: chunked"},
		ReqLen:     5, ReqSHA256: "36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c", ReqBody: "abcde",
		Status:      202,
		RespHeaders: []string{"Content-Length: 0", "Location: http://" + p.Host() + "/v2/a/blobs/uploads/0123456789?_state=abcdefgh"},
	}
	assert.Empty(t, cmp.Diff(want, e))
	assert.Equal(t, 1, second.Conn)
	assert.Contains(t, second.RespHeaders, "Connection: close")
}

// What is no request is an event, on its own connection.
func TestEvents(t *testing.T) {
	t.Parallel()
	p, ended := behind(t, func(http.ResponseWriter, *http.Request) {}, record.Config{})
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it must fail
	_, err := d.DialContext(t.Context(), "tcp", p.Host())
	require.ErrorContains(t, err, "first record does not look like a TLS handshake")
	assert.Equal(t, recording.Exchange{Seq: 1, Conn: 1, Event: recording.EventPlainHello}, <-ended)

	c, _ := dial(t, p)
	require.NoError(t, c.Close())
	assert.Equal(t, recording.Exchange{Seq: 2, Conn: 2, Event: recording.EventNoRequest}, <-ended)

	c, r := dial(t, p)
	_, _ = io.WriteString(c, "nonsense\r\n\r\n")
	_, _ = io.Copy(io.Discard, r)
	e := <-ended
	assert.Equal(t, recording.EventNoRequest, e.Event)
	assert.Contains(t, e.Err, `malformed request line "nonsense"`)
}

// With a certificate the proxy speaks TLS and nothing else.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pem, err := recording.NewCertificate("registry.example")
	require.NoError(t, err)
	p, ended := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
	}, record.Config{Certificate: &cert})
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "registry.example"}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.Host()+"/v2/", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, `Bearer realm="https://`+p.Host()+`/token",service="s"`, resp.Header.Get("Www-Authenticate"))
	assert.Equal(t, 401, (<-ended).Status)

	c, r := dial(t, p)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
	_, _ = io.Copy(io.Discard, r)
	assert.Equal(t, recording.EventNoRequest, (<-ended).Event)
}

// Each way in which a registry fails is done to the client and told in the
// recording.
func TestFailures(t *testing.T) {
	t.Parallel()
	hijack := func(w http.ResponseWriter) net.Conn {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		return c
	}
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		err     string
		client  string // what the client sees; "" is an answer
	}{
		{"a reset", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			c := hijack(w)
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}, 0, "recorder reset the connection instead of a response", "reset"},
		{"no answer", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = hijack(w).Close()
		}, 0, "recorder closed the connection instead of a response", "EOF"},
		{"half an answer", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			c := hijack(w)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			_ = c.Close()
		}, 200, "recorder reset the response after 3 bytes: unexpected EOF", "reset"},
		{"an early answer", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
		}, 429, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, ended := behind(t, row.handler, record.Config{})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+p.Host()+"/v2/", strings.NewReader("body"))
			require.NoError(t, err)
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if row.client == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, row.client)
			}
			e := <-ended
			assert.Equal(t, row.status, e.Status)
			assert.Contains(t, e.Err, row.err)
		})
	}
}

// A client that gives up in the middle of a body is recorded as one.
func TestClientGivesUp(t *testing.T) {
	t.Parallel()
	p, ended := behind(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, record.Config{})
	c, _ := dial(t, p)
	_, err := io.WriteString(c, "PUT /v2/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	e := <-ended
	assert.Zero(t, e.Status)
	assert.Equal(t, "request body: unexpected EOF", e.Err)
	assert.EqualValues(t, 3, e.ReqLen)
	assert.Empty(t, e.ReqSHA256, "it was not read to its end")
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	p, ended := behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}, record.Config{})
	c, r := dial(t, p)
	_, err := io.WriteString(c, "PUT /v2/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	require.NoError(t, err)
	resp, _ := answer(t, r, "PUT")
	require.Equal(t, http.StatusContinue, resp.StatusCode)
	_, err = io.WriteString(c, "ok")
	require.NoError(t, err)
	_, body := answer(t, r, "PUT")
	assert.Equal(t, "ok", body)
	assert.Equal(t, "ok", (<-ended).RespBody)
}

// Bodies are kept when they are JSON or short text; a long one costs no memory.
func TestKeptBodies(t *testing.T) {
	t.Parallel()
	object := `{"a": "` + strings.Repeat("x", 10_000) + `"}`
	for name, row := range map[string]struct{ body, kept string }{
		"JSON":         {object, object},
		"short text":   {"hello", "hello"},
		"long text":    {strings.Repeat("text ", 2000), ""},
		"short binary": {"\x1f\x8b\x00", ""},
		"nothing":      {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ended := behind(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, record.Config{})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+p.Host()+"/", strings.NewReader(row.body))
			require.NoError(t, err)
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, row.body, string(got))
			e := <-ended
			assert.Equal(t, row.kept, e.ReqBody)
			assert.Equal(t, row.kept, e.RespBody)
			assert.EqualValues(t, len(row.body), e.ReqLen)
			assert.EqualValues(t, len(row.body), e.RespLen)
			assert.Equal(t, e.ReqSHA256, e.RespSHA256)
		})
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		config record.Config
		want   string
	}{
		{record.Config{}, `"" is not the address of a registry`},
		{record.Config{Upstream: "127.0.0.1:5000"}, "is not the address of a registry; want http://HOST:PORT or https://HOST"},
		{record.Config{Upstream: "http://u:hunter2@h/"}, "a scheme and a host, and nothing else"},
		{record.Config{Upstream: "http://h/v2/"}, "a scheme and a host, and nothing else"},
		{record.Config{Upstream: "http://h", Listen: "0.0.0.0:0"}, "other machines could reach"},
		{record.Config{Upstream: "http://h", Listen: "x"}, "want HOST:PORT"},
	} {
		_, err := record.Start(t.Context(), row.config)
		require.ErrorContains(t, err, row.want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// Close ends what is under way, waits for it, and may be called again.
func TestClose(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, ended := behind(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	}, record.Config{})
	c, r := dial(t, p)
	_, err := io.WriteString(c, "GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n")
	require.NoError(t, err)
	<-arrived
	idle, _ := dial(t, p)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	_, err = r.ReadByte()
	require.Error(t, err)
	_, err = idle.Read(make([]byte, 1))
	require.Error(t, err)
	require.Len(t, p.Exchanges(), 1, "a connection that ended with the proxy is no event")
	assert.Zero(t, (<-ended).Status)
}
