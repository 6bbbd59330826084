package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A givenContent is an image that is in the registry already: what there is to look
// at where nothing is pushed.
type givenContent struct {
	repository, reference string
	manifest              manifest
	blob                  blob // its configuration, or a layer that is small enough
}

// givenLimit is how large a blob may be that is looked at, in bytes.
const givenLimit = 8 << 20

// splitReference takes "team/app:v1" or "team/app@sha256:…" apart.
func splitReference(text string) (repository, reference string, err error) {
	if repository, reference, ok := strings.Cut(text, "@"); ok && repository != "" {
		return repository, reference, digest.Digest(reference).Validate()
	}
	i := strings.LastIndex(text, ":")
	if i <= strings.LastIndex(text, "/") || i == len(text)-1 {
		return "", "", fmt.Errorf("%q is not a repository with a tag or a digest, such as team/app:v1", text)
	}
	return text[:i], text[i+1:], nil
}

// look reads the image that was given, and compares what it reads with its digests.
//
// Errors: ErrOptions for what is no reference; what keeps the image from being read.
func (r *runner) look(ctx context.Context, text string) (*givenContent, error) {
	repository, reference, err := splitReference(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	g := &givenContent{repository: repository, reference: reference}
	p := r.probe("given")
	p.Repository = repository
	a, err := p.getManifest(ctx, repository, reference)
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return nil, fmt.Errorf("%s cannot be looked at: %w", text, err)
	}
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	g.manifest = rawManifest(strings.TrimSpace(kind), a.body)
	if named := digest.Digest(reference); named.Validate() == nil && named != g.manifest.digest {
		return nil, fmt.Errorf("%s cannot be looked at: what is there has digest %s", text, g.manifest.digest)
	}
	var doc document
	if err := json.Unmarshal(a.body, &doc); err != nil {
		return nil, fmt.Errorf("%s cannot be looked at: %w", text, err)
	}
	if doc.Manifests != nil {
		if len(*doc.Manifests) == 0 {
			return nil, fmt.Errorf("%s is an index of nothing; name one image", text)
		}
		return r.look(ctx, repository+"@"+(*doc.Manifests)[0].Digest.String())
	}
	g.blob, err = p.smallBlob(ctx, repository, doc)
	return g, err
}

// smallBlob reads the first blob of an image that is small enough.
func (p *Probe) smallBlob(ctx context.Context, repository string, doc document) (blob, error) {
	var parts []descriptor
	if doc.Layers != nil {
		parts = *doc.Layers
	}
	if doc.Config != nil {
		parts = append(parts, *doc.Config)
	}
	for _, d := range parts {
		if d.Size > givenLimit || d.Size < 1 {
			continue
		}
		a, err := p.get(ctx, blobPath(repository, d.Digest))
		if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
			return blob{}, fmt.Errorf("its blob %s cannot be looked at: %w", d.Digest, err)
		}
		if d.Digest.Validate() != nil || d.Digest.Algorithm() == digest.SHA256 && digest.FromBytes(a.body) != d.Digest {
			return blob{}, fmt.Errorf("its blob %s is not what its digest says", d.Digest)
		}
		return blob{d.Digest, bytes.Clone(a.body)}, nil
	}
	return blob{}, fmt.Errorf("it has no blob of at most %d bytes to look at", givenLimit)
}
