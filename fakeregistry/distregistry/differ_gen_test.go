package distregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// A generator makes requests from a seed. It remembers what it asked for, so that
// many of them make sense; what the registries answered it does not know.
type generator struct {
	t        *testing.T
	rand     *rand.Rand
	key      libtrust.PrivateKey
	repos    []string
	blobs    [][]byte
	sessions int
	held     map[int][]byte // what a session should hold
	of       map[int]string // repository of a session
	sent     [][]byte       // manifests that were sent
	stored   map[string][][]byte
	queue    []ask  // what comes next, whatever the dice say
	repo     string // that a manifest is being made for
	modern   bool   // no schema 1
}

func newGenerator(t *testing.T, seed uint64) *generator {
	t.Helper()
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	g := &generator{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), key: key,
		repos: []string{"lib/a", "lib/a", "lib/a", "b", "some.host:80/c"}, held: map[int][]byte{}, of: map[int]string{}, stored: map[string][][]byte{},
	}
	for i := range 6 {
		g.blobs = append(g.blobs, bytes.Repeat([]byte{byte('a' + i)}, 1<<(2*i)))
	}
	g.blobs = append(g.blobs, nil)
	g.stored["lib/a"] = g.blobs // see preload
	return g
}

func pick[T any](g *generator, of ...T) T { return of[g.rand.IntN(len(of))] }

// often is true but once in n times.
func (g *generator) often(n int) bool { return g.rand.IntN(n) > 0 }

func (g *generator) next() ask {
	if len(g.queue) > 0 {
		a := g.queue[0]
		g.queue = g.queue[1:]
		return a
	}
	switch n := g.rand.IntN(100); {
	case n < 5:
		return g.open()
	case n < 12:
		return g.whole()
	case n < 30:
		return g.patch()
	case n < 45:
		return g.put()
	case n < 50:
		return g.sessionOther()
	case n < 54:
		return g.singlePost()
	case n < 59:
		return g.mount()
	case n < 71:
		return g.blob()
	case n < 84:
		return g.putManifest()
	case n < 94:
		return g.manifest()
	default:
		return g.lists()
	}
}

func (g *generator) open() ask {
	g.sessions++
	repo := pick(g, g.repos...)
	g.of[g.sessions] = repo
	return ask{doc: "open a session", method: http.MethodPost, path: "/v2/" + repo + "/blobs/uploads/", opens: g.sessions}
}

// whole pushes a blob as it should be.
func (g *generator) whole() ask {
	blob := pick(g, g.blobs...)
	a := g.open()
	repo := g.of[g.sessions]
	g.queue = append(g.queue, ask{doc: "a whole blob", method: http.MethodPut, session: g.sessions, body: blob, edit: func(u *url.URL) {
		u.RawQuery += "&digest=" + digest.FromBytes(blob).String()
	}})
	g.stored[repo] = append(g.stored[repo], blob)
	return a
}

// known is a blob that the repository at hand should have, mostly.
func (g *generator) known() []byte {
	if s := g.stored[g.repo]; len(s) > 0 && g.often(9) {
		return pick(g, s...)
	}
	return pick(g, g.blobs...)
}

func (g *generator) session() int { return max(1, g.sessions-g.rand.IntN(3)) }

// tamper changes a session's location, once in a while.
func (g *generator) tamper(a ask) ask {
	switch g.rand.IntN(14) {
	case 0:
		a.stale, a.doc = true, a.doc+", at an old location"
	case 1:
		a.edit, a.doc = func(u *url.URL) { u.RawQuery = "" }, a.doc+", without state"
	case 2:
		a.edit = func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "=", "=AAAA", 1) }
		a.doc += ", with a state of its own"
	case 3:
		a.edit = func(u *url.URL) { u.Path = strings.Replace(u.Path, "/blobs/", "/x/blobs/", 1) }
		a.doc += ", in another repository"
	}
	return a
}

func (g *generator) patch() ask {
	n := g.session()
	piece := pick(g, g.blobs...)
	a := ask{doc: "a chunk", method: http.MethodPatch, session: n, body: piece, header: http.Header{}}
	size := len(g.held[n])
	switch g.rand.IntN(8) {
	case 0:
		a.header.Set("Content-Range", fmt.Sprintf("%d-%d", size+1, size+len(piece)))
	case 1:
		a.header.Set("Content-Range", fmt.Sprintf("%d-%d", size, size+len(piece)))
	case 2:
		a.header.Set("Content-Range", pick(g, "x", "1-x", "bytes 0-1", "x-1", "9-2"))
	case 3, 4:
		a.header.Set("Content-Range", fmt.Sprintf("%d-%d", size, size+len(piece)-1))
	}
	if !g.often(10) {
		a.header.Set("Content-Type", "text/plain")
		return a
	}
	a.header.Set("Content-Type", pick(g, "", "application/octet-stream"))
	a = g.tamper(a)
	if a.edit == nil {
		g.held[n] = append(g.held[n][:size:size], piece...) // a guess: it may be refused
	}
	return a
}

func (g *generator) put() ask {
	n := g.session()
	var piece []byte
	if !g.often(3) {
		piece = pick(g, g.blobs...)
	}
	whole := append(g.held[n][:len(g.held[n]):len(g.held[n])], piece...)
	right := digest.FromBytes(whole).String()
	claim := right
	if !g.often(4) {
		claim = pick(g, "", "sha256:zz", "x", "md5:d41d8cd98f00b204e9800998ecf8427e",
			digest.FromString("other").String(), digest.SHA512.FromBytes(whole).String(), digest.SHA512.FromString("other").String())
	}
	a := g.tamper(ask{doc: "close a session", method: http.MethodPut, session: n, body: piece})
	inner := a.edit
	a.edit = func(u *url.URL) {
		if inner != nil {
			inner(u)
		}
		q := u.Query()
		q.Set("digest", claim)
		u.RawQuery = q.Encode()
	}
	if claim == right {
		g.blobs = append(g.blobs, whole)
		g.held[n] = nil
	}
	return a
}

func (g *generator) sessionOther() ask {
	a := ask{doc: "status or cancel", method: pick(g, "GET", "GET", "HEAD", "DELETE", "POST"), session: g.session()}
	return g.tamper(a)
}

func (g *generator) singlePost() ask {
	body := pick(g, g.blobs...)
	d := pick(g, digest.FromBytes(body).String(), digest.FromString("no").String())
	return ask{doc: "a blob in one POST", method: http.MethodPost, body: body, path: "/v2/" + pick(g, g.repos...) + "/blobs/uploads/?digest=" + d}
}

func (g *generator) digest() string {
	if !g.often(6) {
		return pick(g, digest.FromString("absent").String(), "sha256:abc", "sha384:00", "md5:d41d8cd98f00b204e9800998ecf8427e", "a..b:00")
	}
	return digest.FromBytes(pick(g, g.blobs...)).String()
}

func (g *generator) mount() ask {
	g.sessions++
	to := pick(g, g.repos...)
	g.of[g.sessions] = to
	q := url.Values{"mount": {g.digest()}, "from": {pick(g, "lib/a", "b", "Bad", "", "absent", "some.host:80/c")}}
	return ask{doc: "mount", method: http.MethodPost, path: "/v2/" + to + "/blobs/uploads/?" + q.Encode(), opens: g.sessions}
}

func (g *generator) blob() ask {
	a := ask{doc: "a blob", method: pick(g, "HEAD", "HEAD", "GET", "GET", "DELETE", "PUT"), header: http.Header{}}
	d := g.digest()
	a.path = "/v2/" + pick(g, g.repos...) + "/blobs/" + d
	if !g.often(3) {
		a.header.Set("Range", pick(g, "bytes=0-1", "bytes=2-", "bytes=-3", "bytes=9999999-", "x", "bytes=0-0,2-2"))
	}
	if !g.often(8) {
		a.header.Set("If-None-Match", `"`+d+`"`)
	}
	return a
}

const (
	typeSchema2 = "application/vnd.docker.distribution.manifest.v2+json"
	typeList    = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeOCI     = "application/vnd.oci.image.manifest.v1+json"
	typeIndex   = "application/vnd.oci.image.index.v1+json"
)

func (g *generator) putManifest() ask {
	g.repo = pick(g, g.repos...)
	contentType, body := g.document()
	a := ask{doc: "a manifest", method: http.MethodPut, body: body, header: http.Header{}}
	if contentType != "" {
		a.header.Set("Content-Type", contentType)
	}
	d, _ := schema1.Digest(body)
	if contentType != "" && !strings.Contains(contentType, ".v1+") && contentType != "application/json" || strings.Contains(contentType, "oci") {
		d = digest.FromBytes(body)
	}
	reference := pick(g, "latest", "v1", "v2", d.String(), d.String())
	if !g.often(8) {
		reference = pick(g, digest.FromString("other").String(), "sha256:00", "-bad", strings.Repeat("t", 129))
	}
	a.path = "/v2/" + g.repo + "/manifests/" + reference
	g.sent = append(g.sent, body)
	if g.often(3) {
		g.queue = append(g.queue, g.read(g.repo, reference), g.read(g.repo, pick(g, reference, d.String())), g.lists())
	}
	return a
}

// document makes a manifest of some kind, whole or broken.
func (g *generator) document() (contentType string, body []byte) {
	if g.often(5) {
		kind := g.rand.IntN(5)
		if g.modern && kind == 0 {
			kind = 1
		}
		switch kind {
		case 0:
			return pick(g, "", "application/json", schema1.MediaType, schema1.MediaTypeSigned), g.schema1()
		case 1:
			return typeSchema2, g.image(typeSchema2)
		case 2:
			return typeOCI, g.image(typeOCI)
		case 3:
			return typeList, g.index(typeList)
		default:
			return typeIndex, g.index(typeIndex)
		}
	}
	kind := pick(g, typeSchema2, typeOCI, typeList, typeIndex)
	switch g.rand.IntN(6) {
	case 0:
		return kind, []byte(pick(g, "", "{", "[]", `"x"`, "{}", `{"schemaVersion":1}`, `{"schemaVersion":"2"}`))
	case 1:
		return kind, g.image(typeSchema2)
	case 2:
		return kind, g.index(typeIndex)
	case 3:
		return kind + "; charset=utf-8", g.image(kind)
	case 4:
		return pick(g, "x/y", ";;", "text/plain"), g.image(typeOCI)
	default:
		return kind, bytes.Repeat([]byte{' '}, 4<<20+1)
	}
}

func (g *generator) descriptor(mediaType string, b []byte) map[string]any {
	d := map[string]any{"mediaType": mediaType, "size": len(b), "digest": digest.FromBytes(b)}
	if !g.often(12) {
		d["digest"] = pick(g, digest.FromString("absent").String(), "sha256:abc", "nonsense", "")
	}
	return d
}

func (g *generator) image(mediaType string) []byte {
	layerType := "application/vnd.docker.image.rootfs.diff.tar.gzip"
	if mediaType == typeOCI {
		layerType = pick(g, "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
	}
	doc := map[string]any{
		"schemaVersion": 2, "mediaType": mediaType,
		"config": g.descriptor("application/vnd.oci.image.config.v1+json", g.known()),
	}
	layers := []any{}
	for range g.rand.IntN(3) {
		l := g.descriptor(layerType, g.known())
		if !g.often(8) {
			l["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
		}
		if !g.often(10) {
			l["urls"] = []string{pick(g, "https://example.com/layer", "ftp://example.com/x", "http://x/#f")}
		}
		layers = append(layers, l)
	}
	doc["layers"] = layers
	switch g.rand.IntN(12) {
	case 0:
		delete(doc, "mediaType")
	case 1:
		doc["schemaVersion"] = 1
	case 2:
		doc["mediaType"] = pick(g, typeIndex, typeSchema2, "x")
	case 3:
		doc["manifests"] = []any{}
	}
	return encode(g.t, doc)
}

func (g *generator) index(mediaType string) []byte {
	doc := map[string]any{"schemaVersion": 2, "mediaType": mediaType}
	list := []any{}
	for range g.rand.IntN(3) {
		child := []byte("absent")
		if len(g.sent) > 0 && g.often(5) {
			child = g.sent[len(g.sent)-1-g.rand.IntN(min(5, len(g.sent)))]
		}
		m := g.descriptor(pick(g, typeOCI, typeSchema2), child)
		m["platform"] = map[string]string{"architecture": pick(g, "amd64", "arm64"), "os": "linux"}
		list = append(list, m)
	}
	doc["manifests"] = list
	switch g.rand.IntN(12) {
	case 0:
		delete(doc, "mediaType")
	case 1:
		doc["schemaVersion"] = 3
	case 2:
		doc["layers"] = []any{}
	}
	return encode(g.t, doc)
}

func (g *generator) schema1() []byte {
	m := schema1.Manifest{SchemaVersion: 1, Name: pick(g, "lib/a", "b", "other"), Tag: pick(g, "latest", "v1"), Architecture: "amd64"}
	for i := range 1 + g.rand.IntN(2) {
		blob := g.known()
		if !g.often(8) {
			blob = []byte("absent")
		}
		m.FSLayers = append(m.FSLayers, schema1.FSLayer{BlobSum: digest.FromBytes(blob)})
		m.History = append(m.History, schema1.History{V1Compatibility: fmt.Sprintf(`{"id":"%064d"}`, i)})
	}
	broken := g.rand.IntN(14)
	switch broken {
	case 0:
		m.Name = pick(g, strings.Repeat("n", 256), "", "!!")
	case 1:
		m.History = m.History[1:]
	case 2:
		m.FSLayers[0].BlobSum = "nonsense"
	}
	unsigned, err := m.Encode()
	require.NoError(g.t, err)
	signed, err := schema1.Sign(unsigned, g.key)
	require.NoError(g.t, err)
	switch broken {
	case 3:
		return unsigned
	case 4:
		return bytes.Replace(signed, []byte(`"amd64"`), []byte(`"arm64"`), 1)
	case 5:
		return bytes.Replace(signed, []byte(`"signature": "`), []byte(`"signature": "AAAA`), 1)
	case 6:
		i := bytes.Index(signed, []byte(`"signatures"`))
		return append(signed[:i:i], []byte(`"signatures":[]}`)...)
	}
	return signed
}

func encode(t *testing.T, doc any) []byte {
	t.Helper()
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return b
}

func (g *generator) manifest() ask {
	reference := pick(g, "latest", "v1", "v2", "absent")
	if len(g.sent) > 0 && g.often(3) {
		d, _ := schema1.Digest(pick(g, g.sent...))
		reference = d.String()
	}
	if !g.often(12) {
		reference = pick(g, "sha256:abc", digest.FromString("absent").String(), "bad/ref", ".x")
	}
	a := g.read(pick(g, g.repos...), reference)
	if !g.often(4) {
		a.method = pick(g, "DELETE", "POST")
	}
	return a
}

// read asks for a manifest.
func (g *generator) read(repo, reference string) ask {
	a := ask{doc: "a manifest", method: pick(g, "GET", "GET", "HEAD"), header: http.Header{}, path: "/v2/" + repo + "/manifests/" + reference}
	for _, one := range []string{typeSchema2, typeList, typeOCI, typeIndex} {
		if g.often(3) {
			a.header.Add("Accept", one+pick(g, "", "; q=0.5", ", text/plain"))
		}
	}
	if !g.often(8) {
		a.header.Set("If-None-Match", pick(g, `"`+reference+`"`, reference, `"x"`))
	}
	return a
}

func (g *generator) lists() ask {
	if !g.often(6) {
		return ask{doc: "referrers", method: "GET", path: "/v2/" + pick(g, g.repos...) + "/referrers/" + digest.FromString("x").String()}
	}
	return ask{
		doc: "tags", method: pick(g, "GET", "GET", "GET", "DELETE"),
		path: "/v2/" + pick(g, "lib/a", "lib/a", "b", "absent") + "/tags/list" + pick(g, "", "", "?n=1", "?n=2", "?n=3", "?n=2&last=latest", "?n=0", "?n=-1", "?n=x", "?last=v1", "?n=100"),
	}
}

// oddRequests are paths and methods that no client should use.
func oddRequests() []ask {
	var all []ask
	long := strings.Repeat("n", 256)
	for _, s := range []string{
		"GET /v2", "GET /v2/", "HEAD /v2/", "PUT /v2/", "OPTIONS /v2/", "GET //v2/", "GET /v2//lib/a/tags/list", "GET /v2/a/../b/tags/list",
		"GET /", "GET /v1/_ping", "GET /v3/", "GET /v2/lib/a", "GET /v2/lib/a/tags", "GET /v2/lib/a/tags/list/", "OPTIONS /v2/lib/a/tags/list",
		"TRACE /v2/lib/a/tags/list", "GET /v2/Upper/tags/list", "GET /v2/a__b/tags/list", "GET /v2/a___b/tags/list", "GET /v2/-a/tags/list",
		"GET /v2/a-/tags/list", "GET /v2/a--b/tags/list", "GET /v2/a..b/tags/list", "GET /v2/Host.name:5000/a/tags/list", "GET /v2/Host.name:x/a/tags/list",
		"GET /v2/" + long + "/tags/list", "GET /v2/lib/" + long + "/tags/list", "POST /v2/" + long + "/blobs/uploads/",
		"GET /v2/lib/a/blobs/uploads/", "PATCH /v2/lib/a/blobs/uploads/", "PUT /v2/lib/a/blobs/uploads/", "DELETE /v2/lib/a/blobs/uploads/",
		"POST /v2/lib/a/blobs/uploads", "OPTIONS /v2/lib/a/blobs/uploads/", "GET /v2/lib/a/blobs/uploads/not$valid", "GET /v2/lib/a/blobs/uploads/unknown",
		"GET /v2/lib/a/blobs/nodigest", "GET /v2/lib/a/blobs/a+b:00", "GET /v2/lib/a/blobs/a+:00", "POST /v2/lib/a/blobs/" + digest.FromString("x").String(),
		"GET /v2/lib/a/manifests/", "GET /v2/lib/a/manifests/a/b", "PATCH /v2/lib/a/manifests/x", "GET /v2/_catalog", "GET /v2/lib/a/manifests/uploads",
	} {
		method, path, _ := strings.Cut(s, " ")
		all = append(all, ask{doc: "odd", method: method, path: path})
	}
	return all
}
