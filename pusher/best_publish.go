package pusher

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// publish puts a manifest or an index, of which the registry has all that is below.
// A registry that misses some of it gets it, whatever it said before.
func (p *bestPush) publish(ctx context.Context, reference string, img *bestImage) error {
	p.host.mu.Lock()
	p.publishing = true
	p.host.mu.Unlock()
	for again := false; ; again = true {
		said, err := p.put(ctx, reference, img.manifest)
		if err == nil {
			return p.refer(ctx, img, said)
		}
		var lacks *lacksBlobs
		if !errors.As(err, &lacks) || again {
			return err
		}
		p.job.Log.InfoContext(ctx, "the registry lacks what it said it has", "reference", reference, "err", err)
		for _, b := range img.blobs {
			if err := p.sendAgain(ctx, b); err != nil {
				return err
			}
		}
		for _, c := range img.children() {
			if err := p.publishAgain(ctx, c); err != nil {
				return err
			}
		}
	}
}

// publishAgain puts what an index names and the registry has not any more.
func (p *bestPush) publishAgain(ctx context.Context, img *bestImage) error {
	there, err := p.holds(ctx, img.manifest.digest.String(), img.manifest)
	if err != nil || there {
		return err
	}
	return p.publish(ctx, img.manifest.digest.String(), img)
}

// A lacksBlobs says that a manifest was refused for want of blobs.
type lacksBlobs struct{ error }

// sendAgain sends a blob that the registry had only said to be there, and one that
// it took and has not any more.
func (p *bestPush) sendAgain(ctx context.Context, b *bestBlob) error {
	if b.foreign {
		return nil
	}
	if taken, _ := p.done.get(b.Digest); taken {
		there, err := p.stat(ctx, b)
		if err != nil || there {
			return err
		}
	}
	p.done.forget(b.Digest)
	u := &bestUpload{bestPush: p, blob: b}
	if err := u.run(ctx); err != nil {
		return err
	}
	p.done.set(b.Digest, true)
	return nil
}

// put puts a manifest and asks whether it is there: an answer that was lost may
// have been a good one, and a good one may not be true. subject is the OCI-Subject
// of the answer.
//
// Errors: *lacksBlobs.
func (p *bestPush) put(ctx context.Context, reference string, m manifest) (subject string, err error) {
	c := call{
		method: http.MethodPut, address: p.host.at("/manifests/%s", reference), small: m.bytes,
		header: http.Header{"Content-Type": {m.mediaType}}, about: m.digest.String(),
	}
	a, err := p.host.do(ctx, c)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil && !a.ok() && !a.passing() {
		if a.has("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN") {
			return "", &lacksBlobs{a.err()}
		}
		return "", a.err()
	}
	there, sure := p.holds(ctx, reference, m)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case there && err == nil:
		return a.header.Get("OCI-Subject"), nil
	case there:
		return "", nil
	case err != nil:
		return "", err
	case !a.ok():
		return "", a.err()
	case sure != nil:
		return "", fmt.Errorf("%s: the registry answered %d, but whether it has the manifest could not be asked: %w", a.request, a.status, sure)
	}
	if said := a.header.Get("Docker-Content-Digest"); said != "" && digest.Digest(said) != m.digest {
		return "", fmt.Errorf("%s: the registry answered %d for %s, but what was put is %s", a.request, a.status, shortened(said), m.digest)
	}
	return "", fmt.Errorf("%s: the registry answered %d, but does not have the manifest", a.request, a.status)
}
