package replay_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// A V1 registry behind TLS, as the rules have it: the push over V1 that was recorded
// on plain HTTP, with the pings that TLS brings and Basic on every request (P-160,
// P-162). Docker also tries plain HTTP on the port; a recorder may call that what it
// likes, or not see it.
func TestV1OverTLS(t *testing.T) {
	t.Parallel()
	for event, reasons := range map[string]int{recording.EventNoRequest: 0, "plain-http-on-tls-port": 0, "": 1} {
		step, err := recording.ReadStep(filepath.Join(recordings, "03-v1-fallback/1-standalone.json"))
		require.NoError(t, err)
		plain := step.Exchanges
		get := func(path string, status int) recording.Exchange {
			e := plain[1]
			e.Path, e.Status, e.RespHeaders, e.RespBody, e.RespLen = path, status, []string{"Connection: close"}, "{}", 2
			return e
		}
		list := []recording.Exchange{get("/v2/", 404)}
		if event != "" {
			list = append(list, recording.Exchange{Event: event})
		}
		list = append(list, get("/v2/", 404), get("/v1/_ping", 200))
		for _, e := range plain[4:] {
			e.ReqHeaders = withBasic(e.ReqHeaders)
			list = append(list, e)
		}
		for i := range list {
			list[i].Seq, list[i].Conn = i+1, i+1
		}
		step.Exchanges = list
		step.Stream = []byte(strings.ReplaceAll(string(step.Stream), "http://HOST", "https://HOST"))
		dir := filepath.Join(t.TempDir(), "scenario")
		require.NoError(t, recording.Write(dir, step))

		v := only(t, replay.Options{Paths: []string{dir}, Images: images})
		require.NoError(t, v.Unplayable)
		require.Empty(t, text(v))
		named := 0
		for _, r := range v.Reasons {
			if strings.HasPrefix(r, "plain-on-tls: ") {
				named++
			}
		}
		require.Equal(t, reasons, named, event)
	}
}

// withBasic is a request's headers with the credentials of nobody in their place.
func withBasic(headers []string) []string {
	const basic = "Authorization: Basic Og=="
	var out []string
	for _, h := range headers {
		switch {
		case strings.HasPrefix(h, "Authorization: "):
			continue
		case strings.HasPrefix(h, "Content-type: "), strings.HasPrefix(h, "Content-Type: "), strings.HasPrefix(h, "X-Docker-Checksum: "),
			strings.HasPrefix(h, "Accept-Encoding: "):
			if !strings.Contains(strings.Join(out, "\n"), basic) {
				out = append(out, basic)
			}
		}
		out = append(out, strings.Replace(h, "http://HOST", "https://HOST", 1))
	}
	return out
}
