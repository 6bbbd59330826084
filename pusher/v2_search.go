package pusher

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/errcode"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// budget is the budget for a layer of that size, uncompressed (P-359).
func (s SearchRules) budget(size int64) SearchBudget {
	for _, b := range s.Budgets {
		if b.UpTo == 0 || size <= b.UpTo {
			return b
		}
	}
	return SearchBudget{}
}

// entry says that the target has the layer under a digest.
func (p *layerPush) entry(d digest.Digest) metadata.Entry {
	return p.signingKey().Sign(metadata.Entry{Digest: d, SourceRepository: p.job.Name.Canonical})
}

// signingKey ties entries to the user's credentials; nil where the era does not (P-362).
func (p *layerPush) signingKey() metadata.Key {
	if !p.job.Era.Layers.Search.Signs {
		return nil
	}
	c := p.job.Credentials
	data, err := json.Marshal(struct {
		Username      string `json:"username,omitempty"`
		Password      string `json:"password,omitempty"`
		Auth          string `json:"auth,omitempty"`
		IdentityToken string `json:"identitytoken,omitempty"`
		RegistryToken string `json:"registrytoken,omitempty"`
	}{Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken})
	if err != nil {
		return nil
	}
	return metadata.Key(digest.FromBytes(data))
}

// check asks the target for digests that the layer is known under: at most so
// many, all when most < 0 (P-356, P-360). elsewhere asks for those of other
// repositories too.
func (p *layerPush) check(ctx context.Context, tell func(Event), entries []metadata.Entry, elsewhere bool, most int) (d image.Descriptor, found bool, err error) {
	search := p.job.Era.Layers.Search
	target := p.job.Name.Canonical
	entries = slices.DeleteFunc(slices.Clone(entries), func(e metadata.Entry) bool {
		return e.SourceRepository != "" && e.SourceRepository != target && !elsewhere
	})
	if search.Order == MostAlike {
		entries = p.likeness(entries)
	}
	for _, e := range entries {
		if most == 0 {
			break
		}
		if search.Order == MostAlike && p.checked[e.Digest] {
			continue
		}
		most--
		p.checked[e.Digest] = true
		d, err := p.stat(ctx, e.Digest)
		switch {
		case err == nil:
			d.MediaType = mediaLayer
			return d, true, p.exists(tell, e, d)
		case errors.Is(err, ErrBlobUnknown):
			if search.CheckForget && e.SourceRepository == target {
				p.forget(ctx, e)
			}
		case search.CheckFails:
			if status := p.job.Era.Layers.Retry.FailureStatus; status != "" {
				tell(p.saying(status))
			}
			return image.Descriptor{}, false, err
		case ctx.Err() != nil:
			return image.Descriptor{}, false, err
		default:
			p.job.Log.DebugContext(ctx, "a digest could not be asked for", "digest", e.Digest.String(), "err", err)
		}
	}
	return image.Descriptor{}, false, nil
}

// exists notes that the registry has the layer as an entry says.
func (p *layerPush) exists(tell func(Event), e metadata.Entry, d image.Descriptor) error {
	tell(p.saying("Layer already exists"))
	p.learn(p.layer.DiffID, d)
	if !p.job.Era.Layers.Search.Signs || e.SourceRepository == p.job.Name.Canonical && p.signingKey().Matches(e) {
		return nil
	}
	if err := p.job.metadata.Add(p.layer.DiffID, p.entry(d.Digest)); err != nil {
		return &finalError{&MemoryError{err}}
	}
	return nil
}

func (p *layerPush) forget(ctx context.Context, e metadata.Entry) {
	if err := p.job.metadata.Remove(e); err != nil { // docker does not mind either
		p.job.Log.WarnContext(ctx, "what is known of a layer could not be forgotten", "err", err)
	}
}

// mount tries to mount the layer from repositories on the same registry (P-357,
// P-358, P-360). It gives the layer's descriptor when one did; the session when
// one opened a session instead; nothing when all refused.
func (p *layerPush) mount(ctx context.Context, tell func(Event), entries []metadata.Entry, budget SearchBudget) (*uploadSession, image.Descriptor, error) {
	search := p.job.Era.Layers.Search
	var open *uploadSession
	refused := false
	for _, e := range p.sources(entries, budget.Mounts) {
		_, from, _ := strings.Cut(e.SourceRepository, "/")
		s, err := p.startMount(ctx, e.Digest, from)
		var mounted *mountedError
		if errors.As(err, &mounted) {
			d := mounted.blob
			d.MediaType = mediaLayer
			tell(p.saying("Mounted from " + from))
			return nil, d, p.has(d)
		}
		refused = refused || isRefused(err)
		keeps := search.KeepRefused && refused && p.job.Credentials == (Credentials{}) || search.Signs && e.HMAC != "" && !p.signingKey().Matches(e)
		if !keeps && (err != nil || search.ForgetSession) {
			p.forget(ctx, e)
		}
		switch {
		case err != nil && (search.Fails || ctx.Err() != nil):
			return nil, image.Descriptor{}, err
		case err != nil:
			p.job.Log.DebugContext(ctx, "a layer could not be mounted", "from", from, "err", err)
		case open != nil:
			open.discard(ctx)
			open = s
		default:
			open = s
		}
		if open != nil && !search.Restarts {
			break
		}
	}
	return open, image.Descriptor{}, nil
}

// isRefused tells whether an answer was UNAUTHORIZED, with a message of its own.
func isRefused(err error) bool {
	list, ok := err.(errcode.Errors) //nolint:errorlint // the answer itself
	return ok && slices.ContainsFunc(list, func(one error) bool {
		e, ok := one.(errcode.Error) //nolint:errorlint // an element
		return ok && e.Code == "UNAUTHORIZED"
	})
}

// sources are the repositories to mount from, in their order, at most so many.
func (p *layerPush) sources(entries []metadata.Entry, most int) []metadata.Entry {
	search := p.job.Era.Layers.Search
	list := slices.DeleteFunc(slices.Clone(entries), func(e metadata.Entry) bool {
		host, rest, _ := strings.Cut(e.SourceRepository, "/")
		return rest == "" || host != p.job.Name.Index || e.SourceRepository == p.job.Name.Canonical && !search.Target
	})
	switch search.Order {
	case OldestFirst:
	case YoungestFirst:
		slices.Reverse(list)
	case MostAlike:
		list = p.likeness(list)
	}
	return list[:min(most, len(list))]
}

// likeness orders entries: first those of the same credentials, then those that
// share more leading components with the target's name, then the youngest (P-361).
func (p *layerPush) likeness(entries []metadata.Entry) []metadata.Entry {
	key, target := p.signingKey(), strings.Split(p.job.Name.Canonical, "/")
	alike := func(e metadata.Entry) int {
		n := 0
		for i, part := range strings.Split(e.SourceRepository, "/") {
			if i >= len(target) || part != target[i] {
				break
			}
			n++
		}
		if key.Matches(e) {
			n += len(target) + 1
		}
		return n
	}
	list := slices.Clone(entries)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b metadata.Entry) int { return alike(b) - alike(a) })
	return list
}
