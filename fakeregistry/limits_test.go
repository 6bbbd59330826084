package fakeregistry_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// served asks a handler without a connection.
func served(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func TestThousandsOfUploadSessions(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{})
	start(t, fakeregistry.Config{Registry: v2, Limits: fakeregistry.Limits{Sessions: 100}})
	var taken, refused int
	for range 3000 {
		switch w := served(v2, "POST", "/v2/a/blobs/uploads/", ""); w.Code {
		case 202:
			taken++
		case 429:
			refused++
			require.Contains(t, w.Body.String(), "TOOMANYREQUESTS")
		default:
			t.Fatal(w.Code, w.Body)
		}
	}
	assert.Equal(t, 100, taken)
	assert.Equal(t, 2900, refused)
	assert.Equal(t, 100, v2.Storage().OpenUploads(""))
	v2.Storage().DropUploads("")
	assert.Equal(t, 202, served(v2, "POST", "/v2/a/blobs/uploads/", "").Code, "there is room again")
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{Quirks: fakeregistry.Quirks{PlainLocation: true}})
	start(t, fakeregistry.Config{Registry: v2, Limits: fakeregistry.Limits{Bytes: 100 << 10}})
	at := served(v2, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	require.Equal(t, 202, served(v2, "PATCH", at, strings.Repeat("x", 90<<10)).Code)
	w := served(v2, "PATCH", at, strings.Repeat("x", 90<<10))
	assert.Equal(t, 500, w.Code)
	assert.Contains(t, w.Body.String(), syscall.ENOSPC.Error())
	require.Equal(t, 204, served(v2, "DELETE", at, "").Code)
	at = served(v2, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	assert.Equal(t, 202, served(v2, "PATCH", at, strings.Repeat("x", 90<<10)).Code, "there is room again")
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	held, begun := make(chan struct{}), make(chan struct{})
	s := start(t, fakeregistry.Config{Registry: holding(held, begun), Limits: fakeregistry.Limits{Connections: 2}})
	for range 2 {
		dialProxy(t, s).say("GET /v2/held HTTP/1.1\nHost: a\n\n")
		<-begun
	}
	require.False(t, answered(s), "both have a request under way")
	close(held)
	require.Eventually(t, func() bool { return answered(s) }, 10*time.Second, time.Millisecond, "another may come in its place")
}

// holding is a registry that answers /v2/held once held is closed, and says before
// that it was asked.
func holding(held <-chan struct{}, begun chan<- struct{}) fakeregistry.Registry {
	return handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/held" {
			begun <- struct{}{}
			<-held
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})
}

// answered reports whether a client that comes now is answered.
func answered(s *fakeregistry.Server) bool {
	c, err := net.Dial("tcp", s.Host())
	if err != nil {
		return false // the reset came first
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
	_, err = bufio.NewReader(c).ReadString('\n')
	return err == nil
}

func TestSilentConnectionsMakeWay(t *testing.T) {
	t.Parallel()
	held, begun := make(chan struct{}), make(chan struct{})
	s := start(t, fakeregistry.Config{Registry: holding(held, begun), Limits: fakeregistry.Limits{Connections: 4}})
	busy := dialProxy(t, s)
	busy.say("GET /v2/held HTTP/1.1\nHost: a\n\n")
	<-begun
	idle, half, before := dialProxy(t, s), dialProxy(t, s), dialProxy(t, s) // in the order in which they are accepted
	half.say("GET /v2/ HTTP/1.1\nHost: x\nX")
	before.say("GET /v2/ HTTP/1.1\nHost: a\n\n")
	require.Contains(t, before.head(), "200")
	for _, silent := range []*end{idle, half, before} {
		fresh := dialProxy(t, s)
		fresh.say("GET /v2/ HTTP/1.1\nHost: a\n\n")
		require.Contains(t, fresh.head(), "200", "somebody else is let in")
		require.Equal(t, "reset", silent.ended(), "the one that is silent longest")
	}
	close(held)
	require.Contains(t, busy.head(), "200", "who waits for an answer gets it")
}

func TestBodiesThatDoNotComeMakeWay(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	s := start(t, fakeregistry.Config{Registry: holding(held, nil), Limits: fakeregistry.Limits{Connections: 1, Idle: 2 * time.Second}})
	c := dialProxy(t, s)
	c.say("PUT /v2/a/manifests/x HTTP/1.1\nHost: a\nContent-Length: 10\n\n12345")
	require.Eventually(t, func() bool { return answered(s) }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, "reset", c.ended(), "long before it is told that it was idle")
}

func TestClientsThatStopAreLetGo(t *testing.T) {
	t.Parallel()
	const idle = 30 * time.Millisecond
	endless := handler(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 64<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	reading := handler(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})
	up := newUpstream(t)
	proxy, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: "http://" + up.addr})
	require.NoError(t, err)
	for _, row := range []struct {
		name     string
		registry fakeregistry.Registry
		says     string
		hears    bool
	}{
		{"between two requests", reading, "GET /v2/ HTTP/1.1\nHost: a\n\n", true},
		{"in a body", reading, "PUT /v2/a/manifests/x HTTP/1.1\nHost: a\nContent-Length: 10\n\n12345", true},
		{"in a chunk", reading, "PUT /v2/a/manifests/x HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nfff\n1", true},
		{"in an answer", endless, "GET /v2/ HTTP/1.1\nHost: a\n\n", false},
		{"in a body for a proxy", proxy, "PUT /v2/a/manifests/x HTTP/1.1\nHost: a\nContent-Length: 10\n\n12345", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := fakeregistry.Start(fakeregistry.Config{Registry: row.registry, Limits: fakeregistry.Limits{Idle: idle}})
			require.NoError(t, err)
			c := dialProxy(t, s)
			c.say(row.says)
			if row.registry == fakeregistry.Registry(proxy) {
				far := up.accept()
				far.head()
				far.hear("12345")
				require.Contains(t, []string{"closed", "reset"}, far.ended(), "and at the registry too")
				far.Close()
			}
			if row.hears {
				_, err := io.ReadAll(c.in)
				require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%v", err)
			} else {
				require.Eventually(t, func() bool { return len(s.Trace()) == 1 && !s.Trace()[0].Open }, 10*time.Second, time.Millisecond)
			}
			require.NoError(t, s.Close())
		})
	}
}

func TestRememberedExchangesAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{
		Limits: fakeregistry.Limits{Exchanges: 10},
		Faults: []fakeregistry.Fault{fault(t, "warning", "any")},
	})
	c := client(t, s)
	for range 50 {
		require.Equal(t, 202, do(t, c, http.MethodGet, s.URL()+"/v2/", nil).Status)
	}
	assert.LessOrEqual(t, len(s.Trace()), 20)
	assert.LessOrEqual(t, len(s.Fired()), 20)
	assert.Equal(t, []int{50}, s.Struck())
}
