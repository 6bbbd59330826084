package distregistry

import (
	"bytes"
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
