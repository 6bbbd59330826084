package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

const digestLine = `{"status":"latest: digest: sha256:87ebe2d3daff342a83fda09bf68f55bf43d48b12bf2a4b445b79fb34ab880f26 size: 4544"}` + "\n"

// anybody is the header of somebody without credentials.
const anybody = "e30="

// A push streams what docker streams, and is told as an event.
func TestPush(t *testing.T) {
	t.Parallel()
	r := registry(t, fakeregistry.Config{})
	b := start(t, nil)
	name := r.Host() + "/lib/app"
	b.load(name)
	a := b.do("POST", "/v1.20/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody)
	assert.Equal(t, 200, a.status)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.Equal(t, `{"status":"The push refers to a repository [`+name+`] (len: 1)"}`+"\n", a.body[:strings.Index(a.body, "\n")+1])
	assert.True(t, strings.HasSuffix(a.body, digestLine), a.body)
	assert.Contains(t, b.past(), `"status":"push","id":"`+name+`"`)

	// Without a tag every tag goes, and form parsing finds the tag as well (P-011).
	require.NoError(t, b.store.Tag(name, "two", id("d3")))
	a = b.do("POST", "/images/"+name+"/push", nil, "X-Registry-Auth", anybody)
	assert.Contains(t, a.body, "latest: digest: sha256:")
	assert.Contains(t, a.body, "two: digest: sha256:")
	a = b.do("POST", "/images/"+name+"/push", strings.NewReader("tag=two"), "X-Registry-Auth", anybody, "Content-Type", "application/x-www-form-urlencoded")
	assert.NotContains(t, a.body, "latest: digest: sha256:")
	assert.Contains(t, a.body, "two: digest: sha256:")
}

// past are the events that happened.
func (b *bench) past() string {
	b.t.Helper()
	return b.do("GET", fmt.Sprintf("/events?since=1&until=%d.%09d", time.Now().Unix(), time.Now().Nanosecond()), nil).body
}

// Credentials come in the header, or in the body of old; what cannot be read is
// nobody in the one (P-013) and refused in the other (P-014).
func TestPushAuth(t *testing.T) {
	t.Parallel()
	alice := map[string]string{"username": "alice", "password": "hunter2>?", "serveraddress": "elsewhere.example:1"}
	body, err := json.Marshal(alice)
	require.NoError(t, err)
	good := authHeader(t, alice)
	require.True(t, strings.HasSuffix(good, "="), "padding makes one, too")
	require.Contains(t, good, "_", "the URL alphabet makes a difference")
	for _, row := range []struct {
		name, header, body string
		status             int
		want               string
	}{
		{"in the header", good, "", 200, "latest: digest:"},
		{"in the body", "", string(body), 200, "latest: digest:"},
		{"a body beside a header counts for nothing", anybody, string(body), 200, "no basic auth credentials"},
		{"another password", authHeader(t, map[string]string{"username": "alice", "password": "x"}), "", 200, "authentication required"},
		{"the standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(good), "", 200, "no basic auth credentials"},
		{"without padding", strings.TrimRight(good, "="), "", 200, "no basic auth credentials"},
		{"no base64", "!", "", 200, "no basic auth credentials"},
		{"no JSON", "eA==", "", 200, "no basic auth credentials"},
		{"nothing", "", "", 400, "Bad parameters and missing X-Registry-Auth: EOF"},
		{"a body that is no JSON", "", "x", 400, "Bad parameters and missing X-Registry-Auth: invalid character"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := registry(t, fakeregistry.Config{Guard: &fakeregistry.Basic{Users: fakeregistry.Passwords(map[string]string{"alice": "hunter2>?"})}})
			b := start(t, nil)
			name := r.Host() + "/lib/app"
			b.load(name)
			header := []string{}
			if row.header != "" {
				header = []string{"X-Registry-Auth", row.header}
			}
			a := b.do("POST", "/v1.20/images/"+name+"/push?tag=latest", strings.NewReader(row.body), header...)
			assert.Equal(t, row.status, a.status)
			assert.Contains(t, a.body, row.want)
			assert.NotContains(t, a.body, "hunter2")
		})
	}
}

// X-Meta-* headers go with every request (P-012).
func TestPushMeta(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	without := []string{}
	asked := 0
	r := registry(t, fakeregistry.Config{Observe: func(e wire.Exchange) {
		if e.Route.Op == wire.OpEvent {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		asked++
		if e.Request.Header.Get("X-Meta-Reason") != "why not" || e.Request.Header.Get("X-Other") != "" {
			without = append(without, string(e.Route.Op))
		}
	}})
	b := start(t, nil)
	name := r.Host() + "/lib/app"
	b.load(name)
	a := b.do("POST", "/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody, "x-meta-reason", "why not", "X-Other", "x")
	require.Contains(t, a.body, "latest: digest:")
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 18, asked)
	assert.Empty(t, without)
}

// What goes wrong before the first byte has a status, what goes wrong later is in
// the stream (P-020, P-022).
func TestPushErrors(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	r := registry(t, fakeregistry.Config{})
	for _, row := range []struct {
		name, tag string
		status    int
		want      string
	}{
		{"UPPER/x", "", 500, "repository name component must match"},
		{"lib/-x", "", 500, "repository name component must match"},
		{r.Host() + "/nobody", "x", 200, `"error":"Repository does not exist: ` + r.Host() + `/nobody"}` + "\n"},
		{"127.0.0.1:1/lib/app", "latest", 200, "Repository does not exist"},
	} {
		a := b.do("POST", "/v1.20/images/"+row.name+"/push?tag="+row.tag, nil, "X-Registry-Auth", anybody)
		assert.Equal(t, row.status, a.status, "%s: %s", row.name, a.body)
		assert.Contains(t, a.body, row.want)
		if row.status == 200 {
			assert.True(t, strings.HasPrefix(a.body, `{"status":"The push refers to a repository [`), a.body)
			assert.Contains(t, a.body, `{"errorDetail":{"message":`)
		}
	}
	require.NoError(t, b.store.Tag("127.0.0.1:1/lib/app", "latest", id("a4")))
	a := b.do("POST", "/images/127.0.0.1:1/lib/app/push?tag=latest", nil, "X-Registry-Auth", anybody)
	assert.Equal(t, 200, a.status)
	assert.Contains(t, a.body, "connection refused")
}

// Each object is sent when it is written (P-021): while the registry holds the
// first layer, what was said is here.
func TestPushFlushes(t *testing.T) {
	t.Parallel()
	host, arrived, open := gated(t)
	b := start(t, nil)
	b.load(host + "/lib/app")
	resp, err := http.DefaultClient.Do(b.request("POST", "/images/"+host+"/lib/app/push?tag=latest", nil, "X-Registry-Auth", anybody))
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	r := bufio.NewReader(resp.Body)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "The push refers to a repository")
	<-arrived
	d := json.NewDecoder(r)
	var o struct{ Status, ID string }
	require.NoError(t, d.Decode(&o))
	assert.Equal(t, "Buffering to Disk", o.Status)
	close(open)
	rest, err := io.ReadAll(io.MultiReader(d.Buffered(), r))
	require.NoError(t, err)
	assert.Contains(t, string(rest), "latest: digest:")
}

// Two requests share the pool: the second of a repository is refused while the
// first goes on, also when the first's caller has left (P-026, P-181).
func TestPushOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	host, arrived, open := gated(t)
	b := start(t, nil)
	name := host + "/lib/app"
	b.load(name)
	ctx, leave := context.WithCancel(t.Context())
	resp, err := http.DefaultClient.Do(b.request("POST", "/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody).WithContext(ctx))
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	<-arrived
	leave()
	a := b.do("POST", "/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody)
	assert.Equal(t, 200, a.status)
	assert.Contains(t, a.body, `"error":"push `+name+` is already in progress"`)

	events, err := http.DefaultClient.Do(b.request("GET", `/events?filters={"event":["push"]}`, nil))
	require.NoError(t, err)
	defer events.Body.Close() //nolint:errcheck // a test
	close(open)
	line, err := bufio.NewReader(events.Body).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, `"id":"`+name+`"`, "it has come to its end")
}

// In an era whose pushes end with their caller the registry sees it leave.
func TestPushEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	host, arrived, _ := gated(t)
	b := start(t, func(e *pusher.Era) { e.OutlivesCaller = false })
	b.load(host + "/lib/app")
	ctx, leave := context.WithCancel(t.Context())
	resp, err := http.DefaultClient.Do(b.request("POST", "/images/"+host+"/lib/app/push?tag=latest", nil, "X-Registry-Auth", anybody).WithContext(ctx))
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	<-arrived
	leave()
	// Nobody lets the registry answer: only the end of the first push makes the
	// repository free for another.
	second := "already in progress"
	for strings.Contains(second, "already in progress") {
		second = b.beginPush(host + "/lib/app")
	}
	assert.Contains(t, second, "Buffering to Disk")
}

// beginPush pushes, and leaves with the second object of the stream, which it returns.
func (b *bench) beginPush(name string) string {
	b.t.Helper()
	ctx, leave := context.WithCancel(b.t.Context())
	defer leave()
	resp, err := http.DefaultClient.Do(b.request("POST", "/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody).WithContext(ctx))
	require.NoError(b.t, err)
	defer resp.Body.Close() //nolint:errcheck // a test
	d := json.NewDecoder(resp.Body)
	var first, second json.RawMessage
	require.NoError(b.t, d.Decode(&first))
	require.NoError(b.t, d.Decode(&second))
	return string(second)
}

// Close ends the pushes under way and waits for them.
func TestCloseEndsPushes(t *testing.T) {
	t.Parallel()
	host, arrived, _ := gated(t)
	b := start(t, nil)
	b.load(host + "/lib/app")
	ended := make(chan string, 1)
	resp, err := http.DefaultClient.Do(b.request("POST", "/images/"+host+"/lib/app/push?tag=latest", nil, "X-Registry-Auth", anybody))
	require.NoError(t, err)
	go func() {
		rest, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		ended <- string(rest)
	}()
	<-arrived
	b.engine.Close()
	assert.Contains(t, <-ended, "context canceled")
	assert.Equal(t, 503, b.do("GET", "/_ping", nil).status)
}
