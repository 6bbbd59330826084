package replay_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

const (
	recordings = "testdata/docker-1.8.3"
	images     = "testdata/images"
)

// Every step that was recorded of Docker 1.8.3 comes out equal: requests, headers,
// connections, bodies, stream, error and digest cache.
func TestDocker18EqualsItsRecordings(t *testing.T) {
	t.Parallel()
	scenarios, err := os.ReadDir(recordings)
	require.NoError(t, err)
	require.Len(t, scenarios, 15)
	for _, s := range scenarios {
		t.Run(s.Name(), func(t *testing.T) {
			t.Parallel()
			report, err := replay.Run(t.Context(), replay.Options{
				Paths: []string{filepath.Join(recordings, s.Name())}, Images: images, TempDir: t.TempDir(),
			})
			require.NoError(t, err)
			steps, err := filepath.Glob(filepath.Join(recordings, s.Name(), "*.jsonl"))
			require.NoError(t, err)
			require.Len(t, report.Verdicts, len(steps))
			for _, v := range report.Verdicts {
				require.NoError(t, v.Unplayable, v.Step)
				for _, d := range v.Diffs {
					t.Errorf("%s: %s", v.Step, d)
				}
			}
			require.Equal(t, len(steps), report.Equal())
		})
	}
}

// An era that pushes another way is found out, by the very steps that are about
// the difference.
func TestAnotherEraDiffers(t *testing.T) {
	t.Parallel()
	patient := pusher.Docker18()
	patient.PingTimeout = 15 * time.Second
	order := pusher.Docker18()
	order.Endpoints = []pusher.EndpointRule{{Scheme: "https", Version: pusher.V2}, {Scheme: "https", Version: pusher.V1}, {Scheme: "http", Version: pusher.V2}, {Scheme: "http", Version: pusher.V1}}
	careless := pusher.Docker18()
	careless.VersionHeader = false
	for _, c := range []struct {
		name, step, where string
		era               pusher.Era
	}{
		{"waits longer", "09-v2-ping/7-timeout.json", "PUT /v1/repositories/lib/app/", patient},
		{"tries V1 over TLS first", "01-first-and-second-push/2-second.json", "tls-client-hello", order},
		{"demands no version header", "09-v2-ping/8-200-other-version.json", "PUT /v1/repositories/lib/app/", careless},
	} {
		v := only(t, replay.Options{Paths: []string{filepath.Join(recordings, c.step)}, Images: images, Era: c.era})
		require.False(t, v.Equal(), c.name)
		require.Contains(t, text(v), c.where, c.name)
	}
}

// Whatever is changed in a recording, the change is found and named.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	const v2, v1 = "01-first-and-second-push/1-first.json", "03-v1-fallback/1-standalone.json"
	find := func(s *recording.Step, request string) *recording.Exchange {
		for i := range s.Exchanges {
			if strings.HasPrefix(s.Exchanges[i].String(), request) {
				return &s.Exchanges[i]
			}
		}
		t.Fatalf("no %s", request)
		return nil
	}
	for _, c := range []struct {
		name, step string
		change     func(*recording.Step)
		want       string // in the text of the differences
	}{
		{"a header's value", v2, func(s *recording.Step) { find(s, "PATCH").ReqHeaders[2] = "Transfer-Encoding: identity" }, "headers\n  - Transfer-Encoding: identity\n  + Transfer-Encoding: chunked"},
		{"a header's spelling", v1, func(s *recording.Step) {
			h := find(s, "PUT /v1/repositories/lib/app/").ReqHeaders
			h[3] = strings.Replace(h[3], "Content-type", "Content-Type", 1)
		}, "headers\n  - Content-Type: application/json\n  + Content-type: application/json"},
		{"the order of headers", v2, func(s *recording.Step) {
			h := find(s, "POST").ReqHeaders
			h[2], h[3] = h[3], h[2]
		}, "POST /v2/lib/app/blobs/uploads/: headers"},
		{"a header more", v2, func(s *recording.Step) {
			e := find(s, "GET /v2/")
			e.ReqHeaders = append(e.ReqHeaders, "X-More: 1")
		}, "- X-More: 1"},
		{"a request that was not made", v2, func(s *recording.Step) {
			s.Exchanges = append(s.Exchanges, recording.Exchange{Seq: 99, Conn: 99, Method: "GET", Path: "/v2/lib/app/tags/list", Status: 200})
		}, "request 99\n  - GET /v2/lib/app/tags/list\n  + nothing"},
		{"a request that was not recorded", v2, func(s *recording.Step) {
			s.Exchanges = s.Exchanges[:len(s.Exchanges)-1]
		}, "- nothing\n  + PUT /v2/lib/app/manifests/latest"},
		{"the order of requests", v1, func(s *recording.Step) {
			n := len(s.Exchanges)
			s.Exchanges[n-1], s.Exchanges[n-2] = s.Exchanges[n-2], s.Exchanges[n-1]
		}, "- nothing\n  + PUT /v1/repositories/lib/app/images"},
		{"a connection that is used again", v2, func(s *recording.Step) { find(s, "POST").Conn = find(s, "GET").Conn }, "connection\n  - 2\n"},
		{"the protocol", v2, func(s *recording.Step) { find(s, "POST").Proto = "HTTP/1.0" }, "protocol\n  - HTTP/1.0\n  + HTTP/1.1"},
		{"a body's digest", v2, func(s *recording.Step) { find(s, "PATCH").ReqSHA256 = strings.Repeat("0", 64) }, "PATCH /v2/lib/app/blobs/uploads/UUID?_state=STATE: body"},
		{"a body's content", v1, func(s *recording.Step) {
			e := find(s, "PUT /v1/repositories/lib/app/tags")
			e.ReqSHA256, e.ReqBody = strings.Repeat("0", 64), `"00"`
		}, "body\n  - \"00\"\n"},
		{"a manifest", v2, func(s *recording.Step) {
			e := find(s, "PUT /v2/lib/app/manifests")
			e.ReqBody = strings.Replace(e.ReqBody, `"schemaVersion": 1`, `"schemaVersion": 7`, 1)
		}, "manifest\n"},
		{"a tarsum", v1, func(s *recording.Step) {
			for i := range s.Exchanges {
				for j, h := range s.Exchanges[i].ReqHeaders {
					s.Exchanges[i].ReqHeaders[j] = strings.Replace(h, "tarsum+sha256:a", "tarsum+sha256:0", 1)
				}
			}
		}, "X-Docker-Checksum: tarsum"},
		{"an object of the stream", v2, func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "Buffering to Disk", "Buffering to disk", 1))
		}, "stream, object 2\n"},
		{"a number in the stream", v1, func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), `"current":525312`, `"current":557056`, 1))
		}, "stream, object 5\n"},
		{"a line end in the stream", v2, func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "}\n", "}\r\n", 1))
		}, "stream, object 1\n"},
		{"the error", "07-manifest-faults/3-401.json", func(s *recording.Step) { s.Error += "!" }, "error\n"},
		{"no error", v2, func(s *recording.Step) { s.Error = "x" }, "error\n  - x\n  + none"},
		{"an event", v2, func(s *recording.Step) { s.Exchanges[0].Event = recording.EventNoRequest }, "conn-without-request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := recording.ReadStep(filepath.Join(recordings, c.step))
			require.NoError(t, err)
			c.change(step)
			dir := filepath.Join(t.TempDir(), "scenario")
			require.NoError(t, recording.Write(dir, step))
			v := only(t, replay.Options{Paths: []string{dir}, Images: images})
			require.NoError(t, v.Unplayable)
			require.False(t, v.Equal())
			require.Contains(t, text(v), c.want)
		})
	}
}

// A step that cannot be played counts as different and says why.
func TestUnplayable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*recording.Step)
		want   string
	}{
		"a command":        {func(s *recording.Step) { s.Input.Argv = []string{"docker", "push"} }, "docker push"},
		"an unknown event": {func(s *recording.Step) { s.Exchanges[1].Event = "solar-flare" }, "exchange 2: event solar-flare is not known"},
		"an image that is not there": {func(s *recording.Step) {
			s.Input.Tag = "other"
			s.Exchanges = s.Exchanges[:2]
		}, "the image of tag other is not among the images in"},
	} {
		step, err := recording.ReadStep(filepath.Join(recordings, "01-first-and-second-push/1-first.json"))
		require.NoError(t, err)
		c.change(step)
		dir := filepath.Join(t.TempDir(), "scenario")
		require.NoError(t, recording.Write(dir, step))
		v := only(t, replay.Options{Paths: []string{dir}, Images: images})
		require.ErrorContains(t, v.Unplayable, c.want, name)
		require.False(t, v.Equal(), name)
	}
	dir := filepath.Join(t.TempDir(), "scenario")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for file, content := range map[string]string{"1.json": "{\n \"step\": 5\n}", "1.jsonl": "", "1.stdout": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
	v := only(t, replay.Options{Paths: []string{dir}, Images: images})
	require.ErrorContains(t, v.Unplayable, "1.json:2: ")
}

// What is missing is an error of the call.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for want, o := range map[string]replay.Options{
		"no recordings":                  {},
		"nowhere":                        {Paths: []string{"nowhere"}},
		"no recording: expected folders": {Paths: []string{empty}},
		"no folder of images beside it":  {Paths: []string{copyOf(t, "01-first-and-second-push/1-first.json")}},
		"it is not a tar archive":        {Paths: []string{recordings}, Images: "testdata/README.md"},
		"no images in":                   {Paths: []string{recordings}, Images: empty},
	} {
		_, err := replay.Run(t.Context(), o)
		require.ErrorContains(t, err, want)
	}
}

// When ctx ends, Run does, and leaves nothing behind.
func TestRunCancelled(t *testing.T) { //nolint:paralleltest // counts goroutines
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := replay.Run(ctx, replay.Options{Paths: []string{recordings}, Images: images, TempDir: dir, Step: func(replay.Verdict) {
		if n++; n == 2 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 2, n)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	for runtime.NumGoroutine() > before { // net/http's end a moment after their connections
		runtime.Gosched()
	}
}

func copyOf(t *testing.T, file string) string {
	t.Helper()
	step, err := recording.ReadStep(filepath.Join(recordings, file))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "a", "b", "c", "d", "e")
	require.NoError(t, recording.Write(dir, step))
	return dir
}

// only plays what has one step.
func only(t *testing.T, o replay.Options) replay.Verdict {
	t.Helper()
	o.TempDir = t.TempDir()
	report, err := replay.Run(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, report.Verdicts, 1)
	return report.Verdicts[0]
}

func text(v replay.Verdict) string {
	var b strings.Builder
	for _, d := range v.Diffs {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}
