package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// image4 is an image of four layers: "top", "mid", "low", "base".
func image4(id string) []string {
	all := []string{"top", "mid", "low", "base"}
	if i := slices.Index(all, id); i >= 0 {
		return all[i:]
	}
	return nil
}

var archive = map[string]string{"latest": "top", "env": "mid"}

// wireOf makes exchanges of lines like "HEAD a 200": HEAD, POST, PATCH, PUT or
// MANIFEST, a digest or a tag, and a status.
func wireOf(lines ...string) []recording.Exchange {
	list := []recording.Exchange{{Event: recording.EventPlainHello}, {Method: "GET", Path: "/v2/", Status: 200}}
	for _, line := range lines {
		var what, arg string
		var status int
		_, _ = fmt.Sscan(line, &what, &arg, &status)
		e := recording.Exchange{Method: what, Status: status, RespHeaders: []string{"Content-Length: 1"}}
		switch what {
		case "HEAD":
			e.Path = "/v2/lib/app/blobs/sha256:" + arg
		case "POST":
			e.Path = "/v2/lib/app/blobs/uploads/"
		case "PATCH":
			e.Path = "/v2/lib/app/blobs/uploads/UUID?_state=STATE"
		case "PUT":
			e.Path = "/v2/lib/app/blobs/uploads/UUID?_state=STATE&digest=sha256%3A" + arg
		case "MANIFEST":
			e.Method, e.Path = "PUT", "/v2/lib/app/manifests/"+arg
		}
		if strings.HasPrefix(arg, "/") {
			e.Path = arg
		}
		list = append(list, e)
	}
	return list
}

func upload(d string) []string {
	return []string{"POST - 202", "PATCH - 202", "PUT " + d + " 201", "HEAD " + d + " 200"}
}

// What the digest cache held before a step and after it shows in the requests.
func TestReadCache(t *testing.T) {
	t.Parallel()
	d := func(s string) digest.Digest { return digest.Digest("sha256:" + s) }
	type cache = map[string]digest.Digest
	for _, c := range []struct {
		name           string
		lines          []string
		err, stream    string
		carried        cache
		before, after_ cache
	}{
		{
			"a first push", slices.Concat(upload("1"), upload("2"), upload("3"), upload("4"), []string{"MANIFEST latest 201"}), "", "",
			cache{},
			cache{},
			cache{"top": d("1"), "mid": d("2"), "low": d("3"), "base": d("4")},
		},
		{
			"a second push",
			[]string{"HEAD 1 200", "HEAD 2 200", "HEAD 3 200", "HEAD 4 200", "MANIFEST latest 201"},
			"", "",
			cache{},
			cache{"top": d("1"), "mid": d("2"), "low": d("3"), "base": d("4")},
			cache{"top": d("1"), "mid": d("2"), "low": d("3"), "base": d("4")},
		},
		{
			"a stale entry", append([]string{"HEAD 9 404"}, append(upload("1"), "HEAD 2 500")...), "x", "",
			cache{"base": d("4")},
			cache{"top": d("9"), "mid": d("2"), "base": d("4")},
			cache{"top": d("1"), "mid": d("2"), "base": d("4")},
		},
		{
			"what another step left is gone",
			[]string{"POST - 500"},
			"x", "",
			cache{"top": d("1"), "mid": d("2")},
			cache{"mid": d("2")},
			cache{"mid": d("2")},
		},
		{
			"an upload that fails", append(upload("1"), "POST - 202", "PATCH - 500"), "x", "",
			cache{},
			cache{},
			cache{"top": d("1")},
		},
		{
			"a closing HEAD that fails",
			[]string{"POST - 202", "PATCH - 202", "PUT 1 201", "HEAD 1 404"},
			"x", "",
			cache{},
			cache{},
			cache{},
		},
		{
			"redirects that are followed",
			[]string{"HEAD 1 302", "GET /elsewhere 200", "POST - 307", "POST /other 202", "PATCH - 202", "PUT 2 201", "HEAD 2 200", "POST - 500"},
			"x", "",
			cache{},
			cache{"top": d("1")},
			cache{"top": d("1"), "mid": d("2")},
		},
		{
			"garbage", upload("1"), "error getting image checksum: invalid checksum digest format", "",
			cache{},
			cache{"mid": garbageFormat},
			cache{"top": d("1"), "mid": garbageFormat},
		},
		{
			"an unknown algorithm", nil, "error getting image checksum: unsupported digest algorithm", "",
			cache{},
			cache{"top": garbageAlgorithm},
			cache{"top": garbageAlgorithm},
		},
		{
			"no request came through, and none was cached", nil, "x", `{"status":"Buffering to Disk","progressDetail":{},"id":"top"}`,
			cache{"top": d("1")},
			cache{},
			cache{},
		},
		{
			"no request came through, and one was cached", nil, `Head "http://HOST/v2/lib/app/blobs/sha256:7": no`, `{"status":"Image push failed","progressDetail":{},"id":"top"}`,
			cache{},
			cache{"top": d("7")},
			cache{"top": d("7")},
		},
		{
			"V1",
			[]string{"PUT /v1/repositories/lib/app/ 404"},
			"x", "",
			cache{"top": d("1")},
			cache{"top": d("1")},
			cache{"top": d("1")},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step := &recording.Step{Input: recording.Input{Tag: "latest"}, Exchanges: wireOf(c.lines...), Error: c.err, Stream: []byte(c.stream)}
			for i, e := range step.Exchanges {
				switch e.Path {
				case "/elsewhere", "/other":
					step.Exchanges[i-1].RespHeaders = append(step.Exchanges[i-1].RespHeaders, "Location: http://HOST"+e.Path)
				}
			}
			before, after := readCache(step, state{tags: archive}, image4, c.carried)
			require.Empty(t, cmp.Diff(c.before, before), "before")
			require.Empty(t, cmp.Diff(c.after_, after), "after")
		})
	}
}

// All tags, one after the other; the second asks for what the first brought.
func TestReadCacheOfAllTags(t *testing.T) {
	t.Parallel()
	lines := slices.Concat(upload("2"), upload("3"), upload("4"), []string{"MANIFEST env 201"}, upload("1"), []string{"HEAD 2 200", "HEAD 3 200", "HEAD 4 200", "MANIFEST latest 201"})
	step := &recording.Step{Exchanges: wireOf(lines...), Stream: []byte("[HOST/lib/app] (len: 2)")}
	st := tagsBefore(step, archive, image4)
	require.Equal(t, []string{"env", "latest"}, st.order)
	before, after := readCache(step, st, image4, map[string]digest.Digest{})
	require.Empty(t, before)
	require.Len(t, after, 4)
}

// Which tags there were, and where they pointed.
func TestTagsBefore(t *testing.T) {
	t.Parallel()
	manifest := func(tag string, ids ...string) recording.Exchange {
		var history []string
		for _, id := range ids {
			history = append(history, fmt.Sprintf(`{"v1Compatibility":"{\"id\":\"%s\"}"}`, id))
		}
		return recording.Exchange{Method: "PUT", Path: "/v2/lib/app/manifests/" + tag, ReqBody: `{"history":[` + strings.Join(history, ",") + `]}`}
	}
	list := recording.Exchange{Method: "PUT", Path: "/v1/repositories/lib/app/", ReqBody: `[{"id":"base"},{"id":"low","Tag":"b"},{"id":"mid","Tag":"a"}]`}
	for _, c := range []struct {
		name      string
		tag       string
		exchanges []recording.Exchange
		err       string
		stream    string
		want      map[string]string
		order     []string
		absent    []string
	}{
		{"the tag asked for", "env", nil, "", "", map[string]string{"env": "mid"}, nil, nil},
		{"a tag that there is not", "other", nil, "error getting tags for HOST/lib/app: Tag does not exist for other", "", map[string]string{"latest": "top"}, nil, nil},
		{"a tag that there is not, over V1", "other", nil, "No images found for the requested repository / tag", "", map[string]string{"latest": "top"}, nil, nil},
		{"no repository", "x", nil, "Repository does not exist: HOST/no/such", "", map[string]string{}, nil, nil},
		{"a tag of the recording's own", "v1", []recording.Exchange{manifest("v1", "low", "base")}, "", "", map[string]string{"v1": "low"}, []string{"v1"}, nil},
		{"every tag", "", []recording.Exchange{manifest("b", "low", "base"), manifest("a", "mid", "low", "base")}, "", "x [HOST/lib/app] (len: 2)", map[string]string{"a": "mid", "b": "low"}, []string{"b", "a"}, nil},
		{"every tag, over V1", "", []recording.Exchange{list}, "", "x [HOST/lib/app] (len: 2)", map[string]string{"a": "mid", "b": "low"}, []string{"b", "a"}, nil},
		{"none of them came through", "", nil, "x", `x [HOST/lib/app] (len: 2) {"id":"top"}{"id":"mid"}`, map[string]string{"latest": "top", "env": "mid"}, []string{"latest", "env"}, nil},
		{"one is a digest reference", "", []recording.Exchange{manifest("latest", "top", "mid", "low", "base")}, "", "x [HOST/lib/app] (len: 2)", map[string]string{"latest": "top", "sha256:" + strings.Repeat("0", 64): "top"}, []string{"latest"}, nil},
		{"an image that is lost", "latest", nil, "could not find image: no such id: top", "", map[string]string{"latest": "top"}, nil, []string{"top"}},
		{"an image that is lost, over V1", "latest", nil, "No images found for the requested repository / tag", "", map[string]string{"latest": "top"}, nil, []string{"top"}},
		{"a parent that is lost", "latest", []recording.Exchange{manifest("latest", "top", "mid")}, "", "", map[string]string{"latest": "top"}, []string{"latest"}, []string{"low"}},
		{"a parent that is lost, over V1", "latest", []recording.Exchange{{Method: "PUT", Path: "/v1/repositories/lib/app/", ReqBody: `[{"id":"mid"},{"id":"top","Tag":"latest"}]`}}, "", "", map[string]string{"latest": "top"}, []string{"latest"}, []string{"low"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step := &recording.Step{Input: recording.Input{Tag: c.tag}, Exchanges: c.exchanges, Error: c.err, Stream: []byte(c.stream)}
			st := tagsBefore(step, archive, image4)
			require.Empty(t, cmp.Diff(c.want, st.tags))
			require.Equal(t, c.order, st.order)
			require.Equal(t, c.absent, absentLayers(step, st, image4))
		})
	}
}

// How far a transfer got that was broken off, or answered early, is no difference;
// that it began another way is.
func TestCutOff(t *testing.T) {
	t.Parallel()
	at := func(n int) string {
		return fmt.Sprintf(`{"status":"Pushing","progressDetail":{"current":%d,"total":9},"id":"top"}`, n)
	}
	const failed = `{"errorDetail":{"message":"x"},"error":"x"}`
	broken := []recording.Exchange{{Method: "PATCH", Path: "/x", ReqLen: 5}}
	answered := []recording.Exchange{{Method: "PATCH", Path: "/x", ReqHeaders: []string{"Transfer-Encoding: chunked"}, Status: 500}}
	for _, c := range []struct {
		name             string
		exchanges        []recording.Exchange
		recorded, played string
		diffs            int
		why              []reason
	}{
		{"broken sooner", broken, at(1) + at(2) + failed, at(1) + failed, 0, []reason{resetProgress}},
		{"broken later", broken, at(1) + failed, at(1) + at(2) + at(3) + failed, 0, []reason{resetProgress}},
		{"broken at once", broken, failed, at(1) + failed, 0, []reason{resetProgress}},
		{"broken alike", broken, at(1) + failed, at(1) + failed, 0, nil},
		{"another transfer", broken, at(1) + at(2) + failed, at(3) + failed, 1, nil},
		{"answered early", answered, at(1) + at(9) + failed, at(1) + at(2) + at(9) + failed, 0, []reason{earlyProgress}},
		{"neither", nil, at(1) + failed, at(1) + at(2) + failed, 1, nil},
		{"another error", broken, at(1) + failed, at(1) + strings.ReplaceAll(failed, "x", "y"), 2, nil},
	} {
		d := &comparison{step: &recording.Step{Exchanges: c.exchanges, Stream: []byte(c.recorded), Error: "x"}, host: "a:1"}
		d.streams([][]byte{[]byte(c.played)})
		require.Len(t, d.diffs, c.diffs, c.name)
		require.Equal(t, c.why, d.reasons, c.name)
	}
}

// The words for a broken connection, on every side of it.
func TestSameError(t *testing.T) {
	t.Parallel()
	const put, from = `Put "http://HOST/x": `, "127.0.0.1:EPHEMERAL->HOST: "
	reset := put + "read tcp " + from + "read: connection reset by peer"
	for played, want := range map[string]bool{
		reset: true,
		put + "write tcp " + from + "write: broken pipe":                 true,
		put + "write tcp " + from + "use of closed network connection":   true,
		put + "readfrom tcp " + from + "write: connection reset by peer": true,
		put + "EOF": true,
		`Put "http://HOST/y": read tcp ` + from + "read: connection reset by peer": false,
		put + "context deadline exceeded":                                          false,
		"":                                                                         false,
	} {
		same, why := sameError(reset, played)
		require.Equal(t, want, same, played)
		require.Equal(t, want && played != reset, why != "", played)
	}
	same, _ := sameError("boom", "EOF")
	require.False(t, same)
}

func TestToHost(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1:5000"
	for in, want := range map[string]string{
		"http://127.0.0.1:5000/v2/":                  "http://HOST/v2/",
		"tcp 127.0.0.1:41234->127.0.0.1:5000: reset": "tcp 127.0.0.1:EPHEMERAL->HOST: reset",
		`tcp 127.0.0.1:41234-\u003e127.0.0.1:5000`:   `tcp 127.0.0.1:EPHEMERAL-\u003eHOST`,
		"127.0.0.1:41234":                            "127.0.0.1:41234",
		"127.0.0.1:":                                 "127.0.0.1:",
	} {
		require.Equal(t, want, toHost(in, host))
	}
}

// An answer is as long as it was, lies included.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		e            recording.Exchange
		length, body string
		close, reset bool
	}{
		{"whole", recording.Exchange{Status: 200, RespHeaders: []string{"Content-Length: 4"}, RespLen: 4, RespBody: "HOST"}, "6", "a:5000", false, false},
		{"to a HEAD", recording.Exchange{Method: "HEAD", Status: 200, RespHeaders: []string{"Content-Length: 4"}}, "4", "", false, false},
		{"without a length", recording.Exchange{Status: 200, RespLen: 2, RespBody: "{}"}, "", "{}", true, false},
		{"cut off", recording.Exchange{Status: 500, RespHeaders: []string{"Content-Length: 9"}, RespLen: 2, RespBody: "ab"}, "9", "ab", true, false},
		{"cut off with a reset", recording.Exchange{Status: 500, RespHeaders: []string{"Content-Length: 9"}, RespLen: 2, RespBody: "ab", Err: "recorder reset the connection within the response"}, "9", "ab", true, true},
		{"kept whole and cut off", recording.Exchange{Status: 500, RespHeaders: []string{"Content-Length: 4"}, RespLen: 4, RespBody: "abcd", Err: "recorder cut the response after 3 bytes"}, "4", "abc", true, false},
		{"not kept", recording.Exchange{Status: 200, RespHeaders: []string{"Content-Length: 3", "Connection: close"}, RespLen: 3}, "3", "   ", true, false},
		{"of unknown length", recording.Exchange{Status: 200, RespHeaders: []string{"Content-Length: 7"}, RespLen: -1, RespBody: "TOKEN"}, "5", "TOKEN", false, false},
	} {
		a := newAnswer(c.e, "a:5000")
		require.Equal(t, c.body, string(a.body), c.name)
		require.Equal(t, c.close, a.close, c.name)
		require.Equal(t, c.reset, a.reset, c.name)
		if c.length != "" {
			require.Contains(t, string(a.head), "Content-Length: "+c.length+"\r\n", c.name)
		}
	}
}
