package fakeregistry

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// V2Options say how a V2 behaves. The zero value is distribution 3.1.2 with its
// default configuration, but that it also takes schema 1, uploads in one POST, and
// has referrers; see Differences for the rest.
type V2Options struct {
	// Storage is what to serve; nil makes one in memory that Close closes.
	Storage *Storage
	// Seed decides the names of upload sessions of a Storage made here, and the
	// secret in their locations.
	Seed uint64

	Delete   bool // take DELETE of blobs, manifests and tags; distribution must be told to
	ReadOnly bool // no POST, PUT, PATCH or DELETE: 405, as distribution under maintenance (P-309)
	// Accepts limits the manifests that are taken; nil is all of them. Others are
	// answered MANIFEST_INVALID.
	Accepts []Format
	// ForeignLayers takes layers that live elsewhere, whatever their URLs;
	// distribution refuses every URL unless its configuration lists it.
	ForeignLayers bool

	Quirks Quirks
}

// A Format is a family of manifests.
type Format string

// The formats.
const (
	Schema1 Format = "schema1" // signed, docker before 1.10
	Schema2 Format = "schema2" // and docker's lists
	OCI     Format = "oci"     // image manifests and indexes
)

// A V2 is a registry that speaks the V2 protocol: our own, small and quick, with
// the answers of distribution. It is safe for concurrent use.
type V2 struct {
	options V2Options
	storage *Storage
	owned   bool // whether Close closes the storage
	secret  [32]byte
	asked   atomic.Int64 // requests so far, where a quirk counts them
}

var _ Registry = (*V2)(nil)

// NewV2 makes a V2 registry. Close releases it; it needs no closing when its
// storage was given and its requests have ended.
func NewV2(o V2Options) *V2 {
	v := &V2{options: o, storage: o.Storage}
	if v.storage == nil {
		v.storage, v.owned = newMemoryStorage(), true
		v.storage.SetSeed(o.Seed)
	}
	for i := range v.secret {
		v.secret[i] = byte(mix(o.Seed + uint64(i)))
	}
	return v
}

// Storage implements Registry.
func (v *V2) Storage() *Storage { return v.storage }

// Close implements Registry.
func (v *V2) Close() error {
	if !v.owned {
		return nil
	}
	return v.storage.Close()
}

// A v2Handler answers one operation. An error that it returns becomes the answer.
type v2Handler func(v *V2, w http.ResponseWriter, r *http.Request, route wire.Route) error

// v2Operation is what an operation does; nil for one that is none of V2's.
func v2Operation(op wire.Op) v2Handler {
	switch op {
	case wire.OpBlobHead, wire.OpBlobGet:
		return (*V2).getBlob
	case wire.OpBlobDelete:
		return (*V2).deleteBlob
	case wire.OpUploadStart:
		return (*V2).startUpload
	case wire.OpUploadMount:
		return (*V2).mountBlob
	case wire.OpUploadPatch:
		return (*V2).patchUpload
	case wire.OpUploadPut:
		return (*V2).putUpload
	case wire.OpUploadStatus:
		return (*V2).uploadStatus
	case wire.OpUploadCancel:
		return (*V2).cancelUpload
	case wire.OpManifestHead, wire.OpManifestGet:
		return (*V2).getManifest
	case wire.OpManifestPut:
		return (*V2).putManifest
	case wire.OpManifestDelete:
		return (*V2).deleteManifest
	case wire.OpTagsList:
		return (*V2).listTags
	case wire.OpReferrers:
		return (*V2).listReferrers
	default:
		return nil
	}
}

// ServeHTTP answers one request.
func (v *V2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v.options.Quirks.ornery() {
		v.answerOddly(w, r)
		return
	}
	v.answer(w, r)
}

// answer answers one request without the oddities that surround an answer.
func (v *V2) answer(w http.ResponseWriter, r *http.Request) {
	if !v.options.Quirks.NoVersionHeader {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0") // on every answer (P-315)
	}
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		w.Header().Set("Location", clean)
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if target := slashPath(r.URL.Path); target != r.URL.Path {
		http.Redirect(w, r, target, http.StatusMovedPermanently)
		return
	}
	if r.URL.Path == "/v2/" {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", "2")
		w.Write([]byte("{}"))
		return
	}
	if err := v.serve(w, r); err != nil {
		v.writeError(w, err)
	}
}

// serve answers a request below /v2/. What the path says is checked before the
// method is looked at, as distribution does it.
func (v *V2) serve(w http.ResponseWriter, r *http.Request) error {
	route := wire.ParseRoute(r.Method, r.URL)
	place := placeOf(route, r)
	if place.Op == wire.OpOther || !validPath(place) || v.options.Quirks.NoReferrers && place.Op == wire.OpReferrers {
		http.NotFound(w, r) // in plain text, as Go's router writes it (P-310)
		return nil
	}
	if err := checkName(place.Repository); err != nil {
		return err
	}
	if place.Digest != "" && place.Session == "" && namesDigest(place.Op) && place.Digest.Validate() != nil {
		return CodeDigestInvalid.With(place.Digest.Validate())
	}
	if handle := v2Operation(route.Op); handle != nil && v.takes(route.Op) {
		return handle(v, w, r, route)
	}
	if err := v.checkSession(r, place); err != nil {
		return err
	}
	if allowed := v.methods(place); !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method != http.MethodOptions {
			http.Error(w, "Method not allowed", http.StatusMethodNotAllowed) // P-309
		}
		return nil
	}
	if r.Method == http.MethodPost { // of a session: distribution starts another one
		return v.startUpload(w, r, place)
	}
	return CodeBlobUploadUnknown.With(nil) // a session's method where no session is named (P-540)
}

// placeOf is a route with an operation for a path that has one with another
// method, so that what the path names is known.
func placeOf(route wire.Route, r *http.Request) wire.Route {
	if route.Op == wire.OpOther {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if route = wire.ParseRoute(method, r.URL); route.Op != wire.OpOther {
				break
			}
		}
	}
	return route
}

// namesDigest reports whether the digest of a route stands in its path.
func namesDigest(op wire.Op) bool {
	return op != wire.OpUploadPut && op != wire.OpUploadMount
}

// takes reports whether an operation is there, under this configuration.
func (v *V2) takes(op wire.Op) bool {
	switch op {
	case wire.OpBlobHead, wire.OpBlobGet, wire.OpUploadStatus, wire.OpManifestHead, wire.OpManifestGet, wire.OpTagsList, wire.OpReferrers:
		return true
	case wire.OpUploadPatch:
		return !v.options.ReadOnly && !v.options.Quirks.NoPatch
	default:
		return !v.options.ReadOnly
	}
}

// checkSession checks the state in the location of a session that is asked for
// what it does not do; what it does checks it itself.
func (v *V2) checkSession(r *http.Request, place wire.Route) error {
	if place.Session == "" || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	_, err := v.resumeUpload(r, place)
	return err
}

// methods are the methods that a place takes, in order.
func (v *V2) methods(place wire.Route) []string {
	read := []string{http.MethodGet, http.MethodHead}
	var write []string
	switch place.Op {
	case wire.OpBlobHead, wire.OpBlobGet, wire.OpBlobDelete:
		write = []string{http.MethodDelete}
	case wire.OpManifestHead, wire.OpManifestGet, wire.OpManifestPut, wire.OpManifestDelete:
		write = []string{http.MethodDelete, http.MethodPut}
	case wire.OpTagsList, wire.OpReferrers:
		return []string{http.MethodGet}
	default:
		write = []string{http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodPut}
		if v.options.Quirks.NoPatch {
			write = []string{http.MethodDelete, http.MethodPost, http.MethodPut}
		}
	}
	if v.options.ReadOnly {
		return read
	}
	all := append(read, write...)
	slices.Sort(all)
	return all
}

// writeError answers with an error of a handler.
func (v *V2) writeError(w http.ResponseWriter, err error) {
	if errors.Is(err, errClientGone) {
		w.WriteHeader(statusClientGone)
		return
	}
	if v.options.Quirks.PlainErrors {
		w = &plainErrors{w}
	}
	WriteError(w, err)
}

// plainErrors sends JSON as what Go takes it for when nobody says (P-324).
type plainErrors struct{ http.ResponseWriter }

func (w *plainErrors) WriteHeader(status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.ResponseWriter.WriteHeader(status)
}

// cleanPath is a path without empty and dotted parts. Docker 1.8 pings a mirror at
// //v2/ (P-063).
func cleanPath(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// slashPath is a path with the slash at its end that its place has, or without.
func slashPath(p string) string {
	switch {
	case p == "/v2", strings.HasPrefix(p, "/v2/") && strings.HasSuffix(p, "/blobs/uploads"):
		return p + "/"
	case strings.HasPrefix(p, "/v2/") && strings.HasSuffix(p, "/tags/list/"):
		return strings.TrimSuffix(p, "/")
	}
	return p
}
