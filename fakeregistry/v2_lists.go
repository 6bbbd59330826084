package fakeregistry

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// listTags answers GET of tags/list, with ?n= and ?last= (end-8a, end-8b).
func (v *V2) listTags(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	q := r.URL.Query()
	limit := -1
	if said := q.Get("n"); said != "" {
		n, err := strconv.Atoi(said)
		if err != nil || n < 0 {
			return v.wrongNumber(n)
		}
		limit = n
	}
	if most := v.options.Quirks.MaxTags; most > 0 && int64(limit) > most {
		return CodeUnsupported.With(nil)
	}
	tags := []string{}
	if limit != 0 {
		all, err := v.storage.Tags(r.Context(), route.Repository)
		if errors.Is(err, ErrNotStored) {
			return CodeNameUnknown.With(map[string]string{"name": route.Repository})
		}
		if err != nil {
			return CodeUnknown.With(err)
		}
		last := q.Get("last")
		if i := slices.IndexFunc(all, func(tag string) bool { return tag > last }); i >= 0 {
			tags = all[i:]
		}
	}
	if limit > 0 && len(tags) >= limit { // even when that was all: distribution does not look further
		tags = tags[:limit]
		next := url.Values{"n": {strconv.Itoa(limit)}, "last": {tags[limit-1]}}
		w.Header().Set("Link", "<"+r.URL.Path+"?"+next.Encode()+`>; rel="next"`)
	}
	return writeJSON(w, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{route.Repository, tags})
}

// wrongNumber refuses an ?n= that is none.
func (v *V2) wrongNumber(n int) error {
	detail := map[string]int{"n": n}
	if v.options.Quirks.DistributionErrors {
		return CodePaginationInvalid.With(detail)
	}
	return &Error{Code: CodeUnsupported, Message: "n is not a number from 0 on", Detail: detail, Status: http.StatusBadRequest}
}

// listReferrers answers GET of referrers, with ?artifactType= (end-12a, end-12b).
// A subject that is not there has none.
func (v *V2) listReferrers(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	found, err := v.storage.Referrers(r.Context(), route.Repository, route.Digest)
	if err != nil {
		return err
	}
	wanted := r.URL.Query().Get("artifactType")
	list := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: mediaTypeOCIIndex,
		Manifests: []ocispec.Descriptor{},
	}
	for _, d := range found {
		if entry, ok := v.referrer(r, route.Repository, d); ok && (wanted == "" || entry.ArtifactType == wanted) {
			list.Manifests = append(list.Manifests, entry)
		}
	}
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return writeJSON(w, mediaTypeOCIIndex, list)
}

// referrer describes a manifest that refers to another one; ok is false when it
// was deleted meanwhile.
func (v *V2) referrer(r *http.Request, repository string, d digest.Digest) (entry ocispec.Descriptor, ok bool) {
	info, err := v.storage.LinkedManifest(r.Context(), repository, d)
	if err != nil {
		return entry, false
	}
	size, err := v.storage.StatContent(r.Context(), d)
	return ocispec.Descriptor{
		MediaType: info.MediaType, Digest: d, Size: size,
		ArtifactType: info.ArtifactType, Annotations: info.Annotations,
	}, err == nil
}

func writeJSON(w http.ResponseWriter, contentType string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.Write(append(b, '\n'))
	return nil
}
