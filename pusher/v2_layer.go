package pusher

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A layerPush is one layer on its way to one repository, over all its attempts.
type layerPush struct {
	*repository
	layer image.Layer
	id    string // shown
	// checked are the digests that were asked for already, by attempts before too
	// (P-360).
	checked map[digest.Digest]bool
}

func (p *layerPush) saying(status string) Event {
	return Event{ID: p.id, Status: status, Action: true}
}

// key is what makes two transfers the same (P-341).
func (p *layerPush) key() string {
	name := p.job.Name.Remote
	if p.job.Era.Layers.KeyHost {
		name = p.job.Name.Canonical
	}
	return "v2push:" + name + " " + p.layer.DiffID.String()
}

// run is the layer's transfer.
func (p *layerPush) run(ctx context.Context, tell func(Event)) (image.Descriptor, error) {
	rules := p.job.Era.Layers.Retry
	return rules.try(withLayer(ctx, p.id), p.job.Clock, p.id, tell, p.attempt)
}

// attempt makes sure that the registry has the layer: by asking for what is known
// of it, by mounting it, or by sending it (P-343, P-356 to P-360).
func (p *layerPush) attempt(ctx context.Context, tell func(Event)) (image.Descriptor, error) {
	if d, ok := p.elsewhere(); ok {
		tell(p.saying("Skipped foreign layer"))
		return d, nil
	}
	if d, ok := p.known(); ok {
		tell(p.saying("Layer already exists"))
		return d, nil
	}
	search := p.job.Era.Layers.Search
	budget := search.budget(p.layer.Size)
	entries := p.job.metadata.Entries(p.layer.DiffID)
	if d, found, err := p.check(ctx, tell, entries, search.FirstAny, search.FirstChecks); found || err != nil {
		return d, err
	}
	session, d, err := p.mount(ctx, tell, entries, budget)
	if session == nil && (err != nil || d.Digest != "") {
		return d, err
	}
	if left := budget.Checks - len(p.checked); left > 0 {
		if d, found, err := p.check(ctx, tell, entries, budget.Any, left); found || err != nil {
			return d, err // the session is left as it is (P-363)
		}
	}
	if session == nil {
		if session, err = p.startUpload(ctx); err != nil {
			return image.Descriptor{}, err
		}
	}
	return p.send(ctx, tell, session)
}

// known gives the layer's descriptor if an earlier tag of this push had it.
func (p *layerPush) known() (image.Descriptor, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, ok := p.remote[p.layer.DiffID]
	return d, ok
}

// send uploads the layer in a session.
func (p *layerPush) send(ctx context.Context, tell func(Event), s *uploadSession) (image.Descriptor, error) {
	blob, err := p.openBlob(ctx, p.layer, p.id, tell)
	if err != nil {
		return image.Descriptor{}, &finalError{err}
	}
	defer blob.close()
	n, err := s.patch(ctx, blob)
	if err != nil {
		return image.Descriptor{}, err
	}
	d := image.Descriptor{MediaType: mediaLayer, Digest: blob.digest(), Size: n}
	if _, err := s.commit(ctx, d.Digest); err != nil {
		return image.Descriptor{}, err
	}
	tell(p.saying(p.job.Era.Words.Pushed))
	return d, p.has(d)
}

// has notes that the registry has the layer, for later pushes too.
func (p *layerPush) has(d image.Descriptor) error {
	p.mu.Lock()
	p.confirmedV2 = true
	p.remote[p.layer.DiffID] = d
	p.mu.Unlock()
	if err := p.job.metadata.Add(p.layer.DiffID, p.entry(d.Digest)); err != nil {
		return &finalError{&MemoryError{err}}
	}
	return nil
}
