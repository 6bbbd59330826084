package replay_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// pings is a step of a client that asks twice.
func pings() *recording.Step {
	get := recording.Exchange{
		Conn: 1, Method: "GET", Proto: "HTTP/1.1", Status: 200,
		ReqHeaders: []string{"Host: HOST", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"},
	}
	first, second := get, get
	first.Seq, first.Path = 1, "/token"
	first.RespBody, first.RespHeaders = `{"issued_at":"DATE","token":"TOKEN","realm":"http://HOST/"}`, []string{"Content-Length: 59", "Expires: DATE"}
	second.Seq, second.Path = 2, "/v2/"
	second.RespHeaders = []string{"Content-Length: 0"}
	return &recording.Step{Name: "1", Scenario: "s", Scheme: "http", Exit: 3, Exchanges: []recording.Exchange{first, second}}
}

func ask(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

func serve(t *testing.T, step *recording.Step) *replay.Served {
	t.Helper()
	s, err := replay.Serve(t.Context(), step, replay.ServeOptions{Clock: clock.NewVirtual(clock.Epoch)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A recorded registry answers with what holds now where words stand for it, and
// says what was other than recorded: the order alone is not.
func TestServe(t *testing.T) {
	t.Parallel()
	s := serve(t, pings())
	assert.Nil(t, s.CA())
	ask(t, "http://"+s.Host()+"/v2/")
	resp, body := ask(t, "http://"+s.Host()+"/token")
	assert.Equal(t, `{"issued_at":"`+clock.Epoch.UTC().Format(time.RFC3339)+`","token":"TOKEN","realm":"http://`+s.Host()+`/"}`, body)
	_, err := http.ParseTime(resp.Header.Get("Expires"))
	require.NoError(t, err)
	v := s.Verdict(3)
	assert.True(t, v.Equal(), v.Diffs)
	assert.Len(t, v.Reasons, 1)
	assert.Contains(t, v.Reasons[0], "racing-requests")
}

func TestServeDiffers(t *testing.T) {
	t.Parallel()
	s := serve(t, pings())
	ask(t, "http://"+s.Host()+"/v2/")
	resp, _ := ask(t, "http://"+s.Host()+"/v3/")
	assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	v := s.Verdict(0)
	var all []string
	for _, d := range v.Diffs {
		all = append(all, d.String())
	}
	assert.Equal(t, []string{
		"request 1\n  - GET /token\n  + nothing",
		"request 2 of the client\n  - nothing\n  + GET /v3/",
		"exit code\n  - 3\n  + 0",
	}, all)
}

func TestServeErrors(t *testing.T) {
	t.Parallel()
	binary := pings()
	binary.Exchanges[0].RespBody, binary.Exchanges[0].RespLen = "", 9
	for want, row := range map[string]struct {
		step    *recording.Step
		options replay.ServeOptions
	}{
		"exchange 1, GET /token: the 9 bytes of its answer were not recorded": {binary, replay.ServeOptions{}},
		"it is broken":               {&recording.Step{Unreadable: errors.New("it is broken")}, replay.ServeOptions{}},
		"want HOST:PORT":             {pings(), replay.ServeOptions{Listen: "x"}},
		"other machines could reach": {pings(), replay.ServeOptions{Listen: "0.0.0.0:0"}},
	} {
		_, err := replay.Serve(t.Context(), row.step, row.options)
		require.ErrorContains(t, err, want)
		v := replay.Unservable(row.step, err)
		require.False(t, v.Equal())
		require.ErrorContains(t, v.Unplayable, want)
	}
}
