package distregistry

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/schema1"
)

// Schema 1 manifests, whole and broken, and what docker-registry 2.8.2 answered to
// them when it was asked: 900 such requests, with every combination of these, got
// the same statuses and codes in the same order.
func TestSchema1AsIn28(t *testing.T) {
	t.Parallel()
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	there := digest.FromString("there")
	whole := func() schema1.Manifest {
		return schema1.Manifest{
			SchemaVersion: 1, Name: "lib/a", Tag: "latest", Architecture: "amd64",
			FSLayers: []schema1.FSLayer{{BlobSum: there}, {BlobSum: there}},
			History:  []schema1.History{{V1Compatibility: `{"id":"x"}`}, {V1Compatibility: `{"id":"y"}`}},
		}
	}
	rows := map[string]struct {
		change func(m *schema1.Manifest)
		bytes  func(signed []byte) []byte
		status int
		codes  []string
	}{
		"whole":              {status: 201},
		"of another tag":     {change: func(m *schema1.Manifest) { m.Tag = "other" }, status: 201},
		"of another name":    {change: func(m *schema1.Manifest) { m.Name = "b" }, status: 201},
		"long name":          {change: func(m *schema1.Manifest) { m.Name = strings.Repeat("n", 256) }, status: 400, codes: []string{"NAME_INVALID"}},
		"no name":            {change: func(m *schema1.Manifest) { m.Name = "" }, status: 400, codes: []string{"NAME_INVALID"}},
		"odd name":           {change: func(m *schema1.Manifest) { m.Name = "!!" }, status: 400, codes: []string{"NAME_INVALID"}},
		"too little history": {change: func(m *schema1.Manifest) { m.History = m.History[1:] }, status: 500, codes: []string{"UNKNOWN", "UNKNOWN"}},
		"absent blobs": {
			change: func(m *schema1.Manifest) {
				m.FSLayers[0].BlobSum, m.FSLayers[1].BlobSum = digest.FromString("x"), digest.FromString("y")
			},
			status: 400, codes: []string{"MANIFEST_BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"},
		},
		"no digest": {
			change: func(m *schema1.Manifest) { m.FSLayers[1].BlobSum = "nonsense" },
			status: 400, codes: []string{"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"},
		},
		"everything at once": {
			change: func(m *schema1.Manifest) {
				m.Name, m.History, m.FSLayers[0].BlobSum = "", m.History[1:], digest.FromString("x")
			},
			status: 400, codes: []string{"NAME_INVALID", "UNKNOWN", "UNKNOWN", "MANIFEST_BLOB_UNKNOWN"},
		},
		"unsigned": {
			bytes: func(signed []byte) []byte {
				payload, err := schema1.Payload(signed)
				require.NoError(t, err)
				return payload
			},
			status: 400, codes: []string{"MANIFEST_INVALID"},
		},
		"changed":   {bytes: replace(`"amd64"`, `"arm64"`), status: 400, codes: []string{"MANIFEST_UNVERIFIED"}},
		"truncated": {bytes: func(signed []byte) []byte { return signed[:len(signed)-9] }, status: 400, codes: []string{"MANIFEST_INVALID"}},
		"long signature": {
			bytes:  replace(`"signature": "`, `"signature": "AAAA`),
			status: 500, codes: []string{"UNKNOWN", "UNKNOWN"},
		},
		"no signatures": {
			bytes: func(signed []byte) []byte {
				i := bytes.Index(signed, []byte(`"signatures"`))
				return append(signed[:i:i], []byte(`"signatures":[]}`)...)
			},
			status: 400, codes: []string{"MANIFEST_INVALID"},
		},
		"nothing": {bytes: func([]byte) []byte { return nil }, status: 400, codes: []string{"MANIFEST_INVALID"}},
	}
	for registry, r := range map[string]fakeregistry.Registry{"v2": New(Options{}), "fake": fakeregistry.NewV2(fakeregistry.V2Options{Quirks: likeDistribution})} {
		_, _, err := r.Storage().PutBlob("lib/a", strings.NewReader("there"))
		require.NoError(t, err)
		s := newSide(t, r)
		for name, row := range rows {
			m := whole()
			if row.change != nil {
				row.change(&m)
			}
			unsigned, err := m.Encode()
			require.NoError(t, err)
			signed, err := schema1.Sign(unsigned, key)
			require.NoError(t, err)
			if row.bytes != nil {
				signed = row.bytes(signed)
			}
			for _, contentType := range []string{"", "application/json", "application/json; charset=utf-8", schema1.MediaType, schema1.MediaTypeSigned} {
				a := ask{method: "PUT", path: "/v2/lib/a/manifests/latest", body: signed, header: http.Header{"Content-Type": {contentType}}}
				if contentType == "" {
					a.header = nil
				}
				got := s.ask(t, a)
				assert.Equal(t, row.status, got.Status, "%s, %s, %q", registry, name, contentType)
				assert.Equal(t, row.codes, got.Codes, "%s, %s, %q", registry, name, contentType)
			}
		}
	}
}

func replace(old, with string) func([]byte) []byte {
	return func(signed []byte) []byte { return bytes.Replace(signed, []byte(old), []byte(with), 1) }
}

// A schema 1 manifest beside others: read back as it was pushed, by tag and by its
// payload's digest, listed, replaced and deleted.
func TestSchema1BesideOthers(t *testing.T) {
	t.Parallel()
	r := New(Options{Delete: true})
	_, _, err := r.Storage().PutBlob("a", strings.NewReader("there"))
	require.NoError(t, err)
	s := newSide(t, r)
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	m := schema1.Manifest{
		SchemaVersion: 1, Name: "a", Tag: "old",
		FSLayers: []schema1.FSLayer{{BlobSum: digest.FromString("there")}}, History: []schema1.History{{V1Compatibility: "{}"}},
	}
	unsigned, err := m.Encode()
	require.NoError(t, err)
	signed, err := schema1.Sign(unsigned, key)
	require.NoError(t, err)
	d := digest.FromBytes(unsigned)
	modern := []byte(`{"schemaVersion":2,"mediaType":"` + typeSchema2 + `","config":{"digest":"` + digest.FromString("there").String() + `"},"layers":[]}`)

	put := func(tag, contentType string, body []byte) said {
		return s.ask(t, ask{method: "PUT", path: "/v2/a/manifests/" + tag, body: body, header: http.Header{"Content-Type": {contentType}}})
	}
	get := func(reference string) said { return s.ask(t, ask{method: "GET", path: "/v2/a/manifests/" + reference}) }
	pushed := put("old", schema1.MediaTypeSigned, signed)
	require.Equal(t, 201, pushed.Status)
	require.Equal(t, d.String(), pushed.Digest, "the payload's digest")
	require.Equal(t, 201, put("new", typeSchema2, modern).Status)
	require.Equal(t, 201, put(d.String(), schema1.MediaTypeSigned, signed).Status, "by digest")
	require.Equal(t, []string{"DIGEST_INVALID"}, put(digest.FromBytes(signed).String(), schema1.MediaTypeSigned, signed).Codes)

	for _, reference := range []string{"old", d.String()} {
		got := get(reference)
		assert.Equal(t, 200, got.Status)
		assert.Equal(t, schema1.MediaTypeSigned, got.ContentType)
		assert.Equal(t, d.String(), got.Digest)
		assert.Equal(t, digest.FromBytes(signed), got.Body, "with the signatures it came with")
		head := s.ask(t, ask{method: "HEAD", path: "/v2/a/manifests/" + reference})
		assert.Equal(t, int64(len(signed)), head.Length)
	}
	tags := s.ask(t, ask{method: "GET", path: "/v2/a/tags/list"})
	assert.Equal(t, digest.FromString(`{"name":"a","tags":["new","old"]}`+"\n"), tags.Body)
	assert.Equal(t, typeSchema2, get("new").ContentType)
	require.Equal(t, 201, put("old", typeSchema2, modern).Status)
	assert.Equal(t, typeSchema2, get("old").ContentType, "the tag moved")
	require.Equal(t, 201, put("again", "application/json", signed).Status)
	require.Equal(t, 202, s.ask(t, ask{method: "DELETE", path: "/v2/a/manifests/" + d.String()}).Status)
	assert.Equal(t, 404, get(d.String()).Status)
	assert.Equal(t, 404, get("again").Status, "deleted with its tags")
	assert.Equal(t, 200, get("old").Status)
}

// A registry takes the formats it is told to.
func TestAccepts(t *testing.T) {
	t.Parallel()
	blob := digest.FromString("there").String()
	bodies := map[fakeregistry.Format]func() (string, []byte){
		fakeregistry.Schema1: func() (string, []byte) {
			key, err := libtrust.GenerateECP256PrivateKey()
			require.NoError(t, err)
			signed, err := schema1.Sign([]byte(`{"schemaVersion":1,"name":"a","tag":"t","fsLayers":[],"history":[]}`), key)
			require.NoError(t, err)
			return schema1.MediaTypeSigned, signed
		},
		fakeregistry.Schema2: func() (string, []byte) {
			return typeSchema2, []byte(`{"schemaVersion":2,"mediaType":"` + typeSchema2 + `","config":{"digest":"` + blob + `"},"layers":[]}`)
		},
		fakeregistry.OCI: func() (string, []byte) {
			return typeOCI, []byte(`{"schemaVersion":2,"config":{"digest":"` + blob + `"},"layers":[]}`)
		},
	}
	all := []fakeregistry.Format{fakeregistry.Schema1, fakeregistry.Schema2, fakeregistry.OCI}
	check := func(what string, r *Registry, takes ...fakeregistry.Format) {
		_, _, err := r.Storage().PutBlob("a", strings.NewReader("there"))
		require.NoError(t, err)
		s := newSide(t, r)
		for _, f := range all {
			contentType, body := bodies[f]()
			got := s.ask(t, ask{method: "PUT", path: "/v2/a/manifests/t", body: body, header: http.Header{"Content-Type": {contentType}}})
			if slices.Contains(takes, f) {
				assert.Equal(t, 201, got.Status, "%s: %s", what, f)
			} else {
				assert.Equal(t, []string{"MANIFEST_INVALID"}, got.Codes, "%s: %s", what, f)
			}
		}
	}
	check("default", New(Options{}), all...)
	check("no schema 1", New(Options{NoSchema1: true}), fakeregistry.Schema2, fakeregistry.OCI)
	for _, f := range all {
		check("only "+string(f), New(Options{Accepts: []fakeregistry.Format{f}}), f)
	}
}
