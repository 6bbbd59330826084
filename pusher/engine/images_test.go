package engine_test

import (
	"bytes"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/tartest"
)

// Loading says nothing to an old client, and names what came to a newer one;
// archives may be compressed.
func TestLoad(t *testing.T) {
	t.Parallel()
	packed := tartest.Gzip(t, archive(t))
	b := start(t, nil)
	a := b.do("POST", "/v1.20/images/load", bytes.NewReader(packed))
	assert.Equal(t, 200, a.status)
	assert.Empty(t, a.body)
	a = b.do("POST", "/images/load", bytes.NewReader(archive(t)))
	assert.Equal(t, 200, a.status)
	for _, name := range []string{"latest", "env", "two"} {
		assert.Contains(t, a.body, `{"stream":"Loaded image: lib/app:`+name+`\n"}`)
	}
	assert.Equal(t, []string{"lib/app"}, b.store.Repositories())

	for name, body := range map[string]string{"half": string(archive(t)[:100_000]), "text": "hello", "half a gzip": string(packed[:3000])} {
		b := start(t, nil)
		a := b.do("POST", "/images/load", strings.NewReader(body))
		assert.Equal(t, 500, a.status, name)
		assert.Contains(t, a.body, `{"message":"`, name)
		assert.Empty(t, b.store.Repositories(), name)
	}
}

type row struct {
	ID       string `json:"Id"`
	RepoTags []string
	Size     int64
	Labels   map[string]string
}

func (b *bench) list(query string) []string {
	b.t.Helper()
	var rows []row
	b.do("GET", "/images/json"+query, nil).json(b.t, &rows)
	names := []string{}
	for _, r := range rows {
		if len(r.RepoTags) == 0 {
			names = append(names, r.ID[:4])
		}
		names = append(names, r.RepoTags...)
	}
	slices.Sort(names)
	return names
}

// The filters of images/json, in both forms.
func TestList(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	require.NoError(t, b.store.Tag("other.example/x", "v1", id("d3")))
	for query, want := range map[string][]string{
		"":                  {"lib/app:env", "lib/app:latest", "lib/app:two", "other.example/x:v1"},
		"?all=0":            {"lib/app:env", "lib/app:latest", "lib/app:two", "other.example/x:v1"},
		"?filter=lib/app":   {"lib/app:env", "lib/app:latest", "lib/app:two"},
		"?filter=lib/*:two": {"lib/app:two"},
		`?filters={"reference":["lib/app:env","other*/*"]}`:       {"lib/app:env", "other.example/x:v1"},
		`?filters={"reference":{"lib/app:env":true,"no":false}}`:  {"lib/app:env"},
		`?filters={"reference":["none"]}`:                         {},
		`?filters={"dangling":["true"]}`:                          {},
		`?filters={"dangling":["false"],"reference":["*/*:env"]}`: {"lib/app:env"},
		`?filters={"label":["none"]}`:                             {},
	} {
		assert.Equal(t, want, b.list(strings.ReplaceAll(query, `"`, "%22")), query)
	}
	assert.Contains(t, b.list("?all=1"), "5252", "layers in the middle are images, too")
	assert.Equal(t, []string{"5252", "b1b1", "d1d1", "d2d2"}, slices.DeleteFunc(b.list("?all=true"), func(s string) bool { return strings.Contains(s, ":") }))
}

func TestInspectAndHistory(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	var got struct {
		ID           string `json:"Id"`
		Parent       string
		RepoTags     []string
		Architecture string
		RootFS       struct{ Layers []string }
		Size         int64
	}
	for _, name := range []string{"lib/app", "lib/app:latest", id("a4"), "a4a4", "sha256:" + id("a4")} {
		a := b.do("GET", "/images/"+name+"/json", nil)
		require.Equal(t, 200, a.status, name)
		a.json(t, &got)
		assert.Equal(t, id("a4"), got.ID)
		assert.Equal(t, []string{"lib/app:latest"}, got.RepoTags)
		assert.Equal(t, id("e3"), got.Parent)
		assert.Len(t, got.RootFS.Layers, 4)
	}
	a := b.do("GET", "/images/d/json", nil)
	assert.Equal(t, 409, a.status, "d begins three IDs")
	assert.Contains(t, a.body, "give more of it")

	var rows []struct {
		ID   string `json:"Id"`
		Tags []string
		Size int64
	}
	b.do("GET", "/images/lib/app/history", nil).json(t, &rows)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	assert.Equal(t, []string{id("a4"), id("e3"), id("52"), id("b1")}, ids)
	assert.Equal(t, []string{"lib/app:env"}, rows[1].Tags)
}

// An image goes with its last name, its parents with the last that needs them.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	type step struct {
		path   string
		status int
		want   string
	}
	for _, s := range []step{
		{"lib/app:env", 200, `[{"Untagged":"lib/app:env"}]`},
		{id("e3"), 409, "in use"},
		{"lib/app", 200, `[{"Untagged":"lib/app:latest"},{"Deleted":"` + id("a4") + `"},{"Deleted":"` + id("e3") + `"},{"Deleted":"` + id("52") + `"},{"Deleted":"` + id("b1") + `"}]`},
		{"lib/app", 404, "No such image"},
	} {
		a := b.do("DELETE", "/images/"+s.path, nil)
		assert.Equal(t, s.status, a.status, s.path)
		assert.Contains(t, strings.ToLower(a.body), strings.ToLower(s.want), s.path)
	}
	require.NoError(t, b.store.Tag("x", "y", id("d3")))
	a := b.do("DELETE", "/images/"+id("d3"), nil)
	assert.Equal(t, 409, a.status)
	assert.Contains(t, a.body, "must be forced")
	a = b.do("DELETE", "/images/d3d3?force=1", nil)
	assert.Equal(t, 200, a.status)
	left, err := b.store.Layers()
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.Equal(t, []string{}, b.list(""))
}

func TestTag(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	for path, want := range map[string]string{
		"lib/app/tag?repo=127.0.0.1:5000/a/b&tag=v1": "127.0.0.1:5000/a/b:v1",
		"lib/app/tag?repo=127.0.0.1:5000/a/b":        "127.0.0.1:5000/a/b:latest",
		"lib/app/tag?repo=docker.io/library/x:q":     "x:q",
		"d3d3/tag?repo=short":                        "short:latest",
	} {
		assert.Equal(t, 201, b.do("POST", "/images/"+path, nil).status, path)
		assert.Contains(t, b.list(""), want)
	}
	assert.Equal(t, 201, b.do("POST", "/images/d3d3/tag?repo=lib/app&tag=latest", nil).status, "a tag moves")
	tags, err := b.store.Tags("lib/app")
	require.NoError(t, err)
	assert.Equal(t, id("d3"), tags["latest"])
}

// What is saved loads again, and is the same every time.
func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	saved := b.do("GET", "/images/get?names=lib/app", nil)
	require.Equal(t, 200, saved.status)
	assert.Equal(t, "application/x-tar", saved.header.Get("Content-Type"))
	assert.Equal(t, saved.body, b.do("GET", "/images/lib/app/get", nil).body)

	other := start(t, nil)
	require.Equal(t, 200, other.do("POST", "/images/load", strings.NewReader(saved.body)).status)
	assert.Empty(t, cmp.Diff(b.contents(), other.contents()))
	assert.Equal(t, saved.body, other.do("GET", "/images/lib/app/get", nil).body)

	// One tag takes only its own layers; an ID alone has no name.
	other = start(t, nil)
	require.Equal(t, 200, other.do("POST", "/images/load", strings.NewReader(b.do("GET", "/images/lib/app:two/get", nil).body)).status)
	assert.Equal(t, []string{"lib/app:two"}, other.list(""))
	other = start(t, nil)
	require.Equal(t, 200, other.do("POST", "/images/load", strings.NewReader(b.do("GET", "/images/e3e3/get", nil).body)).status)
	assert.Equal(t, []string{"e3e3"}, other.list(""))
}

// contents is everything of a store: layers by ID, and tags.
func (b *bench) contents() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	ids, err := b.store.Layers()
	require.NoError(b.t, err)
	for _, id := range ids {
		l, err := b.store.Layer(id)
		require.NoError(b.t, err)
		all[id] = l.Parent + " " + l.DiffID.String() + " " + string(l.V1JSON)
	}
	for _, repository := range b.store.Repositories() {
		tags, err := b.store.Tags(repository)
		require.NoError(b.t, err)
		for tag := range maps.Keys(tags) {
			all[repository+":"+tag] = tags[tag]
		}
	}
	return all
}

// An import makes an image of one layer of a tar, plain or compressed.
func TestImport(t *testing.T) {
	t.Parallel()
	plain := tartest.Files(t, "hello", "world")
	packed := tartest.Gzip(t, plain)
	var zstdPacked bytes.Buffer
	zw, err := zstd.NewWriter(&zstdPacked)
	require.NoError(t, err)
	_, err = zw.Write(plain)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	for name, body := range map[string][]byte{"plain": plain, "gzip": packed, "zstd": zstdPacked.Bytes()} {
		b := start(t, nil)
		a := b.do("POST", "/images/create?fromSrc=-&repo=base&tag=v1&message="+url.QueryEscape("by hand"), bytes.NewReader(body))
		require.Equal(t, 200, a.status, a.body)
		var said struct{ Status string }
		a.json(t, &said)
		assert.Equal(t, []string{"base:v1"}, b.list(""), name)
		l, err := b.store.Layer(said.Status)
		require.NoError(t, err)
		assert.Contains(t, string(l.V1JSON), `"comment":"by hand"`)
		r, err := b.store.OpenTar(said.Status)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Equal(t, plain, got, name)
	}
	b := start(t, nil)
	for want, body := range map[string]string{
		"the body is not a tar, or is cut short": "hello, this is no tar, and long enough to be none at all" + strings.Repeat(".", 600),
		"unexpected EOF":                         string(plain[:514]),
		"compressed with xz; unpack it":          "\xfd7zXZ\x00.....",
		"flate: corrupt input":                   string(packed[:12]) + "xxxxxxxxxxxxxxxxxxxxxxxx",
	} {
		a := b.do("POST", "/images/create?fromSrc=-&repo=base", strings.NewReader(body))
		assert.Equal(t, 400, a.status, a.body)
		assert.Contains(t, a.body, want)
	}
	a := b.do("POST", "/images/create?fromSrc=-&repo=BASE", bytes.NewReader(plain))
	assert.Equal(t, 400, a.status)
	a = b.do("POST", "/images/create?fromSrc=-", bytes.NewReader(plain))
	assert.Equal(t, 200, a.status, "without a name it has none")
	ids, err := b.store.Layers()
	require.NoError(t, err)
	assert.Len(t, ids, 1, "what failed left nothing")
}
