package fakeregistry

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// getBlob answers GET and HEAD of a blob (OCI distribution-spec end-2; P-323).
func (v *V2) getBlob(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	d := route.Digest
	stored, size, err := v.statBlob(r, route.Repository, d)
	if errors.Is(err, ErrNotStored) {
		return CodeBlobUnknown.With(d)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	v.setDigest(h, d)
	h.Set("Etag", `"`+d.String()+`"`)
	h.Set("Cache-Control", "max-age=31536000")
	h.Set("Content-Type", "application/octet-stream")
	if !v.options.Quirks.DistributionErrors {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	if r.Method == http.MethodHead && r.Header.Get("Range") == "" && r.Header.Get("If-None-Match") == "" {
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		w.WriteHeader(http.StatusOK) // for those who wait for blob.head@200
		return nil
	}
	content, _, err := v.storage.OpenContent(r.Context(), stored)
	if err != nil {
		return err
	}
	defer content.Close()
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// statBlob resolves a blob of a repository to its bytes.
func (v *V2) statBlob(r *http.Request, repository string, d digest.Digest) (stored digest.Digest, size int64, err error) {
	if v.options.Quirks.GlobalBlobs {
		stored = d
	} else if stored, err = v.storage.Linked(r.Context(), repository, d); err != nil {
		return "", 0, err
	}
	size, err = v.storage.StatContent(r.Context(), stored)
	return stored, size, err
}

// deleteBlob answers DELETE of a blob (end-10).
func (v *V2) deleteBlob(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if !v.options.Delete {
		return CodeUnsupported.With(nil)
	}
	_, _, err := v.statBlob(r, route.Repository, route.Digest)
	if err == nil {
		err = v.storage.Unlink(r.Context(), route.Repository, route.Digest)
	}
	if errors.Is(err, ErrNotStored) {
		return CodeBlobUnknown.With(nil)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// blobCreated answers 201 with the blob's location.
func (v *V2) blobCreated(w http.ResponseWriter, r *http.Request, repository string, d digest.Digest) {
	h := w.Header()
	h.Set("Location", v.location(r, "/v2/"+repository+"/blobs/"+d.String()))
	h.Set("Content-Length", "0")
	v.setDigest(h, d)
	w.WriteHeader(http.StatusCreated)
}

func (v *V2) setDigest(h http.Header, d digest.Digest) {
	if !v.options.Quirks.NoDigestHeader {
		h.Set("Docker-Content-Digest", d.String())
	}
}

// location makes a Location of a path: absolute, as seen by the client.
func (v *V2) location(r *http.Request, path string) string {
	if v.options.Quirks.RelativeLocation {
		return path
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + path
}

// errClientGone says that the client ended its connection in the middle of its
// body: there is nobody to answer (P-322).
var errClientGone = errors.New("client disconnected")

const statusClientGone = 499 // nginx's; P-322

// bodyError is what to answer when reading a body or storing it failed.
func bodyError(r *http.Request, err error) error {
	if r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClientGone
	}
	return CodeUnknown.With(err)
}
