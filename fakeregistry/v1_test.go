package fakeregistry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/recording"
)

// payloadChecksum is what X-Docker-Checksum-Payload must say.
func payloadChecksum(document, layer string) string {
	sum := sha256.Sum256([]byte(document + "\n" + layer))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Docker 1.8.3's pushes to the Python registry, as they were recorded, are answered
// as that registry answered them. Layers are others, as recordings leave them out.
func TestV1AnswersAsPython(t *testing.T) {
	t.Parallel()
	found, err := recording.Find("../scenarios/replay/testdata/docker-1.8.3/13-v1-python-docker-registry")
	require.NoError(t, err)
	require.Len(t, found, 1)
	var c *talk
	var documents map[string]string // by image
	compared := 0
	for _, step := range found[0].Steps {
		require.NoError(t, step.Unreadable)
		if step.Name == "1-first" || step.Name == "5-layer-reset" { // the others go on where these ended
			c = talkTo(t, fakeregistry.NewV1(fakeregistry.V1Options{PayloadOnly: true}))
			documents = map[string]string{}
		}
		for _, e := range step.Exchanges {
			if e.Event == "" {
				playV1(t, c, step.Name, e, documents)
				compared++
			}
		}
	}
	require.Greater(t, compared, 50)
}

func playV1(t *testing.T, c *talk, step string, e recording.Exchange, documents map[string]string) {
	t.Helper()
	_, rest, _ := strings.Cut(e.Path, "/v1/images/")
	id, what, _ := strings.Cut(rest, "/")
	layer := "layer of " + id
	body := e.ReqBody
	headers := []string{"Authorization: Token Token signature=ANY,repository=\"lib/app\",access=write"}
	switch {
	case what == "json" && e.Method == "PUT":
		documents[id] = body
	case what == "layer" && e.Status == 0:
		req, err := http.NewRequestWithContext(t.Context(), e.Method, c.server.URL+e.Path, io.MultiReader(strings.NewReader(layer), brokenReader{}))
		require.NoError(t, err)
		_, err = c.server.Client().Do(req) //nolint:bodyclose // there is no response
		require.Error(t, err)
		return
	case what == "layer":
		body = layer
	case what == "checksum":
		headers = append(headers, "X-Docker-Checksum-Payload: "+payloadChecksum(documents[id], layer))
	}
	got := c.say(e.Method, e.Path, body, headers...)
	want := map[string]string{"status": http.StatusText(e.Status), "body": e.RespBody}
	for _, h := range e.RespHeaders {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "X-Docker-Checksum-Payload":
			value = payloadChecksum(documents[id], layer)
		case "X-Docker-Size":
			value = strconv.Itoa(len(layer))
		}
		want[name] = value
	}
	heard := map[string]string{"status": http.StatusText(got.StatusCode), "body": got.body}
	for name := range got.Header {
		heard[name] = scrubV1(c, got.Header.Get(name))
	}
	for _, name := range []string{"Connection", "Content-Length", "Date", "Server"} { // the web server's
		delete(want, name)
		delete(heard, name)
	}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Errorf("%s, request %d: %s %s: python (-), ours (+):\n%s", step, e.Seq, e.Method, e.Path, diff)
	}
}

func scrubV1(c *talk, value string) string {
	value = strings.ReplaceAll(value, strings.TrimPrefix(c.server.URL, "http://"), "HOST")
	value = regexp.MustCompile(`signature=[A-Z0-9]{16},`).ReplaceAllString(value, "signature=SIG,")
	return regexp.MustCompile(`^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$`).ReplaceAllString(value, "DATE")
}

// A vector is an image as docker 1.8.3 pushed it over V1.
type vector struct {
	ID       string // in the index its beginning
	Tarsum   string `json:"checksum"`
	Payload  string
	document string
	layer    string
}

// vectors are three images that build on each other, base first.
func vectors(t *testing.T) []vector {
	t.Helper()
	dir := filepath.Join("..", "internal", "tarsum", "testdata")
	index, err := os.ReadFile(filepath.Join(dir, "docker-1.8.3.json"))
	require.NoError(t, err)
	var all, chain []vector
	require.NoError(t, json.Unmarshal(index, &all))
	for _, name := range []string{"d1", "d2", "d3"} {
		for _, v := range all {
			if !strings.HasPrefix(v.ID, name) {
				continue
			}
			document, err := os.ReadFile(filepath.Join(dir, v.ID+".json"))
			require.NoError(t, err)
			layer, err := os.ReadFile(filepath.Join(dir, v.ID+".layer.gz"))
			require.NoError(t, err)
			v.document, v.layer = string(document), string(layer)
			require.NoError(t, json.Unmarshal(document, &struct{ ID *string }{&v.ID}))
			chain = append(chain, v)
		}
	}
	require.Len(t, chain, 3)
	return chain
}

// pushV1 pushes an image as docker does, but for the index.
func (c *talk) pushV1(v vector) {
	c.t.Helper()
	at := "/v1/images/" + v.ID
	require.Equal(c.t, "true", c.say("PUT", at+"/json", v.document).body)
	require.Equal(c.t, "true", c.say("PUT", at+"/layer", v.layer).body)
	require.Equal(c.t, "true", c.say("PUT", at+"/checksum", "", "X-Docker-Checksum: "+v.Tarsum, "X-Docker-Checksum-Payload: "+v.Payload).body)
}

// What docker 1.8.3 sent verifies, tarsum and payload, and can be read back whole.
func TestV1ReadsBack(t *testing.T) {
	t.Parallel()
	r := fakeregistry.NewV1(fakeregistry.V1Options{})
	c := talkTo(t, r)
	chain := vectors(t)
	require.Equal(t, 200, c.say("PUT", "/v1/repositories/app/", `[{"id":"`+chain[0].ID+`"},{"id":"`+chain[1].ID+`"},{"id":"`+chain[2].ID+`","Tag":"two"},{"id":"`+chain[2].ID+`","Tag":"dos"}]`).StatusCode)
	for _, v := range chain {
		c.pushV1(v)
		got, ok := r.Image(v.ID)
		require.True(t, ok)
		assert.True(t, got.Complete)
		assert.Equal(t, v.Payload, got.Checksum)
		assert.Equal(t, v.Tarsum, got.Tarsum)
		assert.Equal(t, int64(len(v.layer)), got.Size)
		assert.Equal(t, v.layer, c.say("GET", "/v1/images/"+v.ID+"/layer", "").body)
		assert.Equal(t, v.document, c.say("GET", "/v1/images/"+v.ID+"/json", "").body)
	}
	top := chain[2].ID
	require.Equal(t, "true", c.say("PUT", "/v1/repositories/app/tags/two", `"`+top+`"`).body)
	assert.Equal(t, `["`+top+`","`+chain[1].ID+`","`+chain[0].ID+`"]`, c.say("GET", "/v1/images/"+top+"/ancestry", "").body)
	assert.Equal(t, `"`+top+`"`, c.say("GET", "/v1/repositories/library/app/tags/two", "").body)
	assert.Equal(t, `{"two":"`+top+`"}`, c.say("GET", "/v1/repositories/app/tags", "").body)
	assert.Equal(t, `[{"id":"`+chain[0].ID+`"},{"id":"`+chain[1].ID+`"},{"id":"`+top+`"}]`, c.say("GET", "/v1/repositories/app/images", "").body)
	assert.Equal(t, map[string]string{"two": top}, r.Tags("app"))
	assert.Len(t, r.Images(), 3)
	require.NoError(t, r.Verify("app", "two"))
	require.Error(t, r.Verify("app", "three"))
	require.Equal(t, 0, r.Storage().OpenUploads(""))

	repository := fakeregistry.LayerRepository(chain[0].ID)
	require.True(t, r.Storage().Corrupt(repository, r.Storage().Blobs(repository)[0]))
	require.ErrorContains(t, r.Verify("app", "two"), "has checksum")
	require.True(t, r.Storage().Delete(repository, r.Storage().Blobs(repository)[0]))
	require.ErrorContains(t, r.Verify("app", "two"), "not stored")
	assert.Equal(t, 404, c.say("GET", "/v1/images/"+chain[0].ID+"/layer", "").StatusCode)
}

// Each refusal with its words, in the order in which they are checked (P-442 to
// P-449).
func TestV1Refuses(t *testing.T) {
	t.Parallel()
	r := fakeregistry.NewV1(fakeregistry.V1Options{})
	c := talkTo(t, r)
	chain := vectors(t)
	c.pushV1(chain[0])
	done, half, absent := "/v1/images/"+chain[0].ID, "/v1/images/"+chain[1].ID, "/v1/images/"+strings.Repeat("f", 64)
	require.Equal(t, 200, c.say("PUT", half+"/json", chain[1].document).StatusCode)
	payload := "X-Docker-Checksum-Payload: "
	tarsum := "X-Docker-Checksum: " + chain[1].Tarsum
	rows := []struct {
		method, path, body string
		headers            []string
		status             int
		message            string
	}{
		{"PUT", "/v1/repositories/a/", `{`, nil, 400, "Error Decoding JSON"},
		{"PUT", "/v1/repositories/a/", `{}`, nil, 400, "Invalid data"},
		{"PUT", "/v1/repositories/a/images", `"x"`, nil, 400, "Invalid data"},
		{"GET", "/v1/images/xyz/json", ``, nil, 404, "Invalid image ID"},
		{"PUT", "/v1/images/" + strings.Repeat("F", 64) + "/json", ``, nil, 404, "Invalid image ID"},
		{"GET", absent + "/json", ``, nil, 404, "Image not found"},
		{"GET", half + "/json", ``, nil, 400, "Image is being uploaded, retry later"},
		{"GET", half + "/json", ``, []string{"If-Modified-Since: x"}, 400, "Image is being uploaded, retry later"},
		{"GET", half + "/layer", ``, nil, 400, "Image is being uploaded, retry later"},
		{"GET", half + "/ancestry", ``, nil, 400, "Image is being uploaded, retry later"},
		{"GET", absent + "/ancestry", ``, nil, 404, "Image not found"},
		{"PUT", absent + "/json", `x`, nil, 400, "Invalid JSON"},
		{"PUT", absent + "/json", `[]`, nil, 400, "Invalid JSON"},
		{"PUT", absent + "/json", `{}`, nil, 400, "Missing key `id' in JSON"},
		{"PUT", absent + "/json", `{"id":"x"}`, nil, 400, "JSON data contains invalid id"},
		{"PUT", absent + "/json", `{"id":"` + strings.Repeat("f", 64) + `","parent":"` + strings.Repeat("e", 64) + `"}`, nil, 400, "Image depends on a non existing parent"},
		{"PUT", done + "/json", chain[0].document, nil, 409, "Image already exists"},
		{"PUT", done + "/layer", `x`, nil, 409, "Image already exists"},
		{"PUT", absent + "/layer", `x`, nil, 404, "Image not found"},
		{"PUT", absent + "/checksum", ``, nil, 412, "X-Docker-Checksum-Payload not set. If you are using the Docker daemon, you should upgrade to version >= 0.10"},
		{"PUT", absent + "/checksum", ``, []string{payload}, 400, "Missing Image's checksum"},
		{"PUT", absent + "/checksum", ``, []string{payload + "x"}, 404, "Image not found"},
		{"PUT", done + "/checksum", ``, []string{payload + chain[0].Payload}, 409, "Cannot set this image checksum"},
		{"PUT", half + "/checksum", ``, []string{payload + chain[1].Payload}, 500, ""},
		{"PUT", half + "/layer", chain[1].layer, nil, 200, ""},
		{"PUT", half + "/checksum", ``, []string{payload + chain[0].Payload, tarsum}, 400, "Checksum mismatch"},
		{"PUT", half + "/checksum", ``, []string{payload + chain[1].Payload, "X-Docker-Checksum: " + chain[0].Tarsum}, 400, "Checksum mismatch"},
		{"PUT", "/v1/repositories/a/tags/-x", `"x"`, nil, 400, `Invalid tag name (must match ^[\\w][\\w.-]{0,127}$)`},
		{"PUT", "/v1/repositories/a/tags/x", `x`, nil, 400, "Invalid data"},
		{"PUT", "/v1/repositories/a/tags/x", `"` + strings.Repeat("f", 64) + `"`, nil, 404, "Image not found"},
		{"PUT", "/v1/repositories/a/tags/x", `"` + chain[1].ID + `"`, nil, 200, ""}, // incomplete will do
		{"PUT", half + "/json", chain[1].document, nil, 200, ""},                    // and may be pushed again
		{"PUT", half + "/checksum", ``, []string{payload + chain[1].Payload}, 500, ""},
		{"GET", "/v1/repositories/b/tags", ``, nil, 404, "Repository not found"},
		{"GET", "/v1/repositories/a/tags/y", ``, nil, 404, "Tag not found"},
		{"GET", "/v1/repositories/b/images", ``, nil, 404, "images not found"},
		{"GET", "/v2/", ``, nil, 404, ""},
		{"DELETE", done + "/json", ``, nil, 404, ""},
	}
	for _, row := range rows {
		got := c.say(row.method, row.path, row.body, row.headers...)
		assert.Equal(t, row.status, got.StatusCode, "%s %s", row.method, row.path)
		if row.message != "" {
			assert.Equal(t, `{"error": "`+row.message+`"}`, got.body, "%s %s", row.method, row.path)
		}
	}
	assert.Equal(t, 304, c.say("GET", done+"/json", "", "If-Modified-Since: x").StatusCode)
	require.ErrorContains(t, r.Verify("a", "x"), "is not complete")
}

// The split roles of docker.io: the index knows users and gives out tokens, images
// are refused without one (P-443).
func TestV1Index(t *testing.T) {
	t.Parallel()
	c := talkTo(t, fakeregistry.NewV1(fakeregistry.V1Options{
		Index: true, Users: map[string]string{"alice": "s3cret"}, Endpoints: []string{"one.example", "two.example"},
	}))
	v := vectors(t)[0]
	assert.Equal(t, "False", c.say("GET", "/v1/_ping", "").Header.Get("X-Docker-Registry-Standalone"))
	list := `[{"id":"` + v.ID + `"}]`
	for _, credentials := range []string{"", "Basic bm9ib2R5OnNlY3JldA==", "Basic YWxpY2U6d3Jvbmc="} {
		a := c.say("PUT", "/v1/repositories/me/app/", list, "Authorization: "+credentials)
		assert.Equal(t, 401, a.StatusCode)
		assert.Equal(t, `{"error": "Requires authorization"}`, a.body)
		assert.Empty(t, a.Header.Get("X-Docker-Token"))
	}
	index := c.say("PUT", "/v1/repositories/me/app/", list, "Authorization: Basic YWxpY2U6czNjcmV0")
	require.Equal(t, 200, index.StatusCode)
	assert.Equal(t, []string{"one.example", "two.example"}, index.Header["X-Docker-Endpoints"])
	token := "Authorization: Token " + index.Header.Get("X-Docker-Token")
	other := c.say("PUT", "/v1/repositories/me/other/", "[]", "Authorization: Basic YWxpY2U6czNjcmV0")
	foreign := "Authorization: Token " + other.Header.Get("X-Docker-Token")
	require.NotEqual(t, token, foreign)

	at := "/v1/images/" + v.ID + "/json"
	bare := c.say("PUT", at, v.document)
	assert.Equal(t, 401, bare.StatusCode)
	assert.Equal(t, "Token", bare.Header.Get("Www-Authenticate"))
	assert.Equal(t, 401, c.say("PUT", at, v.document, `Authorization: Token signature=MADEUPMADEUPMADE,repository="me/app",access=write`).StatusCode)
	assert.Equal(t, 401, c.say("GET", at, "", token).StatusCode, "a token for writing does not read")
	assert.Equal(t, `{"error": "This image does not belong to the repository"}`, c.say("PUT", at, v.document, foreign).body)
	assert.Equal(t, 401, c.say("PUT", "/v1/repositories/me/app/tags/t", `"x"`, foreign).StatusCode)
	c.header.Set("Authorization", strings.TrimPrefix(token, "Authorization: "))
	c.pushV1(v)
	assert.Equal(t, 200, c.say("PUT", "/v1/repositories/me/app/tags/t", `"`+v.ID+`"`).StatusCode)
	assert.Equal(t, 204, c.say("PUT", "/v1/repositories/me/app/images", "[]", "Authorization: Basic YWxpY2U6czNjcmV0").StatusCode)
}

// What is already there, put in from behind.
func TestV1Seed(t *testing.T) {
	t.Parallel()
	r := fakeregistry.NewV1(fakeregistry.V1Options{})
	for _, v := range vectors(t) {
		require.NoError(t, r.PutImage([]byte(v.document), bytes.NewReader([]byte(v.layer))))
		r.PutTag("app", "two", v.ID)
	}
	require.NoError(t, r.Verify("library/app", "two"))
	require.Error(t, r.PutImage([]byte(`{"id":"x"}`), strings.NewReader("")))
	require.Error(t, r.PutImage([]byte(`x`), strings.NewReader("")))
	c := talkTo(t, r)
	assert.Equal(t, 200, c.say("GET", "/v1/images/"+r.Images()[0]+"/json", "").StatusCode)
}

// Both protocols on one host, each on its paths.
func TestBoth(t *testing.T) {
	t.Parallel()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{})
	v1 := fakeregistry.NewV1(fakeregistry.V1Options{Storage: v2.Storage()})
	r := fakeregistry.Both(v2, v1)
	require.Same(t, v2.Storage(), r.Storage())
	c := talkTo(t, r)
	assert.Equal(t, "registry/2.0", c.say("GET", "/v2/", "").Header.Get("Docker-Distribution-Api-Version"))
	assert.Equal(t, "True", c.say("GET", "/v1/_ping", "").Header.Get("X-Docker-Registry-Standalone"))
	assert.Equal(t, "True", c.say("GET", "/_ping", "").Header.Get("X-Docker-Registry-Standalone"))
	assert.Equal(t, "registry/2.0", c.say("GET", "/elsewhere", "").Header.Get("Docker-Distribution-Api-Version"))
	c.pushV1(vectors(t)[0])
	v2.Storage().SetHook(failOn(fakeregistry.StorageWrite))
	require.Equal(t, 200, c.say("PUT", "/v1/images/"+vectors(t)[1].ID+"/json", vectors(t)[1].document).StatusCode)
	assert.Equal(t, 500, c.say("PUT", "/v1/images/"+vectors(t)[1].ID+"/layer", "x").StatusCode, "storage faults strike in V1 too")
	assert.Equal(t, 0, v2.Storage().OpenUploads(""))
}
