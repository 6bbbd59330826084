package distregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/schema1"
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
