package fakeregistry_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A talk is a conversation with a registry over a real connection.
type talk struct {
	t      *testing.T
	server *httptest.Server
	header http.Header // of every request
}

// An answer is what a registry said, body and all.
type answer struct {
	*http.Response
	body string
}

func talkTo(t *testing.T, r fakeregistry.Registry) *talk {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, r.Close())
	})
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &talk{t: t, server: s, header: http.Header{}}
}

// say makes a request; headers are "Name: value".
func (c *talk) say(method, target, body string, headers ...string) answer {
	c.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = c.server.URL + target
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value}
	}
	resp, err := c.server.Client().Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return answer{resp, string(b)}
}

// open starts an upload session and returns its location.
func (c *talk) open(repository string) string {
	c.t.Helper()
	a := c.say("POST", "/v2/"+repository+"/blobs/uploads/", "")
	require.Equal(c.t, 202, a.StatusCode)
	return a.at(c)
}

// at is an answer's location, whole.
func (a answer) at(c *talk) string {
	c.t.Helper()
	u, err := a.Request.URL.Parse(a.Header.Get("Location"))
	require.NoError(c.t, err)
	return u.String()
}

func withDigest(location, content string) string {
	u, err := url.Parse(location)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set("digest", digest.FromString(content).String())
	u.RawQuery = q.Encode()
	return u.String()
}

// push stores a blob.
func (c *talk) push(repository, content string) digest.Digest {
	c.t.Helper()
	require.Equal(c.t, 201, c.say("PUT", withDigest(c.open(repository), content), content).StatusCode)
	return digest.FromString(content)
}

const (
	typeOCI     = "application/vnd.oci.image.manifest.v1+json"
	typeIndex   = "application/vnd.oci.image.index.v1+json"
	typeSchema2 = "application/vnd.docker.distribution.manifest.v2+json"
)

// image is an OCI manifest of one blob that is config and layer at once.
func image(blob digest.Digest, more string) string {
	d := `{"mediaType":"application/vnd.oci.image.config.v1+json","size":1,"digest":"` + blob.String() + `"}`
	return `{"schemaVersion":2,"mediaType":"` + typeOCI + `","config":` + d + `,"layers":[` + d + `]` + more + `}`
}

// The details in error envelopes, which no generated request compares.
func TestErrorDetails(t *testing.T) {
	t.Parallel()
	c := talkTo(t, fakeregistry.NewV2(fakeregistry.V2Options{Delete: true, Accepts: []fakeregistry.Format{fakeregistry.OCI}}))
	x, other := digest.FromString("x").String(), digest.FromString("other").String()
	l := c.open("a")
	for want, got := range map[string]answer{
		`{"code":"BLOB_UNKNOWN","message":"blob unknown to registry","detail":"` + x + `"}`:                                                                                                     c.say("GET", "/v2/a/blobs/"+x, ""),
		`{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"a"}}`:                                                                                       c.say("GET", "/v2/a/tags/list", ""),
		`{"code":"UNSUPPORTED","message":"n is not a number from 0 on","detail":{"n":-1}}`:                                                                                                      c.say("GET", "/v2/a/tags/list?n=-1", ""),
		`{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":"unknown tag=t"}`:                                                                                                     c.say("GET", "/v2/a/manifests/t", ""),
		`{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":"unknown manifest name=a revision=` + x + `"}`:                                                                        c.say("GET", "/v2/a/manifests/"+x, ""),
		`{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content","detail":"digest missing"}`:                                                                        c.say("PUT", l, ""),
		`{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content","detail":"digest parsing failed"}`:                                                                 c.say("PUT", l+"&digest=y", ""),
		`{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content","detail":"invalid digest for referenced layer: ` + other + `, content does not match digest"}`:     c.say("PUT", l+"&digest="+other, "x"),
		`{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown to registry","detail":"blob upload unknown"}`:                                                                             c.say("GET", "/v2/a/blobs/uploads/none", ""),
		`{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":"invalid secret"}`:                                                                                              c.say("PATCH", "/v2/a/blobs/uploads/none", "x"),
		`{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"` + x + `"},{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"` + x + `"}`: c.say("PUT", "/v2/a/manifests/t", image(digest.Digest(x), ""), "Content-Type: "+typeOCI),
		`{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"unsupported manifest media type and no default available: x/y"}`:                                                     c.say("PUT", "/v2/a/manifests/t", "{}", "Content-Type: x/y"),
		`{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"this registry takes no schema2 manifests"}`:                                                                          c.say("PUT", "/v2/a/manifests/t", `{"schemaVersion":2,"mediaType":"`+typeSchema2+`"}`, "Content-Type: "+typeSchema2),
		`{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}`:                                                                                                                              c.say("DELETE", "/v2/a/manifests/t", ""),
	} {
		assert.Equal(t, `{"errors":[`+want+"]}\n", got.body)
		assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	}
}

// A manifest's deletion takes all tags that name it, and no others; its blobs
// stay.
func TestDeleteManifest(t *testing.T) {
	t.Parallel()
	r := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true})
	c := talkTo(t, r)
	blob := c.push("a", "x")
	put := func(tag, more string) string {
		a := c.say("PUT", "/v2/a/manifests/"+tag, image(blob, more), "Content-Type: "+typeOCI)
		require.Equal(t, 201, a.StatusCode)
		return a.Header.Get("Docker-Content-Digest")
	}
	one := put("one", "")
	require.Equal(t, one, put("uno", ""))
	put("two", `,"annotations":{"a":"b"}`)
	require.Equal(t, 202, c.say("DELETE", "/v2/a/manifests/"+one, "").StatusCode)
	assert.Equal(t, `{"name":"a","tags":["two"]}`+"\n", c.say("GET", "/v2/a/tags/list", "").body)
	assert.Equal(t, 404, c.say("GET", "/v2/a/manifests/"+one, "", "Accept: "+typeOCI).StatusCode)
	assert.Equal(t, 200, c.say("GET", "/v2/a/blobs/"+blob.String(), "").StatusCode)
	require.Equal(t, 202, c.say("DELETE", "/v2/a/manifests/two", "").StatusCode)
	assert.Equal(t, `{"name":"a","tags":[]}`+"\n", c.say("GET", "/v2/a/tags/list", "").body)
	require.Len(t, r.Storage().Manifests("a"), 1, "a tag's deletion leaves the manifest")
}

// Referrers are listed by subject and filtered by type.
func TestReferrers(t *testing.T) {
	t.Parallel()
	c := talkTo(t, fakeregistry.NewV2(fakeregistry.V2Options{}))
	blob := c.push("a", "x")
	subject := digest.FromString("subject")
	refer := `,"subject":{"mediaType":"` + typeOCI + `","size":7,"digest":"` + subject.String() + `"}`
	typed := c.say("PUT", "/v2/a/manifests/typed", image(blob, refer+`,"artifactType":"x/y","annotations":{"k":"v"}`), "Content-Type: "+typeOCI)
	require.Equal(t, 201, typed.StatusCode)
	assert.Equal(t, subject.String(), typed.Header.Get("OCI-Subject"))
	plain := c.say("PUT", "/v2/a/manifests/plain", image(blob, refer), "Content-Type: "+typeOCI)
	require.Equal(t, 201, plain.StatusCode)
	require.Equal(t, 201, c.say("PUT", "/v2/a/manifests/other", image(blob, ""), "Content-Type: "+typeOCI).StatusCode)
	type entry struct {
		Digest, ArtifactType string
		Size                 int
		Annotations          map[string]string
	}
	list := func(query string) map[string]entry {
		a := c.say("GET", "/v2/a/referrers/"+subject.String()+query, "")
		require.Equal(t, 200, a.StatusCode)
		require.Equal(t, typeIndex, a.Header.Get("Content-Type"))
		var doc struct{ Manifests []entry }
		require.NoError(t, json.Unmarshal([]byte(a.body), &doc))
		require.NotNil(t, doc.Manifests)
		m := map[string]entry{}
		for _, e := range doc.Manifests {
			m[e.Digest] = e
		}
		return m
	}
	all := list("")
	require.Len(t, all, 2)
	got := all[typed.Header.Get("Docker-Content-Digest")]
	assert.Equal(t, "x/y", got.ArtifactType)
	assert.Equal(t, map[string]string{"k": "v"}, got.Annotations)
	assert.Equal(t, "application/vnd.oci.image.config.v1+json", all[plain.Header.Get("Docker-Content-Digest")].ArtifactType)
	require.Len(t, list("?artifactType=x/y"), 1)
	require.Empty(t, list("?artifactType=none"))
	assert.Equal(t, "artifactType", c.say("GET", "/v2/a/referrers/"+subject.String()+"?artifactType=x", "").Header.Get("OCI-Filters-Applied"))
	assert.Equal(t, 400, c.say("GET", "/v2/a/referrers/sha256:00", "").StatusCode)
}

// An upload goes on after a broken connection, with what had arrived.
func TestResumeAfterBreak(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{})
	c := talkTo(t, v2)
	want := strings.Repeat("0123456789", 20_000)
	l := c.open("a")
	req, err := http.NewRequestWithContext(t.Context(), "PATCH", l, io.MultiReader(strings.NewReader(want[:100_000]), brokenReader{}))
	require.NoError(t, err)
	req.ContentLength = int64(len(want))
	_, err = c.server.Client().Do(req) //nolint:bodyclose // there is no response
	require.Error(t, err)
	var status answer
	require.Eventually(t, func() bool { // the server takes a moment to hear of it
		status = c.say("GET", l, "")
		return status.StatusCode == 204 && status.Header.Get("Range") == "0-99999"
	}, 10e9, 1e6)
	a := c.say("PATCH", status.at(c), want[100_000:], "Content-Range: 100000-199999")
	require.Equal(t, 202, a.StatusCode)
	require.Equal(t, "0-199999", a.Header.Get("Range"))
	require.Equal(t, 201, c.say("PUT", withDigest(a.at(c), want), "").StatusCode)
	assert.True(t, bytes.Equal([]byte(want), readBlob(t, v2.Storage(), "a", digest.FromString(want))))
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// What a storage cannot keep is told as distribution tells it, docker's "no space
// left on device" included.
func TestStorageErrorsAreTold(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{})
	c := talkTo(t, v2)
	blob := c.push("a", "x")
	l, other := c.open("a"), c.open("a")
	for op, ask := range map[fakeregistry.StorageOp]func() answer{
		fakeregistry.StorageBegin:    func() answer { return c.say("POST", "/v2/a/blobs/uploads/", "") },
		fakeregistry.StorageWrite:    func() answer { return c.say("PATCH", l, "x") },
		fakeregistry.StorageCommit:   func() answer { return c.say("PUT", withDigest(other, "y"), "y") },
		fakeregistry.StorageManifest: func() answer { return c.say("PUT", "/v2/a/manifests/t", image(blob, ""), "Content-Type: "+typeOCI) },
		fakeregistry.StorageTag:      func() answer { return c.say("PUT", "/v2/a/manifests/t", image(blob, ""), "Content-Type: "+typeOCI) },
		fakeregistry.StorageRead:     func() answer { return c.say("GET", "/v2/a/blobs/"+blob.String(), "") },
		fakeregistry.StorageStat:     func() answer { return c.say("GET", "/v2/a/blobs/"+blob.String(), "") },
	} {
		v2.Storage().SetHook(failOn(op))
		a := ask()
		v2.Storage().SetHook(nil)
		assert.Equal(t, 500, a.StatusCode, op)
		assert.Equal(t, `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"no space left on device"}]}`+"\n", a.body, op)
	}
}

// What docker 1.8.3 signed has the digest that docker printed, and reads back with
// its signature, pushed or put there from behind.
func TestDocker18Manifest(t *testing.T) {
	t.Parallel()
	signed, err := os.ReadFile("../internal/schema1/testdata/docker-1.8.3-latest.signed.json")
	require.NoError(t, err)
	const want = "sha256:87ebe2d3daff342a83fda09bf68f55bf43d48b12bf2a4b445b79fb34ab880f26"
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{Quirks: fakeregistry.Quirks{LooseManifests: true}})
	for _, mediaType := range []string{"", "application/vnd.docker.distribution.manifest.v1+prettyjws"} {
		d, err := v2.Storage().PutManifest("seeded", "latest", fakeregistry.ManifestInfo{MediaType: mediaType}, signed)
		require.NoError(t, err)
		assert.Equal(t, want, d.String())
	}
	c := talkTo(t, v2)
	put := c.say("PUT", "/v2/pushed/manifests/latest", string(signed)) // without Content-Type, as docker did
	require.Equal(t, 201, put.StatusCode)
	assert.Equal(t, want, put.Header.Get("Docker-Content-Digest"))
	for _, repository := range []string{"seeded", "pushed"} {
		got := c.say("GET", "/v2/"+repository+"/manifests/latest", "")
		assert.Equal(t, "application/vnd.docker.distribution.manifest.v1+prettyjws", got.Header.Get("Content-Type"))
		assert.Equal(t, want, got.Header.Get("Docker-Content-Digest"))
		assert.Equal(t, string(signed), got.body)
		_, body, err := v2.Storage().Manifest(repository, want)
		require.NoError(t, err)
		assert.Len(t, body, 4544, "without signatures")
	}
}
