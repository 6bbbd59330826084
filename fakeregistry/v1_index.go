package fakeregistry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A v1Repository is what the index and the tags know of one.
type v1Repository struct {
	listed []string          // IDs of the images that the index was told of, in order
	tags   map[string]string // tag → image ID
}

// maxV1Document is the largest JSON that is read, in bytes.
const maxV1Document = 4 << 20

// v1Name is a repository's full name: one without a namespace is in "library".
func v1Name(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "library/" + name
}

// repository finds or makes a repository. v.mu is held.
func (v *V1) repository(name string) *v1Repository {
	r := v.repos[v1Name(name)]
	if r == nil {
		r = &v1Repository{tags: map[string]string{}}
		v.repos[v1Name(name)] = r
	}
	return r
}

// putRepository answers the index's PUT of a repository or of its images: steps 1
// and 7 of a push (P-442).
func (v *V1) putRepository(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxV1Document))
	if err != nil {
		return err
	}
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		return v1Refuse(http.StatusBadRequest, "Error Decoding JSON")
	}
	list, ok := document.([]any)
	if !ok {
		return errInvalidData
	}
	name := v1Name(route.Repository)
	v.mu.Lock()
	repository := v.repository(name)
	for _, entry := range list {
		image, _ := entry.(map[string]any)
		if id, ok := image["id"].(string); ok && !slices.Contains(repository.listed, id) {
			repository.listed = append(repository.listed, id)
		}
	}
	token := v.newToken(name)
	v.mu.Unlock()

	h := w.Header()
	h["X-Docker-Endpoints"] = v.options.Endpoints
	if v.options.Endpoints == nil {
		h.Set("X-Docker-Endpoints", r.Host)
	}
	h.Set("X-Docker-Token", token)
	h.Set("WWW-Authenticate", token)
	if route.Op == wire.OpV1ImagesPut {
		v1Answer(w, http.StatusNoContent, "")
	} else {
		v1Answer(w, http.StatusOK, `""`)
	}
	return nil
}

// newToken gives out a token for writing to a repository. v.mu is held.
func (v *V1) newToken(repository string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	n := uint64(len(v.tokens))
	signature := make([]byte, 16)
	for i := range signature {
		signature[i] = letters[mix(v.options.Seed^mix(n*16+uint64(i)))%uint64(len(letters))]
	}
	v.tokens[string(signature)] = repository
	return fmt.Sprintf("Token signature=%s,repository=%q,access=write", signature, repository)
}

// authorize checks what a request may, where tokens are asked for (P-443). The
// index asks for a user instead.
func (v *V1) authorize(w http.ResponseWriter, r *http.Request, route wire.Route, access string) error {
	if !v.options.Index || access == "" {
		return nil
	}
	refusal := v1Refuse(http.StatusUnauthorized, "Requires authorization")
	said := r.Header.Get("Authorization")
	if access == "index" {
		user, password, ok := r.BasicAuth()
		if known, exists := v.options.Users[user]; v.options.Users == nil || ok && exists && known == password {
			return nil
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
		return refusal
	}
	v.mu.Lock()
	repository, known := v.tokens[tokenPart(said, "signature")]
	v.mu.Unlock()
	fits := known && tokenPart(said, "access") == access && tokenPart(said, "repository") == repository &&
		(route.Repository == "" || v1Name(route.Repository) == repository)
	if !fits {
		w.Header().Set("WWW-Authenticate", "Token")
		return refusal
	}
	return nil
}

// tokenPart is one part of an Authorization header with a token; docker writes the
// word Token twice (P-432).
func tokenPart(header, name string) string {
	for part := range strings.SplitSeq(strings.ReplaceAll(header, "Token ", ""), ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// mayUse reports whether an image belongs to the repository of a request's token;
// where no tokens are asked for, all do. v.mu is held.
func (v *V1) mayUse(r *http.Request, id string) bool {
	if !v.options.Index {
		return true
	}
	repository := v.tokens[tokenPart(r.Header.Get("Authorization"), "signature")]
	known := v.repos[repository]
	return known != nil && slices.Contains(known.listed, id)
}

// putTag answers PUT of a tag (P-449). An image that is not complete will do.
func (v *V1) putTag(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if !validTag(route.Tag) {
		return v1Refuse(http.StatusBadRequest, `Invalid tag name (must match ^[\w][\w.-]{0,127}$)`)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxV1Document))
	if err != nil {
		return err
	}
	var id string
	if json.Unmarshal(body, &id) != nil {
		return errInvalidData
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.images[id] == nil {
		return errImageNotFound
	}
	if err := v.storage.ask(r.Context(), Access{Op: StorageTag, Repository: v1Name(route.Repository), Tag: route.Tag}); err != nil {
		return err
	}
	v.repository(route.Repository).tags[route.Tag] = id
	v1Answer(w, http.StatusOK, "true")
	return nil
}

// getTag answers GET of a tag with the image's ID.
func (v *V1) getTag(w http.ResponseWriter, _ *http.Request, route wire.Route) error {
	id, ok := v.Tags(route.Repository)[route.Tag]
	if !ok {
		return v1Refuse(http.StatusNotFound, "Tag not found")
	}
	v1Answer(w, http.StatusOK, pythonString(id))
	return nil
}

// getTags answers GET of all tags.
func (v *V1) getTags(w http.ResponseWriter, _ *http.Request, route wire.Route) error {
	tags := v.Tags(strings.TrimSuffix(route.Repository, "/tags"))
	if tags == nil {
		return v1Refuse(http.StatusNotFound, "Repository not found")
	}
	b, err := json.Marshal(tags)
	if err != nil {
		return err
	}
	v1Answer(w, http.StatusOK, string(b))
	return nil
}

// getImages answers the index's GET of a repository's images.
func (v *V1) getImages(w http.ResponseWriter, _ *http.Request, route wire.Route) error {
	v.mu.Lock()
	r := v.repos[v1Name(route.Repository)]
	type listed struct {
		ID string `json:"id"`
	}
	list := []listed{}
	if r != nil {
		for _, id := range r.listed {
			list = append(list, listed{id})
		}
	}
	v.mu.Unlock()
	if r == nil {
		return v1Refuse(http.StatusNotFound, "images not found")
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	v1Answer(w, http.StatusOK, string(b))
	return nil
}
