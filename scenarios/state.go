package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/internal/schema1"
)

// An inspector reads what a registry holds over the registry's own handler,
// behind faults and guard: nothing that disturbs clients disturbs it.
type inspector struct {
	registry fakeregistry.Registry // over V2; nil for a V1 alone
	v1       *fakeregistry.V1      // nil where there is none
}

// maxManifest bounds what is read of a manifest.
const maxManifest = 4 << 20

// An answerWriter is a ResponseWriter that streams the body into sink.
type answerWriter struct {
	header http.Header
	status int
	length int64
	sink   io.Writer
}

func (w *answerWriter) Header() http.Header { return w.header }

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.length += int64(len(p))
	return w.sink.Write(p)
}

// ask sends one request to the handler. A handler that gives up leaves status 0.
func (i inspector) ask(ctx context.Context, method, path string, sink io.Writer) *answerWriter {
	w := &answerWriter{header: http.Header{}, sink: sink}
	r := &http.Request{
		Method: method, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": manifestTypes}, Body: http.NoBody, Host: "registry", RequestURI: path, RemoteAddr: "inspector",
	}
	func() {
		defer func() {
			if p := recover(); p != nil {
				w.status = 0
			}
		}()
		i.registry.ServeHTTP(w, r.WithContext(ctx))
		w.WriteHeader(http.StatusOK) // what a handler that says nothing has said
	}()
	return w
}

var manifestTypes = []string{
	schema1.MediaTypeSigned, schema1.MediaType,
	mediatype.Schema2, mediatype.List,
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
}

// A question is what to look at: nothing else of a registry is read.
type question struct {
	tags   []string // "repository:tag"
	repo   string   // of the blobs
	blobs  []digest.Digest
	images []string // V1 IDs
	// subject is whose referrers are counted; "" is nobody's.
	subject digest.Digest
	// names is whether only what the tags name is asked for, not whether it is whole.
	names bool
}

// look reads the state of a registry.
func (i inspector) look(ctx context.Context, q question) registryState {
	st := registryState{tags: map[string]tagState{}, blobs: map[digest.Digest]blobState{}, images: map[string]string{}, uploads: -1}
	for _, key := range q.tags {
		repo, tag, _ := splitReference(key)
		t := tagState{}
		if i.registry != nil {
			t = i.tag(ctx, repo, tag, !q.names)
		}
		if !t.found && i.v1 != nil {
			t = i.tagV1(repo, tag)
		}
		st.tags[key] = t
	}
	if i.registry != nil {
		for _, d := range q.blobs {
			st.blobs[d] = i.blob(ctx, q.repo, d)
		}
		if s := i.registry.Storage(); s != nil {
			st.uploads = s.OpenUploads("")
		}
	}
	if q.subject != "" && i.registry != nil {
		st.referrers = i.referrers(ctx, q.repo, q.subject)
	}
	if i.v1 != nil {
		for _, id := range q.images {
			st.images[id] = i.image(id)
		}
	}
	return st
}

// blob reads one blob and compares its bytes with its digest.
func (i inspector) blob(ctx context.Context, repo string, d digest.Digest) blobState {
	if d.Validate() != nil {
		return blobState{}
	}
	h := d.Algorithm().Hash()
	w := i.ask(ctx, http.MethodGet, "/v2/"+repo+"/blobs/"+d.String(), h)
	return blobState{
		present: w.status == http.StatusOK,
		intact:  w.status == http.StatusOK && digest.NewDigest(d.Algorithm(), h) == d,
	}
}

// tag reads what a tag names and, where deep, all that hangs on it.
func (i inspector) tag(ctx context.Context, repo, tag string, deep bool) tagState {
	var body bytes.Buffer
	w := i.ask(ctx, http.MethodGet, "/v2/"+repo+"/manifests/"+tag, &body)
	switch {
	case w.status == http.StatusNotFound:
		return tagState{}
	case w.status != http.StatusOK || body.Len() > maxManifest:
		return tagState{found: true, broken: fmt.Sprintf("its manifest cannot be read: the registry answers %d", w.status)}
	}
	t := readManifest(w.header.Get("Content-Type"), body.Bytes())
	if deep && (t.format == "list" || t.format == "index") {
		i.parts(ctx, repo, &t, body.Bytes())
	}
	for n, d := range t.layers {
		if deep && t.broken == "" && !(n < len(t.foreign) && t.foreign[n]) && !i.blob(ctx, repo, d).intact {
			t.broken = fmt.Sprintf("layer%d (%s) is missing or has other bytes", n+1, short(string(d)))
		}
	}
	return t
}

// readManifest takes a manifest apart.
func readManifest(mediaType string, body []byte) tagState {
	t := tagState{found: true, digest: digest.FromBytes(body), format: mediaFormat(mediaType, string(body))}
	switch t.format {
	case "schema1":
		readSchema1(&t, body)
	case "schema2", "oci":
		var m struct {
			Layers []struct {
				Digest digest.Digest
				URLs   []string
			}
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.broken = "its manifest is not JSON"
		}
		for _, l := range m.Layers {
			t.layers = append(t.layers, l.Digest)
			t.foreign = append(t.foreign, len(l.URLs) > 0)
		}
	}
	return t
}

// isEmptyLayer reports whether a V1 JSON says that its layer has no content.
func isEmptyLayer(v1 []byte) bool {
	var m struct {
		Throwaway bool
	}
	return json.Unmarshal(v1, &m) == nil && m.Throwaway
}

func readSchema1(t *tagState, body []byte) {
	m, err := schema1.Decode(body)
	if err != nil {
		t.broken = "its manifest is not JSON"
		return
	}
	t.signed = "valid"
	if _, err := schema1.Verify(body); err != nil {
		t.signed = err.Error()
	}
	if payload, err := schema1.Payload(body); err == nil {
		t.payload = digest.FromBytes(payload)
	}
	for _, l := range slices.Backward(m.FSLayers) {
		t.layers = append(t.layers, l.BlobSum)
	}
	for _, h := range slices.Backward(m.History) {
		var v1 struct {
			ID string `json:"id"`
		}
		if json.Unmarshal([]byte(h.V1Compatibility), &v1) != nil {
			t.broken = "its history is not JSON"
			return
		}
		t.images = append(t.images, v1.ID)
		if isEmptyLayer([]byte(h.V1Compatibility)) {
			t.empty++
		}
	}
}

// tagV1 reads what a V1 tag names and its ancestry. It asks the registry itself:
// a V1 registry is its own guard.
func (i inspector) tagV1(repo, tag string) tagState {
	id, ok := i.v1.Tags(repo)[tag]
	if !ok {
		return tagState{}
	}
	t := tagState{found: true, image: id, format: "v1"}
	if err := i.v1.Verify(repo, tag); err != nil {
		t.broken, _, _ = strings.Cut(err.Error(), "\n")
	}
	for seen := map[string]bool{}; id != "" && !seen[id]; {
		seen[id] = true
		t.images = append(t.images, id)
		image, _ := i.v1.Image(id)
		id = image.Parent
	}
	slices.Reverse(t.images)
	return t
}

// image is the state of one V1 image.
func (i inspector) image(id string) string {
	switch image, ok := i.v1.Image(id); {
	case !ok:
		return "absent"
	case !image.Complete:
		return "incomplete"
	}
	return "complete"
}
