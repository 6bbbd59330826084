package fakeregistry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// verifyManifest checks what a manifest says against what the repository holds,
// all of it, and returns every complaint in the order of distribution's.
func (v *V2) verifyManifest(ctx context.Context, repository string, m *manifest) error {
	if m.format == Schema1 {
		return v.verifySchema1(ctx, repository, m)
	}
	if m.version != 2 {
		what := "manifest"
		if m.blobs == nil {
			what = "manifest list"
		}
		return v.options.Quirks.mistake(CodeManifestInvalid, fmt.Sprintf("unrecognized %s schema version %d", what, m.version))
	}
	if v.options.Quirks.LooseManifests {
		return nil
	}
	var errs Errors
	for _, d := range m.blobs {
		errs = v.verifyBlob(ctx, repository, m.format, d, errs)
	}
	for _, d := range m.parts {
		errs = v.verifyPart(ctx, repository, d, errs)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// verifySchema1 checks as distribution 2.8 did (P-303 to P-305).
func (v *V2) verifySchema1(ctx context.Context, repository string, m *manifest) error {
	var errs Errors
	name := m.schema1.Name
	if len(name) > maxName {
		errs = append(errs, CodeNameInvalid.With("manifest name must not be more than 255 characters"))
	}
	if !strings.ContainsFunc(name, func(c rune) bool { return c < 0x80 && alnumByte(byte(c)) }) { // all that it asks for
		errs = append(errs, CodeNameInvalid.With("invalid manifest name format"))
	}
	if h, l := len(m.schema1.History), len(m.schema1.FSLayers); h != l {
		errs = append(errs, v.unclear(fmt.Errorf("mismatched history and fslayer cardinality %d != %d", h, l))...)
	}
	if _, err := schema1.Verify(m.info.Signed); err != nil {
		if err.Error() != "invalid signature" {
			errs = append(errs, v.unclear(err)...)
		} else {
			errs = append(errs, CodeManifestUnverified.With(nil))
		}
	}
	if !v.options.Quirks.LooseManifests {
		for _, l := range m.schema1.FSLayers {
			errs = v.verifyBlob(ctx, repository, Schema1, ocispec.Descriptor{Digest: l.BlobSum}, errs)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// unknown is an error that distribution has no code for: the bare code, and the
// error once more (P-303).
func unknown(err error) Errors { return Errors{CodeUnknown.With(nil), CodeUnknown.With(err)} }

// unclear is the same of a client's mistake, for which the specification has a code.
func (v *V2) unclear(err error) Errors {
	if v.options.Quirks.DistributionErrors {
		return unknown(err)
	}
	return Errors{CodeManifestInvalid.With(err)}
}

var (
	errInvalidURL = errors.New("invalid URL on layer")
	errMissingURL = errors.New("missing URL on layer")
)

// verifyBlob adds what is wrong with a config or layer to errs.
func (v *V2) verifyBlob(ctx context.Context, repository string, f Format, d ocispec.Descriptor, errs Errors) Errors {
	missing := CodeManifestBlobUnknown.With(d.Digest)
	if err := d.Digest.Validate(); err != nil {
		return append(v.invalidDigest(err, errs), missing)
	}
	elsewhere, err := v.livesElsewhere(f, d)
	if err == nil && !elsewhere {
		var stored digest.Digest
		if stored, err = v.storage.Linked(ctx, repository, d.Digest); err == nil {
			_, err = v.storage.StatContent(ctx, stored)
		}
	}
	switch {
	case err == nil:
		return errs
	case errors.Is(err, ErrNotStored):
		return append(errs, missing)
	case errors.Is(err, errInvalidURL), errors.Is(err, errMissingURL):
		return append(append(errs, v.unclear(err)...), missing)
	default:
		return append(append(errs, unknown(err)...), missing)
	}
}

// verifyPart adds what is wrong with a manifest that an index names to errs.
func (v *V2) verifyPart(ctx context.Context, repository string, d ocispec.Descriptor, errs Errors) Errors {
	missing := CodeManifestBlobUnknown.With(d.Digest)
	if err := d.Digest.Validate(); err != nil {
		return append(v.invalidDigest(err, errs), missing)
	}
	_, err := v.storage.LinkedManifest(ctx, repository, d.Digest)
	if err == nil {
		_, err = v.storage.StatContent(ctx, d.Digest)
	}
	switch {
	case err == nil:
		return errs
	case errors.Is(err, ErrNotStored):
		return append(errs, missing)
	default:
		return append(append(errs, unknown(err)...), missing)
	}
}

func (v *V2) invalidDigest(err error, errs Errors) Errors {
	if errors.Is(err, digest.ErrDigestInvalidFormat) {
		return append(errs, CodeDigestInvalid.With(nil))
	}
	return append(errs, v.unclear(err)...)
}

// The media types of OCI layers that live elsewhere; the specification has
// deprecated them, registries go on knowing them.
const (
	nondistributable     = "application/vnd.oci.image.layer.nondistributable.v1.tar"
	nondistributableGzip = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
)

// livesElsewhere reports whether a layer need not be in the repository because
// clients find it at its URLs (P-308). Each format looks at its own media types
// only; OCI takes URLs of any layer, as long as it is there as well.
func (v *V2) livesElsewhere(f Format, d ocispec.Descriptor) (bool, error) {
	foreign := false
	switch {
	case f == Schema2 && d.MediaType == mediaTypeForeignLayer:
		if len(d.URLs) == 0 {
			return false, errMissingURL
		}
		foreign = true
	case f == OCI && (d.MediaType == nondistributable || d.MediaType == nondistributableGzip):
		foreign = len(d.URLs) > 0
	case f == OCI && (d.MediaType == ocispec.MediaTypeImageLayer || d.MediaType == ocispec.MediaTypeImageLayerGzip):
	default:
		return false, nil
	}
	for _, u := range d.URLs {
		p, err := url.Parse(u)
		if err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Fragment != "" || !v.options.ForeignLayers {
			return false, errInvalidURL
		}
	}
	return foreign, nil
}
