package recording_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// Each place in which something secret or unstable may stand, before and after.
func TestScrubHeader(t *testing.T) {
	t.Parallel()
	s := recording.NewScrubber([]string{"127.0.0.1:5000", "registry.example"}, []string{"listed"})
	for _, row := range [][2]string{
		{"Host: 127.0.0.1:5000", "Host: HOST"},
		{"Authorization: Basic " + basic("alice", "hunter2"), "Authorization: Basic " + basic("alice", "PASSWORD")},
		{"authorization:  basic !!", "authorization:  basic PASSWORD"},
		{"Authorization: Bearer abc.def", "Authorization: Bearer TOKEN"},
		{"Authorization: naked", "Authorization: TOKEN"},
		{`Authorization: Token signature=abc,repository="lib/app",access=write`, `Authorization: Token signature=SIG,repository="lib/app",access=write`},
		{"Authorization: Token opaque", "Authorization: Token TOKEN"},
		{`X-Docker-Token: signature=abc,repository="lib/app"`, `X-Docker-Token: signature=SIG,repository="lib/app"`},
		{"X-Docker-Token: true", "X-Docker-Token: true"},
		{"Set-Cookie: id=5; Path=/", "Set-Cookie: COOKIE"},
		{"Expires: Mon, 02 Jan 2006 15:04:05 GMT", "Expires: DATE"},
		{"User-Agent: docker/1.8.3 kernel/6.1.0-9 os/linux", "User-Agent: docker/1.8.3 kernel/KERNEL os/linux"},
		{"User-Agent: docker/1.8.3 kernel/6.1.0-9", "User-Agent: docker/1.8.3 kernel/KERNEL"},
		{`Www-Authenticate: Bearer realm="https://registry.example/token"`, `Www-Authenticate: Bearer realm="https://HOST/token"`},
		{"Location: /v2/a/blobs/uploads/u?_state=abc&x=1", "Location: /v2/a/blobs/uploads/u?_state=STATE&x=1"},
		{"X-Other: listed", "X-Other: PASSWORD"},
		{"no colon", "no colon"},
	} {
		require.Equal(t, row[1], s.Header(row[0]))
	}
	require.Equal(t, `read tcp 127.0.0.1:EPHEMERAL->HOST: reset 127.0.0.1:77`, s.Text(`read tcp 127.0.0.1:40000->127.0.0.1:5000: reset 127.0.0.1:77`))
	require.Equal(t, `127.0.0.1:EPHEMERAL-\u003eHOST`, s.Text(`127.0.0.1:40000-\u003e127.0.0.1:5000`))
}

// What one exchange tells is hidden in all of them and in what the client said;
// lengths and digests follow a changed body.
func TestScrubStep(t *testing.T) {
	t.Parallel()
	const session = "3f1c-long-session-name"
	step := &recording.Step{
		Error: "denied for hunter2 with tok123456", Final: "at h:1", Note: "hunter2",
		Stream: []byte("hunter2 tok123456 " + session),
		Input:  recording.Input{Name: "h:1/lib/app", User: "alice", Pass: "hunter2", Argv: []string{"crane", "-p", "hunter2", "h:1/lib/app"}},
		Exchanges: []recording.Exchange{
			{
				Method: "POST", Path: "/token", ReqHeaders: []string{"Content-Type: application/x-www-form-urlencoded", "Content-Length: 40"},
				ReqBody: "grant_type=password&password=hunter2", ReqLen: 36, ReqSHA256: "x",
				RespHeaders: []string{"Content-Length: 99"}, RespBody: `{"token": "tok123456","issued_at":"2020-01-01T00:00:00Z","expires_in":60}`, RespLen: 99,
			},
			{Method: "POST", Path: "/v2/a/blobs/uploads/", Status: 202, RespHeaders: []string{"Docker-Upload-Uuid: " + session, "Location: http://h:1/v2/a/blobs/uploads/" + session + "?_state=s1"}},
			{Method: "PATCH", Path: "/v2/a/blobs/uploads/" + session + "?_state=s1", ReqHeaders: []string{"Authorization: Bearer tok123456"}, ReqBody: "plain", ReqLen: 5, ReqSHA256: "kept", Err: session},
			{Method: "PUT", Path: "/v2/a/manifests/x", ReqBody: `{"signatures":[{"signature":"abc"}]}`, ReqLen: 36, ReqSHA256: "x"},
		},
	}
	recording.NewScrubber([]string{"h:1"}, nil).Step(step)
	want := &recording.Step{
		Error: "denied for PASSWORD with TOKEN", Final: "at HOST", Note: "PASSWORD",
		Stream: []byte("PASSWORD TOKEN UUID"),
		Input:  recording.Input{Name: "HOST/lib/app", User: "alice", Pass: "PASSWORD", Argv: []string{"crane", "-p", "PASSWORD", "HOST/lib/app"}},
		Exchanges: []recording.Exchange{
			{
				Method: "POST", Path: "/token", ReqHeaders: []string{"Content-Type: application/x-www-form-urlencoded", "Content-Length: 37"},
				ReqBody: "grant_type=password&password=PASSWORD", ReqLen: 37, ReqSHA256: sum("grant_type=password&password=PASSWORD"),
				RespHeaders: []string{"Content-Length: 53"}, RespBody: `{"token": "TOKEN","issued_at":"DATE","expires_in":60}`, RespLen: 53,
				RespSHA256: sum(`{"token": "TOKEN","issued_at":"DATE","expires_in":60}`),
			},
			{Method: "POST", Path: "/v2/a/blobs/uploads/", Status: 202, RespHeaders: []string{"Docker-Upload-Uuid: UUID", "Location: http://HOST/v2/a/blobs/uploads/UUID?_state=STATE"}},
			{Method: "PATCH", Path: "/v2/a/blobs/uploads/UUID?_state=STATE", ReqHeaders: []string{"Authorization: Bearer TOKEN"}, ReqBody: "plain", ReqLen: 5, ReqSHA256: "kept", Err: "UUID"},
			{Method: "PUT", Path: "/v2/a/manifests/x", ReqBody: `{"signatures":[{"signature":"SIGNATURE"}]}`, ReqLen: 36, ReqSHA256: recording.Varies},
		},
	}
	require.Empty(t, cmp.Diff(want, step))
}

// Whatever a client and a registry send, a password is in nothing that is kept.
func FuzzScrub(f *testing.F) {
	f.Add("hunter2", "X-A: hunter2", `{"token":"t","password":"hunter2"}`, "/v2/?password=hunter2&a")
	f.Add("a b&c", "Location: /x?token=a+b%26c", "password=a+b%26c&x", "/")
	f.Add("é\"\\", "", `{"x":"\u00e9\"\\"}`, "//")
	f.Fuzz(func(t *testing.T, secret, header, body, path string) {
		if len(secret) < 4 || strings.Contains("PASSWORD UUID STATE TOKEN COOKIE DATE KERNEL HOST EPHEMERAL SIG VARIES(signature) Authorization: Basic", secret) {
			return // it stands in the words that secrets are replaced by
		}
		step := &recording.Step{Exchanges: []recording.Exchange{
			{Method: "GET", Path: path, ReqHeaders: []string{"Authorization: Basic " + basic("u", secret), header}, ReqBody: body, RespHeaders: []string{header}, RespBody: body},
		}}
		recording.NewScrubber(nil, nil).Step(step)
		e := step.Exchanges[0]
		for _, text := range append([]string{e.Path, e.ReqBody, e.RespBody, e.ReqHeaders[1]}, e.RespHeaders...) {
			// The words themselves and what stands around them may make it up anew.
			if strings.Contains(text, secret) && !strings.ContainsAny(secret, "PUSTCDKHEV") {
				t.Fatalf("%q survives in %q", secret, text)
			}
		}
		if strings.Contains(e.ReqHeaders[0], basic("u", secret)) {
			t.Fatalf("credentials became %q", e.ReqHeaders[0])
		}
	})
}

func TestReadHead(t *testing.T) {
	t.Parallel()
	r := bufio.NewReader(strings.NewReader("PUT /a?b HTTP/1.1\r\nX-a: 1\r\nContent-Length: 3\n\nabcGET / HTTP/1.0\r\n\r\n"))
	h, err := recording.ReadHead(r)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&recording.Head{Method: "PUT", Path: "/a?b", Proto: "HTTP/1.1", Headers: []string{"X-a: 1", "Content-Length: 3"}}, h))
	require.Equal(t, "1", h.Header("x-A"))
	b, n, err := h.Body(r)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	text, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "abc", string(text))
	h, err = recording.ReadHead(r)
	require.NoError(t, err)
	b, n, err = h.Body(r)
	require.NoError(t, err)
	require.Nil(t, b)
	require.Zero(t, n)
	_, err = recording.ReadHead(r)
	require.ErrorIs(t, err, io.EOF)

	for _, row := range [][2]string{
		{"GET /", "unexpected EOF"},
		{"GET / HTTP/1.1\r\nA: b\r\n", "unexpected EOF"},
		{"GET\r\n\r\n", `malformed request line "GET"`},
		{"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 2<<20), "request head longer than 1 MiB"},
	} {
		_, err := recording.ReadHead(bufio.NewReader(strings.NewReader(row[0])))
		require.ErrorContains(t, err, row[1])
	}
	for _, length := range []string{"x", "-1", "99999999999999999999"} {
		_, _, err := (&recording.Head{Headers: []string{"Content-Length: " + length}}).Body(r)
		require.ErrorContains(t, err, "bad Content-Length")
	}
	chunked := &recording.Head{Headers: []string{"Transfer-Encoding: chunked"}}
	r = bufio.NewReader(strings.NewReader("3\r\nabc\r\n0\r\nT: x\r\n\r\nnext"))
	b, n, err = chunked.Body(r)
	require.NoError(t, err)
	require.EqualValues(t, -1, n)
	text, err = io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "abc", string(text))
	rest, _ := io.ReadAll(r)
	require.Equal(t, "next", string(rest), "the trailer belongs to the body")
}

// FuzzHead: whatever comes, a request and its body end or are an error, and what
// was read can be written as it was.
func FuzzHead(f *testing.F) {
	f.Add([]byte("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("PATCH /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(strings.NewReader(string(data)))
		for range 100 {
			h, err := recording.ReadHead(r)
			if err != nil {
				return
			}
			if again := h.Method + " " + h.Path + " " + h.Proto; !strings.Contains(string(data), again) {
				t.Fatalf("%q was not there", again)
			}
			b, n, err := h.Body(r)
			if err != nil || b == nil {
				continue
			}
			got, err := io.Copy(io.Discard, b)
			if err == nil && n >= 0 && got != n || got > int64(len(data)) {
				t.Fatalf("%d bytes of %d", got, n)
			}
			if errors.Is(err, io.EOF) {
				t.Fatal("an end in the middle of a body must not look like one")
			}
			if err != nil {
				return
			}
		}
	})
}
