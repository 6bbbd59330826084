package fakeregistry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// V1Options say how a V1 behaves. The zero value is the Python docker-registry in
// standalone mode, with nobody to ask (P-440 to P-451), but that it also verifies
// tarsums.
type V1Options struct {
	// Storage keeps the layers; nil makes one in memory that Close closes. A layer
	// is a blob of the repository that LayerRepository names.
	Storage *Storage
	Seed    uint64 // of tokens, and of a Storage made here

	// Standalone is what the ping says in X-Docker-Registry-Standalone: "" is
	// "True", or "False" with Index. Docker takes anything but "true" and "1" for no
	// (P-162).
	Standalone string
	// Index splits the roles as docker.io did: the index gives out tokens, and images
	// and tags are refused without one (P-443). Both are served here.
	Index bool
	// Users may ask the index, by name and password; nil lets everybody. They need
	// Index.
	Users map[string]string
	// Endpoints are the hosts that the index sends clients to for images; nil is the
	// host that was asked.
	Endpoints []string
	// PayloadOnly leaves X-Docker-Checksum alone, as docker-registry does since 0.7
	// (P-448).
	PayloadOnly bool

	Clock clock.Clock // of Last-Modified and Expires; nil is the real clock
}

// A V1 is a registry that speaks the V1 protocol: index, images and tags. It is
// safe for concurrent use.
type V1 struct {
	options V1Options
	storage *Storage
	owned   bool // whether Close closes the storage
	clock   clock.Clock

	mu     sync.Mutex // guards all below
	images map[string]*v1Image
	repos  map[string]*v1Repository
	tokens map[string]string // signature → repository
}

var _ Registry = (*V1)(nil)

// NewV1 makes a V1 registry. Close releases it.
func NewV1(o V1Options) *V1 {
	v := &V1{
		options: o, storage: o.Storage, clock: o.Clock,
		images: map[string]*v1Image{}, repos: map[string]*v1Repository{}, tokens: map[string]string{},
	}
	if v.clock == nil {
		v.clock = clock.Real()
	}
	if v.storage == nil {
		v.storage, v.owned = newMemoryStorage(), true
		v.storage.SetSeed(o.Seed)
	}
	return v
}

// Storage implements Registry.
func (v *V1) Storage() *Storage { return v.storage }

// Close implements Registry.
func (v *V1) Close() error {
	if !v.owned {
		return nil
	}
	return v.storage.Close()
}

// A v1Error is an answer other than success, in the Python registry's form.
type v1Error struct {
	status  int
	message string
}

func (e *v1Error) Error() string { return e.message }

func v1Refuse(status int, message string) error { return &v1Error{status, message} }

var (
	errImageNotFound = v1Refuse(http.StatusNotFound, "Image not found")
	errImageBusy     = v1Refuse(http.StatusBadRequest, "Image is being uploaded, retry later")
	errImageExists   = v1Refuse(http.StatusConflict, "Image already exists")
	errInvalidData   = v1Refuse(http.StatusBadRequest, "Invalid data")
)

// A v1Handler answers one operation. An error that it returns becomes the answer.
type v1Handler func(v *V1, w http.ResponseWriter, r *http.Request, route wire.Route) error

// v1Operation is what an operation does, and the access to its repository that it
// needs: "write", "read", "" for none, "index" for what only the index is asked.
func v1Operation(op wire.Op) (handle v1Handler, access string) {
	switch op {
	case wire.OpV1Ping:
		return (*V1).ping, ""
	case wire.OpV1RepoPut, wire.OpV1ImagesPut:
		return (*V1).putRepository, "index"
	case wire.OpV1JSONGet:
		return (*V1).getJSON, "read"
	case wire.OpV1JSONPut:
		return (*V1).putJSON, "write"
	case wire.OpV1LayerPut:
		return (*V1).putLayer, "write"
	case wire.OpV1ChecksumPut:
		return (*V1).putChecksum, "write"
	case wire.OpV1TagPut:
		return (*V1).putTag, "write"
	default:
		return nil, ""
	}
}

// v1Read is what reads back: requests that no push makes and that have no
// operation's name.
func v1Read(r *http.Request, route wire.Route) (handle v1Handler, access string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, ""
	}
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/layer") && route.ImageID != "":
		return (*V1).getLayer, "read"
	case strings.HasSuffix(p, "/ancestry") && route.ImageID != "":
		return (*V1).getAncestry, "read"
	case route.Tag != "":
		return (*V1).getTag, "read"
	case strings.HasSuffix(p, "/tags") && route.Repository != "":
		return (*V1).getTags, "read"
	case strings.HasSuffix(p, "/images") && route.Repository != "":
		return (*V1).getImages, "index"
	}
	return nil, ""
}

// ServeHTTP answers one request.
func (v *V1) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := wire.ParseRoute(r.Method, r.URL)
	handle, access := v1Operation(route.Op)
	if handle == nil && strings.HasPrefix(r.URL.Path, "/v1/") {
		handle, access = v1Read(r, route)
	}
	if handle == nil {
		v1NotFound(w)
		return
	}
	err := v.authorize(w, r, route, access)
	if err == nil && route.ImageID != "" && !validImageID(route.ImageID) {
		err = v1Refuse(http.StatusNotFound, "Invalid image ID")
	}
	if err == nil {
		err = handle(v, w, r, route)
	}
	if err != nil {
		v.writeError(w, r, err)
	}
}

func (v *V1) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *v1Error
	switch {
	case errors.As(err, &refusal) && refusal.message != "":
		v1Answer(w, refusal.status, `{"error": `+pythonString(refusal.message)+`}`)
	case r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF):
		w.WriteHeader(statusClientGone) // nobody is there to read it
	default:
		v1Broken(w)
	}
}

// v1Answer writes JSON with the headers of every answer (P-440).
func v1Answer(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// The pages that Flask, under the Python registry, shows where the registry itself
// has no answer.
const (
	pageNotFound = `<!doctype html>
<html lang=en>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>
`
	pageBroken = `<!doctype html>
<html lang=en>
<title>500 Internal Server Error</title>
<h1>Internal Server Error</h1>
<p>The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.</p>
`
)

func v1NotFound(w http.ResponseWriter) { v1Page(w, http.StatusNotFound, pageNotFound) }
func v1Broken(w http.ResponseWriter)   { v1Page(w, http.StatusInternalServerError, pageBroken) }

func v1Page(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, page)
}

// ping answers GET /v1/_ping (P-441).
func (v *V1) ping(w http.ResponseWriter, _ *http.Request, _ wire.Route) error {
	standalone := v.options.Standalone
	switch {
	case standalone != "":
	case v.options.Index:
		standalone = "False"
	default:
		standalone = "True"
	}
	w.Header().Set("X-Docker-Registry-Standalone", standalone)
	v1Answer(w, http.StatusOK, "{}")
	return nil
}

// validImageID reports whether s is 16 or 64 lower case hex digits (P-444).
func validImageID(s string) bool {
	return (len(s) == 16 || len(s) == 64) && only(s, func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' })
}

// pythonString quotes as Python's json.dumps does for ASCII text.
func pythonString(s string) string { return fmt.Sprintf("%q", s) }

// LayerRepository is the repository of the storage in which a V1 registry keeps
// the layer of an image, for Storage.Delete and its like.
func LayerRepository(imageID string) string { return "v1/images/" + imageID }
