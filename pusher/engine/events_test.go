package engine_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type event struct {
	Status, ID, Type, Action string
	Actor                    struct{ ID string }
}

// Events come as they happen, those of before when they are asked for, and only
// those that the filters let through.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	follow := func(query string) *bufio.Reader {
		resp, err := http.DefaultClient.Do(b.request("GET", "/events"+query, nil))
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		return bufio.NewReader(resp.Body)
	}
	all := follow("")
	tags := follow("?filters=" + url.QueryEscape(`{"event":{"tag":true}}`))
	none := follow("?filters=" + url.QueryEscape(`{"type":["container"]}`))
	require.Equal(t, 200, b.do("POST", "/images/load", strings.NewReader(string(archive(t)))).status)
	require.Equal(t, 201, b.do("POST", "/images/lib/app/tag?repo=x", nil).status)
	require.Equal(t, 200, b.do("DELETE", "/images/x", nil).status)
	for _, want := range []string{"load", "load", "load", "tag x:latest", "untag x:latest"} {
		var e event
		line, err := all.ReadBytes('\n')
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(line, &e))
		assert.True(t, strings.HasPrefix(e.Status+" "+e.ID, want), "%s %s, want %s", e.Status, e.ID, want)
		assert.Equal(t, event{Status: e.Status, ID: e.ID, Type: "image", Action: e.Status, Actor: struct{ ID string }{e.ID}}, e)
	}
	line, err := tags.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, `"status":"tag","id":"x:latest"`)
	past := follow("?since=1&filters=" + url.QueryEscape(`{"event":["untag"],"image":["x:latest"]}`))
	line, err = past.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, `"status":"untag"`)

	b.engine.Close() // ends the streams
	for _, r := range []*bufio.Reader{all, tags, none, past} {
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Empty(t, string(rest))
	}
}
