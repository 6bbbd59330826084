package pusher

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// A manifest is one ready to be put.
type manifest struct {
	format    Format
	mediaType string // "" sends none (P-222)
	bytes     []byte
	digest    digest.Digest // of the payload
	size      int64         // of the payload, bytes
}

// signed is the schema 1 manifest of a tag. Layers are top first.
func (r *repository) signed(tag string, layers []schema1Layer) (manifest, error) {
	s, err := signSchema1(r.job.Name.Remote, tag, layers, r.job.TrustKey)
	if err != nil {
		return manifest{}, err
	}
	return manifest{format: Schema1, bytes: s.Bytes, digest: s.Digest, size: s.Size}, nil
}

// A PushResult is what the stream of a docker since 1.10 says of a tag that was
// pushed, as an aux object (P-038).
type PushResult struct {
	Tag    string
	Digest string
	Size   int64 // bytes
}

// publish puts a tag's manifest and tells its digest, in the era's order: docker
// before 1.10 tells it before the registry has it (P-207).
func (r *repository) publish(ctx context.Context, tag string, m manifest) (Published, error) {
	p := Published{Tag: tag, Digest: m.digest.String(), Size: m.size}
	line := fmt.Sprintf("%s: digest: %s size: %d", tag, p.Digest, p.Size)
	rules := r.job.Era.Manifest
	if !rules.LateDigest {
		r.job.status(line)
	}
	if err := r.putManifest(ctx, tag, m); err != nil {
		return Published{}, err
	}
	if !rules.LateDigest {
		return p, nil
	}
	if m.format == Schema1 && rules.Schema1Notice != "" {
		r.job.status(fmt.Sprintf(rules.Schema1Notice, r.job.Name.Index))
	}
	r.job.status(line)
	if rules.KeepsDigest {
		if err := r.job.Images.Tag(r.job.Name.Local, p.Digest, r.job.Tags[tag]); err != nil {
			return p, at(StagePublish, err)
		}
	}
	r.job.Report(Event{Aux: PushResult(p)})
	return p, nil
}

// putManifest puts a manifest under a tag. Of the answer at most that it names
// some digest is looked at (P-222, P-374).
func (r *repository) putManifest(ctx context.Context, tag string, m manifest) error {
	header := http.Header{}
	if m.mediaType != "" {
		header.Set("Content-Type", m.mediaType)
	}
	resp, err := r.send(ctx, http.MethodPut, r.url("/manifests/"+tag), header, bytes.NewReader(m.bytes))
	if err != nil {
		return failed(StagePublish, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return at(StagePublish, responseError(resp, r.job.Era.Errors))
	}
	if r.job.Era.Manifest.WantsDigest {
		if _, err := digest.Parse(resp.Header.Get("Docker-Content-Digest")); err != nil {
			return at(StagePublish, err)
		}
	}
	return nil
}
