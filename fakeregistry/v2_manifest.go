package fakeregistry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// maxManifest is the largest manifest that is taken, in bytes (P-307, P-566).
const maxManifest = 4 << 20

// putManifest answers PUT of a manifest (end-7, P-300): parse, compare digests,
// verify signature and blobs, store, tag.
func (v *V2) putManifest(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if !errors.As(err, &tooLarge) && errors.Is(bodyError(r, err), errClientGone) {
			return errClientGone
		}
		if tooLarge != nil && !v.options.Quirks.DistributionErrors {
			return &Error{Code: CodeSizeInvalid, Message: "the manifest is too large", Status: http.StatusRequestEntityTooLarge}
		}
		return CodeManifestInvalid.With(err)
	}
	m, err := parseManifest(r.Header.Get("Content-Type"), body)
	if err == nil && !v.accepts(m.format) {
		err = errors.New("this registry takes no " + string(m.format) + " manifests")
	}
	if err != nil {
		return CodeManifestInvalid.With(err)
	}
	if route.Tag == "" && route.Digest != m.digest {
		return CodeDigestInvalid.With(nil)
	}
	if err := v.verifyManifest(r.Context(), route.Repository, m); err != nil {
		return err
	}
	if err := v.storeManifest(r.Context(), route, m); err != nil {
		return CodeUnknown.With(err)
	}
	h := w.Header()
	h.Set("Location", v.location(r, "/v2/"+route.Repository+"/manifests/"+m.digest.String()))
	v.setDigest(h, m.digest)
	if m.info.Subject != "" && !v.options.Quirks.NoReferrers {
		h.Set("OCI-Subject", m.info.Subject.String())
	}
	h.Set("Content-Length", "0")
	status := http.StatusCreated
	if v.options.Quirks.ManifestAccepted {
		status = http.StatusAccepted
	}
	w.WriteHeader(status)
	return nil
}

func (v *V2) accepts(f Format) bool {
	if v.options.Accepts == nil {
		return true
	}
	for _, a := range v.options.Accepts {
		if a == f {
			return true
		}
	}
	return false
}

func (v *V2) storeManifest(ctx context.Context, route wire.Route, m *manifest) error {
	if err := v.storage.PutContent(ctx, m.digest, m.payload); err != nil {
		return err
	}
	if err := v.storage.LinkManifest(ctx, route.Repository, m.digest, m.info); err != nil {
		return err
	}
	if route.Tag == "" {
		return nil
	}
	return v.storage.Tag(ctx, route.Repository, route.Tag, m.digest)
}

// getManifest answers GET and HEAD of a manifest (end-3).
func (v *V2) getManifest(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	accepts := acceptedTypes(r.Header)
	d := route.Digest
	if route.Tag != "" {
		tagged, err := v.storage.Tagged(r.Context(), route.Repository, route.Tag)
		if errors.Is(err, ErrNotStored) {
			return CodeManifestUnknown.With("unknown tag=" + route.Tag)
		}
		if err != nil {
			return err
		}
		d = tagged
	}
	for _, etag := range r.Header["If-None-Match"] {
		if strings.Trim(etag, `"`) == d.String() {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	info, body, err := v.readManifest(r.Context(), route.Repository, d)
	if err != nil {
		return err
	}
	if !v.options.Quirks.IgnoreAccept {
		if info.MediaType == mediaTypeOCIManifest && !accepts[mediaTypeOCIManifest] {
			return &Error{Code: CodeManifestUnknown, Message: "OCI manifest found, but accept header does not support OCI manifests"}
		}
		if route.Tag != "" && info.MediaType == mediaTypeList && !accepts[mediaTypeList] {
			d, info, body, err = v.defaultPlatform(r.Context(), route.Repository, body, accepts)
			if err != nil {
				return err
			}
		}
	}
	if info.Signed != nil {
		body = info.Signed
	}
	h := w.Header()
	h.Set("Content-Type", info.MediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	v.setDigest(h, d)
	h.Set("Etag", `"`+d.String()+`"`)
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
	return nil
}

// readManifest reads a manifest of a repository.
func (v *V2) readManifest(ctx context.Context, repository string, d digest.Digest) (*ManifestInfo, []byte, error) {
	info, err := v.storage.LinkedManifest(ctx, repository, d)
	var body []byte
	if err == nil {
		body, err = v.storage.readContent(ctx, d)
	}
	if errors.Is(err, ErrNotStored) {
		return nil, nil, CodeManifestUnknown.With("unknown manifest name=" + repository + " revision=" + d.String())
	}
	return info, body, err
}

// defaultPlatform is what a client gets that asks for a tag and takes no lists:
// the manifest of linux/amd64.
func (v *V2) defaultPlatform(ctx context.Context, repository string, list []byte, accepts map[string]bool) (digest.Digest, *ManifestInfo, []byte, error) {
	var doc indexDocument
	if err := json.Unmarshal(list, &doc); err != nil {
		return "", nil, nil, err
	}
	for _, m := range doc.Manifests {
		if m.Platform == nil || m.Platform.Architecture != "amd64" || m.Platform.OS != "linux" {
			continue
		}
		info, body, err := v.readManifest(ctx, repository, m.Digest)
		if err == nil && info.MediaType == mediaTypeSchema2 && !accepts[mediaTypeSchema2] {
			err = &Error{Code: CodeManifestInvalid, Message: "Schema 2 manifest not supported by client"}
		}
		return m.Digest, info, body, err
	}
	return "", nil, nil, CodeManifestUnknown.With(nil)
}

// acceptedTypes are the media types that Accept lists, as written; weights are
// not looked at.
func acceptedTypes(h http.Header) map[string]bool {
	accepts := map[string]bool{}
	for _, line := range h["Accept"] {
		for t := range strings.SplitSeq(line, ",") {
			t, _, _ = strings.Cut(t, ";")
			accepts[strings.ToLower(strings.TrimSpace(t))] = true
		}
	}
	return accepts
}

// deleteManifest answers DELETE of a manifest, with all its tags, or of a tag
// (end-9).
func (v *V2) deleteManifest(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if !v.options.Delete {
		return CodeUnsupported.With(nil)
	}
	err := v.untagAll(r.Context(), route)
	if errors.Is(err, ErrNotStored) {
		return CodeManifestUnknown.With(nil)
	}
	if err != nil {
		return CodeUnknown.With(err)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (v *V2) untagAll(ctx context.Context, route wire.Route) error {
	if route.Tag != "" {
		return v.storage.Untag(ctx, route.Repository, route.Tag)
	}
	if err := v.storage.UnlinkManifest(ctx, route.Repository, route.Digest); err != nil {
		return err
	}
	for tag, d := range v.storage.TagMap(route.Repository) {
		if d != route.Digest {
			continue
		}
		if err := v.storage.Untag(ctx, route.Repository, tag); err != nil && !errors.Is(err, ErrNotStored) {
			return err
		}
	}
	return nil
}
