package fakeregistry_test

import (
	"maps"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// What each quirk changes, seen from outside: without it the registry answers as
// in plain, with it as in odd.
func TestQuirks(t *testing.T) {
	t.Parallel()
	header := func(name, method, target string) func(c *talk) any {
		return func(c *talk) any { return c.say(method, target, "").Header.Get(name) }
	}
	rows := map[string]quirkRow{
		"relative-location": {true, func(c *talk) any {
			l := c.say("POST", "/v2/a/blobs/uploads/", "").Header.Get("Location")
			return strings.HasPrefix(l, "/v2/a/blobs/uploads/")
		}, false, true},
		"plain-location": {true, func(c *talk) any {
			l := c.open("a")
			c.say("PATCH", l, "xx")
			return c.say("PATCH", l, "yy").StatusCode
		}, 416, 202},
		"location-query": {"_nouploadcache=false", func(c *talk) any {
			u, err := url.Parse(c.open("a"))
			require.NoError(c.t, err)
			require.Equal(c.t, 202, c.say("PATCH", u.String(), "x").StatusCode)
			return u.Query().Get("_nouploadcache")
		}, "", "false"},
		"no-digest-header": {true, func(c *talk) any {
			d := c.push("a", "x")
			return c.say("HEAD", "/v2/a/blobs/"+d.String(), "").Header.Get("Docker-Content-Digest")
		}, digest.FromString("x").String(), ""},
		"no-version-header": {true, header("Docker-Distribution-Api-Version", "GET", "/v2/"), "registry/2.0", ""},
		"manifest-accepted": {true, func(c *talk) any {
			return c.say("PUT", "/v2/a/manifests/t", image(c.push("a", "x"), ""), "Content-Type: "+typeOCI).StatusCode
		}, 201, 202},
		"patch-created":    {true, func(c *talk) any { return c.say("PATCH", c.open("a"), "x").StatusCode }, 202, 201},
		"range-off-by-one": {true, func(c *talk) any { return c.say("PATCH", c.open("a"), "xyz").Header.Get("Range") }, "0-2", "0-3"},
		"range-of-chunk": {true, func(c *talk) any {
			return c.say("PATCH", c.say("PATCH", c.open("a"), "xyz").at(c), "ab").Header.Get("Range")
		}, "0-4", "3-4"},
		"min-chunk": {int64(4), func(c *talk) any {
			a := c.say("POST", "/v2/a/blobs/uploads/", "")
			l := c.say("PATCH", a.at(c), "abcd").at(c)
			l = c.say("PATCH", l, "ab").at(c)
			return []any{a.Header.Get("OCI-Chunk-Min-Length"), c.say("PATCH", l, "abcd").StatusCode}
		}, []any{"", 202}, []any{"4", 416}},
		"max-chunk": {int64(4), func(c *talk) any { return c.say("PATCH", c.open("a"), "abcde").StatusCode }, 202, 416},
		"one-patch": {true, func(c *talk) any { return c.say("PATCH", c.say("PATCH", c.open("a"), "x").at(c), "y").StatusCode }, 202, 416},
		"no-patch":  {true, func(c *talk) any { return c.say("PATCH", c.open("a"), "x").StatusCode }, 202, 405},
		"no-single-post": {true, func(c *talk) any {
			return c.say("POST", "/v2/a/blobs/uploads/?digest="+digest.FromString("x").String(), "x").StatusCode
		}, 201, 202},
		"no-mount": {true, func(c *talk) any {
			return c.say("POST", "/v2/b/blobs/uploads/?from=a&mount="+c.push("a", "x").String(), "").StatusCode
		}, 201, 202},
		"global-blobs": {true, func(c *talk) any { return c.say("HEAD", "/v2/b/blobs/"+c.push("a", "x").String(), "").StatusCode }, 404, 200},
		"no-referrers": {true, func(c *talk) any {
			return c.say("GET", "/v2/a/referrers/"+digest.FromString("x").String(), "").StatusCode
		}, 200, 404},
		"ignore-accept": {true, func(c *talk) any {
			c.say("PUT", "/v2/a/manifests/t", image(c.push("a", "x"), ""), "Content-Type: "+typeOCI)
			return c.say("GET", "/v2/a/manifests/t", "").StatusCode
		}, 404, 200},
		"loose-manifests": {true, func(c *talk) any {
			return c.say("PUT", "/v2/a/manifests/t", image(digest.FromString("absent"), ""), "Content-Type: "+typeOCI).StatusCode
		}, 400, 201},
		"max-tags": {int64(2), func(c *talk) any {
			c.say("PUT", "/v2/a/manifests/t", image(c.push("a", "x"), ""), "Content-Type: "+typeOCI)
			return c.say("GET", "/v2/a/tags/list?n=3", "").StatusCode
		}, 200, 405},
		"distribution-errors": {true, func(c *talk) any {
			return c.say("PUT", "/v2/a/manifests/t", "null", "Content-Type: "+typeOCI).StatusCode
		}, 400, 500},
		"plain-errors": {true, header("Content-Type", "GET", "/v2/a/tags/list"), "application/json", "text/plain; charset=utf-8"},
	}
	maps.Copy(rows, orneryRows())
	for _, q := range fakeregistry.QuirkList() {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			row, ok := rows[q.Name]
			require.True(t, ok, "no test shows this quirk")
			assert.NotEmpty(t, q.Registry)
			assert.NotEmpty(t, q.Doc)
			var quirks fakeregistry.Quirks
			assert.Equal(t, row.plain, row.look(talkTo(t, fakeregistry.NewV2(fakeregistry.V2Options{}))), "without")
			require.NoError(t, q.Set(&quirks, row.value))
			assert.Equal(t, row.odd, row.look(talkTo(t, fakeregistry.NewV2(fakeregistry.V2Options{Quirks: quirks}))), "with")
			require.Error(t, q.Set(&quirks, 1.5))
			require.Error(t, q.Set(&quirks, int64(-1)))
		})
	}
}

// Every field of Quirks is in the list, once, in order.
func TestQuirkListIsComplete(t *testing.T) {
	t.Parallel()
	var fields []string
	for i := range reflect.TypeFor[fakeregistry.Quirks]().NumField() {
		fields = append(fields, reflect.TypeFor[fakeregistry.Quirks]().Field(i).Name)
	}
	var listed []string
	for _, q := range fakeregistry.QuirkList() {
		listed = append(listed, strings.ReplaceAll(q.Name, "-", ""))
		var one fakeregistry.Quirks
		for _, value := range []any{true, int64(1), "x"} {
			if q.Set(&one, value) == nil {
				break
			}
		}
		v := reflect.ValueOf(one)
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				assert.Equal(t, strings.ToLower(fields[i]), listed[len(listed)-1], "the quirk sets another field")
			}
		}
	}
	for i := range fields {
		fields[i] = strings.ToLower(fields[i])
	}
	assert.Equal(t, fields, listed)
}
