package fakeregistry_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A quirkRow says what a quirk changes: see TestQuirks.
type quirkRow struct {
	value      any
	look       func(c *talk) any
	plain, odd any
}

// orneryRows are those of the quirks that Ornery was made for.
func orneryRows() map[string]quirkRow {
	return map[string]quirkRow{
		"session-elsewhere": {true, func(c *talk) any {
			l := c.open("a")
			at := strings.Contains(l, c.server.URL+"/v2/")
			d := c.push("a", "x") // there it works all the same
			return []any{at, c.say("PATCH", l, "x").StatusCode, c.say("HEAD", "/v2/a/blobs/"+d.String(), "").StatusCode}
		}, []any{true, 202, 200}, []any{false, 202, 200}},
		"redirect-blobs": {true, func(c *talk) any {
			d := c.push("a", "x")
			a := c.say("GET", "/v2/a/blobs/"+d.String(), "")
			status := a.StatusCode
			if status == http.StatusTemporaryRedirect {
				a = c.say("GET", a.at(c), "")
			}
			return []any{status, a.body, c.say("HEAD", "/v2/b/blobs/"+d.String(), "").StatusCode}
		}, []any{200, "x", 404}, []any{307, "x", 404}},
		"extra-fields": {true, func(c *talk) any {
			body := c.say("GET", "/v2/a/tags/list", "").body
			return []any{strings.Contains(body, "NAME_UNKNOWN"), strings.Contains(body, "requestId")}
		}, []any{true, false}, []any{true, true}},
		"shuffled-errors": {true, func(c *talk) any {
			first, second := c.say("GET", "/v2/a/tags/list", "").body, c.say("GET", "/v2/a/tags/list", "").body
			before := func(body string) bool {
				return strings.Index(body, "status page") < strings.Index(body, "not known")
			}
			return []any{strings.Count(first, "NAME_UNKNOWN") == 2, before(first) != before(second)}
		}, []any{false, false}, []any{true, true}},
		"header-case": {"lower", func(c *talk) any {
			s := start(c.t, fakeregistry.Config{Registry: c.server.Config.Handler.(fakeregistry.Registry)})
			text := rawPing(c.t, s)
			return []any{
				strings.Contains(text, "\r\ndocker-distribution-api-version: registry/2.0\r\n"),
				strings.Count(strings.ToLower(text), "content-type:"), s.Trace()[0].Response.Header.Get("Content-Type"),
			}
		}, []any{false, 1, "application/json"}, []any{true, 1, "application/json"}},
		"no-length": {true, func(c *talk) any { return c.say("GET", "/v2/", "").ContentLength }, int64(2), int64(-1)},
		"close-every": {int64(2), func(c *talk) any {
			return []any{c.say("GET", "/v2/", "").Close, c.say("GET", "/v2/", "").Close, c.say("GET", "/v2/", "").Close}
		}, []any{false, false, false}, []any{false, true, false}},
		"latency": {int64(40), func(c *talk) any {
			v := virtual(c.t)
			s := start(c.t, fakeregistry.Config{Registry: c.server.Config.Handler.(fakeregistry.Registry), Clock: v})
			begun := v.Now()
			resp, err := timed(c.t, v, s).Get(s.URL() + "/v2/")
			require.NoError(c.t, err)
			resp.Body.Close()
			return v.Now().Sub(begun)
		}, time.Duration(0), 40 * time.Millisecond},
		"throttle": {int64(2), func(c *talk) any {
			var seen []any
			for range 4 {
				a := c.say("GET", "/v2/", "")
				form := ""
				if after := a.Header.Get("Retry-After"); after != "" {
					form = "seconds"
					if _, err := http.ParseTime(after); err == nil {
						form = "date"
					}
				}
				seen = append(seen, a.StatusCode, form)
			}
			return seen
		}, []any{200, "", 200, "", 200, "", 200, ""}, []any{200, "", 429, "seconds", 200, "", 429, "date"}},
	}
}

// rawPing is the answer to a ping as it is on the wire.
func rawPing(t *testing.T, s *fakeregistry.Server) string {
	t.Helper()
	nc, err := net.Dial("tcp", s.Host())
	require.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(bufio.NewReader(nc))
	require.NoError(t, err)
	return string(text)
}

func TestHeaderCaseOfAHostThatSpeaksBoth(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{Quirks: fakeregistry.Quirks{HeaderCase: "upper"}})
	s := start(t, fakeregistry.Config{Registry: fakeregistry.Both(v2, fakeregistry.NewV1(fakeregistry.V1Options{Storage: v2.Storage()}))})
	assert.Contains(t, rawPing(t, s), "\r\nDOCKER-DISTRIBUTION-API-VERSION: registry/2.0\r\n")
}

func TestOrnery(t *testing.T) {
	t.Parallel()
	_, err := fakeregistry.Ornery(1, "min-chunk", "bad-temper")
	require.ErrorContains(t, err, `"bad-temper" is not an oddity; there are relative-location, session-query,`)
	q, err := fakeregistry.Ornery(1, "min-chunk")
	require.NoError(t, err)
	assert.Positive(t, q.MinChunk)
	q.MinChunk = 0
	assert.Zero(t, q, "nothing else is odd")
	seen := map[fakeregistry.Quirks]bool{}
	for seed := range uint64(20) {
		one, err := fakeregistry.Ornery(seed)
		require.NoError(t, err)
		again, err := fakeregistry.Ornery(seed)
		require.NoError(t, err)
		assert.Equal(t, one, again, "the seed decides")
		seen[one] = true
	}
	assert.Greater(t, len(seen), 15, "and seeds differ")
	for _, o := range fakeregistry.OddityList() {
		q, err := fakeregistry.Ornery(3, o.Name)
		require.NoError(t, err)
		assert.NotZero(t, q, o.Name)
		assert.NotEmpty(t, o.Doc)
		assert.NotEmpty(t, o.Law)
	}
}
