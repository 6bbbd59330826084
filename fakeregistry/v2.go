package fakeregistry

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

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

// v2Operations is what each operation does. What changes something is absent
// from a read-only registry.
func v2Operation(op wire.Op) (handle v2Handler, changes bool) {
	switch op {
	case wire.OpBlobHead, wire.OpBlobGet:
		return (*V2).getBlob, false
	case wire.OpBlobDelete:
		return (*V2).deleteBlob, true
	case wire.OpUploadStart:
		return (*V2).startUpload, true
	case wire.OpUploadMount:
		return (*V2).mountBlob, true
	case wire.OpUploadPatch:
		return (*V2).patchUpload, true
	case wire.OpUploadPut:
		return (*V2).putUpload, true
	case wire.OpUploadStatus:
		return (*V2).uploadStatus, false
	case wire.OpUploadCancel:
		return (*V2).cancelUpload, true
	case wire.OpManifestHead, wire.OpManifestGet:
		return (*V2).getManifest, false
	case wire.OpManifestPut:
		return (*V2).putManifest, true
	case wire.OpManifestDelete:
		return (*V2).deleteManifest, true
	case wire.OpTagsList:
		return (*V2).listTags, false
	case wire.OpReferrers:
		return (*V2).listReferrers, false
	default:
		return nil, false
	}
}

// ServeHTTP answers one request.
func (v *V2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !v.options.Quirks.NoVersionHeader {
		w.Header().Set("Docker-Distribution-API-Version", "registry/2.0") // on every answer (P-315)
	}
	if target := v2Redirect(r.URL.Path); target != "" {
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
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
	route := wire.ParseRoute(r.Method, r.URL)
	handle, changes := v2Operation(route.Op)
	if handle == nil || changes && v.options.ReadOnly || v.lacks(route.Op) {
		v.refuse(w, r, route)
		return
	}
	if !validPath(route) {
		http.NotFound(w, r) // P-310
		return
	}
	err := checkName(route.Repository)
	if err == nil {
		err = handle(v, w, r, route)
	}
	if err != nil {
		v.writeError(w, err)
	}
}

// lacks reports whether a quirk takes an operation away.
func (v *V2) lacks(op wire.Op) bool {
	q := v.options.Quirks
	return op == wire.OpReferrers && q.NoReferrers || op == wire.OpUploadPatch && q.NoPatch
}

// writeError answers with an error of a handler.
func (v *V2) writeError(w http.ResponseWriter, err error) {
	if errors.Is(err, errClientGone) {
		w.WriteHeader(statusClientGone)
		return
	}
	WriteError(w, err)
}

// refuse answers what no handler takes: 405 where another method would do, else
// 404, both in plain text as Go's router writes them (P-309, P-310).
func (v *V2) refuse(w http.ResponseWriter, r *http.Request, route wire.Route) {
	if route.Repository != "" && !validPath(route) {
		http.NotFound(w, r)
		return
	}
	if route.Op == wire.OpOther && strings.HasSuffix(r.URL.Path, "/blobs/uploads/") && knownMethod(r.Method) &&
		(!v.options.ReadOnly || r.Method == http.MethodGet || r.Method == http.MethodHead) {
		WriteError(w, CodeBlobUploadUnknown.With(nil)) // a session's method without a session (P-540)
		return
	}
	var allow []string
	for _, method := range v2Methods() {
		other := wire.ParseRoute(method, r.URL)
		handle, changes := v2Operation(other.Op)
		if handle != nil && !(changes && v.options.ReadOnly) && !v.lacks(other.Op) {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	if r.Method == http.MethodOptions {
		return
	}
	http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
}

// v2Methods are the methods of the protocol, in order.
func v2Methods() []string {
	return []string{
		http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut,
	}
}

func knownMethod(method string) bool { return slices.Contains(v2Methods(), method) }

// v2Redirect is where a path that is not in its canonical form is redirected to;
// "" when it is.
func v2Redirect(p string) string {
	if strings.Contains(p, "//") || strings.Contains(p, "/.") {
		clean := path.Clean(p)
		if strings.HasSuffix(p, "/") && clean != "/" {
			clean += "/"
		}
		if clean != p {
			return clean
		}
	}
	switch {
	case p == "/v2", strings.HasPrefix(p, "/v2/") && strings.HasSuffix(p, "/blobs/uploads"):
		return p + "/"
	case strings.HasPrefix(p, "/v2/") && strings.HasSuffix(p, "/tags/list/"):
		return strings.TrimSuffix(p, "/")
	}
	return ""
}
