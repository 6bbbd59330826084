package scenarios

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A content is one layer of the scenario's image.
type content struct {
	name    string        // "layer1"
	id      string        // of the local layer
	v1ID    string        // as V1 and schema 1 name it
	diffID  digest.Digest // of the tar
	digest  digest.Digest // of the blob that the client makes of it
	size    int64         // of the blob
	tar     int64         // of the uncompressed tar
	payload int64         // what the scenario calls its size; 0 when it does not say
	empty   bool          // a layer without changes
	of      digest.Digest // of the manifest that names it; set where several do
	foreign bool          // it lives at a URL of its own, and may be left there
}

// shownAs tells whether an ID that was shown is this layer's: docker shows the
// image ID up to 1.9, the diff ID since (P-035), and the blob's digest where it has
// that.
func (l content) shownAs(id string) bool {
	if id == "" {
		return false
	}
	return strings.HasPrefix(l.id, id) || strings.HasPrefix(l.v1ID, id) || strings.HasPrefix(string(l.diffID), "sha256:"+id) ||
		strings.HasPrefix(string(l.digest), "sha256:"+id)
}

// contents are the layers of an image, bottom first, and what is known of their
// bytes.
type contents struct {
	layers []content
	// index is what a tag names where the image is pushed as part of one, and below
	// what must be in the registry before; "" and nil else.
	index digest.Digest
	below []content
	tops  map[string]string // tag → name of its top layer; none is the image's own
	// prefix is the digest of the first n bytes of a layer's blob; "" when it has
	// fewer. nil knows none.
	prefix func(layer int, n int64) digest.Digest
}

// digestOf resolves a content name or a digest.
func (c *contents) digestOf(name string) (digest.Digest, bool) {
	for _, l := range c.layers {
		if l.name == name {
			return l.digest, true
		}
	}
	d := digest.Digest(name)
	return d, d.Validate() == nil
}

// layer finds a layer by name.
func (c *contents) layer(name string) (content, bool) {
	i := slices.IndexFunc(c.layers, func(l content) bool { return l.name == name })
	if i < 0 {
		return content{}, false
	}
	return c.layers[i], true
}

// named is the name of the first layer with that digest; "" when there is none.
func (c *contents) named(d digest.Digest) string {
	for _, l := range c.layers {
		if d != "" && l.digest == d {
			return l.name
		}
	}
	return ""
}

// digests are the names of the contents by digest.
func (c *contents) digests() map[digest.Digest]string {
	m := map[digest.Digest]string{}
	for _, l := range c.layers {
		if m[l.digest] == "" {
			m[l.digest] = l.name
		}
	}
	return m
}

// annotate says of each exchange what it was about. Requests of an upload carry
// no digest before the last: they belong to the layer that their session ends
// with, or whose beginning they sent.
func (c *contents) annotate(trace wire.Trace) []seen {
	list := make([]seen, 0, len(trace))
	for _, e := range trace {
		list = append(list, seen{Exchange: e})
	}
	sessions := c.sessions(list)
	for i := range list {
		e := &list[i]
		e.content = e.Route.Digest
		if key := sessionOf(*e); e.content == "" && key != "" {
			e.content = sessions[key]
		}
		if e.content == "" && e.Route.Op == wire.OpOther && e.Request.Body.Length > 0 {
			e.content = c.beginning(e.Request.Body) // an upload that went astray
		}
		e.layer = c.named(e.content)
		if e.Route.ImageID != "" {
			e.layer, e.content = c.ofImage(e.Route.ImageID)
		}
		if e.Route.Op == wire.OpManifestPut || e.Route.Op == wire.OpManifestGet || e.Route.Op == wire.OpManifestHead {
			e.layer = "manifest"
		}
	}
	return list
}

func (c *contents) ofImage(id string) (string, digest.Digest) {
	for _, l := range c.layers {
		if l.v1ID == id || l.id == id {
			return l.name, l.digest
		}
	}
	return "", ""
}

// sessions says for each upload session what it uploaded.
func (c *contents) sessions(list []seen) map[string]digest.Digest {
	m := map[string]digest.Digest{}
	for _, e := range list {
		key := sessionOf(e)
		if key == "" {
			continue
		}
		switch {
		case e.Route.Op == wire.OpUploadPut && e.Route.Digest != "":
			m[key] = e.Route.Digest
		case e.Route.Op == wire.OpUploadPatch && m[key] == "" && e.Request.Body.Length > 0:
			m[key] = c.beginning(e.Request.Body)
		}
	}
	return m
}

// beginning finds the layer that begins with the bytes that were sent.
func (c *contents) beginning(b wire.Body) digest.Digest {
	for i, l := range c.layers {
		switch {
		case l.digest == b.Digest:
			return l.digest
		case c.prefix != nil && b.Length < l.size && c.prefix(i, b.Length) == b.Digest:
			return l.digest
		}
	}
	return ""
}

// sessionOf is the upload session of an exchange, by the name that the registry
// gave it; "" when it has none.
func sessionOf(e seen) string {
	if e.Route.Session != "" {
		return e.Route.Session
	}
	if e.Route.Op != wire.OpUploadStart && e.Route.Op != wire.OpUploadMount {
		return ""
	}
	u, err := url.Parse(e.Response.Header.Get("Location"))
	if err != nil {
		return ""
	}
	return wire.ParseRoute(http.MethodPatch, u).Session
}

// label is how an exchange is named in messages: "upload.put of layer1@401".
func label(e seen) string {
	text := string(e.Route.Op)
	if e.layer != "" && e.layer != "manifest" {
		text += " of " + e.layer
	}
	return fmt.Sprintf("%s@%s", text, e.Answer())
}
