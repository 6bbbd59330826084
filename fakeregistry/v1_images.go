package fakeregistry

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/tarsum"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A v1Image is one image as far as it was pushed. It is replaced, not changed,
// but under V1.mu.
type v1Image struct {
	id, parent string
	json       []byte
	pushed     time.Time
	uploading  bool          // from its JSON to its checksum
	layer      digest.Digest // "" before there is one
	size       int64         // of the layer
	checksum   string        // computed payload checksum: "sha256:…"; "" before there is a layer
	tarsum     string        // as the client said, once verified
}

// imageIdentity reads id and parent from an image's JSON.
func imageIdentity(document []byte) (id, parent string, err error) {
	var doc struct{ ID, Parent string }
	if err := json.Unmarshal(document, &doc); err != nil {
		return "", "", fmt.Errorf("v1 image: %w", err)
	}
	if !validImageID(doc.ID) {
		return "", "", fmt.Errorf("v1 image: %q is no image ID; want 64 hex digits", doc.ID)
	}
	return doc.ID, doc.Parent, nil
}

// image is a copy of what is known of an image.
//
// Errors: errImageNotFound.
func (v *V1) image(id string) (v1Image, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := v.images[id]; i != nil {
		return *i, nil
	}
	return v1Image{}, errImageNotFound
}

// getJSON answers GET of an image's JSON (P-445).
func (v *V1) getJSON(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	i, err := v.image(route.ImageID)
	if i.uploading {
		return errImageBusy
	}
	if r.Header.Get("If-Modified-Since") != "" {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err != nil {
		return err
	}
	v.cacheHeaders(w, &i)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Docker-Size", strconv.FormatInt(i.size, 10))
	h.Set("X-Docker-Checksum-Payload", i.checksum)
	w.Write(i.json)
	return nil
}

// cacheHeaders lets an answer be kept for a year.
func (v *V1) cacheHeaders(w http.ResponseWriter, i *v1Image) {
	const year = 365 * 24 * time.Hour
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000")
	h.Set("Expires", v.clock.Now().Add(year).UTC().Format(http.TimeFormat))
	h.Set("Last-Modified", i.pushed.UTC().Format(http.TimeFormat))
}

// putJSON answers PUT of an image's JSON (P-446): it begins the image's upload.
func (v *V1) putJSON(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxV1Document))
	if err != nil {
		return err
	}
	var document map[string]any
	if json.Unmarshal(body, &document) != nil {
		return v1Refuse(http.StatusBadRequest, "Invalid JSON")
	}
	id, ok := document["id"]
	if !ok {
		return v1Refuse(http.StatusBadRequest, "Missing key `id' in JSON")
	}
	if id != route.ImageID {
		return v1Refuse(http.StatusBadRequest, "JSON data contains invalid id")
	}
	parent, _ := document["parent"].(string)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.mayUse(r, route.ImageID) {
		return v1Refuse(http.StatusBadRequest, "This image does not belong to the repository")
	}
	if parent != "" && v.images[parent] == nil {
		return v1Refuse(http.StatusBadRequest, "Image depends on a non existing parent")
	}
	if parent != "" && !v.mayUse(r, parent) {
		return v1Refuse(http.StatusBadRequest, "Image depends on an unauthorized parent")
	}
	if old := v.images[route.ImageID]; old != nil && !old.uploading {
		return errImageExists
	}
	if err := v.storage.ask(r.Context(), Access{Op: StorageManifest, Repository: LayerRepository(route.ImageID)}); err != nil {
		return err
	}
	v.images[route.ImageID] = &v1Image{
		id: route.ImageID, parent: parent, json: body, pushed: v.clock.Now(), uploading: true,
	}
	v1Answer(w, http.StatusOK, "true")
	return nil
}

// putLayer answers PUT of an image's layer (P-447).
func (v *V1) putLayer(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	i, err := v.image(route.ImageID)
	if err != nil {
		return err
	}
	if i.layer != "" && !i.uploading {
		return errImageExists
	}
	payload := sha256.New()
	payload.Write(i.json)
	payload.Write([]byte("\n"))
	d, size, err := v.storeLayer(r, route.ImageID, payload)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	current := v.images[route.ImageID]
	if bytes.Equal(current.json, i.json) { // else another upload of the image began meanwhile
		current.layer, current.size = d, size
		current.checksum = "sha256:" + hex.EncodeToString(payload.Sum(nil))
	}
	v1Answer(w, http.StatusOK, "true")
	return nil
}

// storeLayer keeps a request's body, adding it to a sum on the way.
func (v *V1) storeLayer(r *http.Request, id string, sum hash.Hash) (digest.Digest, int64, error) {
	u, err := v.storage.Begin(r.Context(), LayerRepository(id), "", true)
	if err != nil {
		return "", 0, err
	}
	if _, err := u.ReadFrom(r.Context(), io.TeeReader(r.Body, sum), r.ContentLength); err != nil {
		u.Cancel()
		return "", 0, err
	}
	d := u.Digest()
	size := u.Size()
	if err := u.Commit(r.Context(), d); err != nil {
		u.Cancel()
		return "", 0, err
	}
	return d, size, nil
}

// putChecksum answers PUT of an image's checksum (P-448): it ends the image's
// upload.
func (v *V1) putChecksum(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	said, ok := r.Header["X-Docker-Checksum-Payload"]
	if !ok {
		return v1Refuse(http.StatusPreconditionFailed,
			"X-Docker-Checksum-Payload not set. If you are using the Docker daemon, you should upgrade to version >= 0.10")
	}
	if said[0] == "" {
		return v1Refuse(http.StatusBadRequest, "Missing Image's checksum")
	}
	i, err := v.image(route.ImageID)
	switch {
	case err != nil:
		return err
	case !i.uploading:
		return v1Refuse(http.StatusConflict, "Cannot set this image checksum")
	case i.checksum == "":
		return errors.New("no layer was pushed") // the Python registry falls over here
	case i.checksum != said[0] || !v.tarsumFits(r, &i):
		return v1Refuse(http.StatusBadRequest, "Checksum mismatch")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	current := v.images[route.ImageID]
	current.uploading, current.tarsum = false, r.Header.Get("X-Docker-Checksum")
	v1Answer(w, http.StatusOK, "true")
	return nil
}

// tarsumFits compares X-Docker-Checksum, where a request has one, with the stored
// layer.
func (v *V1) tarsumFits(r *http.Request, i *v1Image) bool {
	said := r.Header.Get("X-Docker-Checksum")
	if said == "" || v.options.PayloadOnly {
		return true
	}
	layer, _, err := v.storage.Blob(LayerRepository(i.id), i.layer)
	if err != nil {
		return false
	}
	defer layer.Close()
	tar, err := maybeGunzip(layer)
	if err != nil {
		return false
	}
	sum, err := tarsum.Compute(tar, i.json)
	return err == nil && sum == said
}

// maybeGunzip is r, uncompressed if it is gzip.
func maybeGunzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	magic, _ := b.Peek(2) // an error shows again when it is read
	if string(magic) != "\x1f\x8b" {
		return b, nil
	}
	return gzip.NewReader(b)
}

// getLayer answers GET of an image's layer.
func (v *V1) getLayer(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	i, err := v.image(route.ImageID)
	if err != nil {
		return err
	}
	if i.uploading {
		return errImageBusy
	}
	if err := v.storage.ask(r.Context(), Access{Op: StorageRead, Repository: LayerRepository(i.id), Digest: i.layer}); err != nil {
		return err
	}
	layer, size, err := v.storage.Blob(LayerRepository(i.id), i.layer)
	if err != nil {
		return errImageNotFound
	}
	defer layer.Close()
	v.cacheHeaders(w, &i)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, layer) // who went away is told nothing
	}
	return nil
}

// getAncestry answers GET of an image's ancestry: its ID, its parent's and so on.
func (v *V1) getAncestry(w http.ResponseWriter, _ *http.Request, route wire.Route) error {
	i, err := v.image(route.ImageID)
	if err != nil {
		return err
	}
	if i.uploading {
		return errImageBusy
	}
	var ids []string
	for err == nil {
		ids = append(ids, i.id)
		if i.parent == "" {
			break
		}
		i, err = v.image(i.parent)
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	v.cacheHeaders(w, &i)
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
	return nil
}
