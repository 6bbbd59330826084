package pusher

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
)

// A bestPush is one push to one registry in the best way.
type bestPush struct {
	job        *Job
	host       *bestHost
	done       *bestMemory
	publishing bool // guarded by host.mu
}

// A bestMemory is which blobs the registry has, by this push. It is safe for
// concurrent use.
type bestMemory struct {
	mu   sync.Mutex // guards have
	have map[digest.Digest]bool
}

func newBestMemory() *bestMemory { return &bestMemory{have: map[digest.Digest]bool{}} }

// set notes of a blob whether the registry said itself that it took it.
func (m *bestMemory) set(d digest.Digest, taken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.have[d] = taken
}

func (m *bestMemory) get(d digest.Digest) (taken, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken, known = m.have[d]
	return taken, known
}

func (m *bestMemory) forget(d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.have, d)
}

// tags pushes every tag that was asked for.
func (p *bestPush) tags(ctx context.Context) ([]Published, error) {
	unlock, err := p.job.Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	tags, err := p.job.selectTags()
	if err != nil {
		p.host.mu.Lock()
		p.host.reached = true // no other endpoint would know better
		p.host.mu.Unlock()
		return nil, err
	}
	var published []Published
	for _, tag := range tags {
		one, err := p.tag(ctx, tag)
		if err != nil {
			return published, err
		}
		published = append(published, one)
	}
	return published, nil
}

// tag pushes one tag.
func (p *bestPush) tag(ctx context.Context, tag string) (Published, error) {
	img, err := openBestImage(ctx, p.job, tag)
	if err != nil {
		return Published{}, p.job.noImage(tag, err)
	}
	defer img.close()
	one := Published{Tag: tag, Digest: img.manifest.digest.String(), Size: img.manifest.size}
	there, err := p.holds(ctx, tag, img.manifest)
	if err != nil {
		return Published{}, err
	}
	if there {
		if err := p.refer(ctx, img, ""); err != nil {
			return Published{}, err
		}
		p.job.status(fmt.Sprintf("%s is there already as %s", tag, one.Digest))
		p.job.Report(Event{Aux: PushResult(one)})
		return one, nil
	}
	if err := p.below(ctx, tag, img); err != nil {
		return Published{}, err
	}
	if err := p.publish(ctx, tag, img); err != nil {
		return Published{}, err
	}
	p.job.status(fmt.Sprintf("%s: digest: %s size: %d", tag, one.Digest, one.Size))
	p.job.Report(Event{Aux: PushResult(one)})
	return one, nil
}

// holds asks whether a reference names a manifest already. A registry that does
// not say is taken not to.
//
// Errors: of the connection, and of the authorization.
func (p *bestPush) holds(ctx context.Context, reference string, m manifest) (bool, error) {
	a, err := p.host.do(ctx, call{
		method: http.MethodHead, address: p.host.at("/manifests/%s", reference), header: http.Header{"Accept": {m.mediaType}},
	})
	if err != nil {
		return false, err
	}
	if a.status == http.StatusUnauthorized {
		return false, a.err()
	}
	return a.status == http.StatusOK && a.header.Get("Docker-Content-Digest") == m.digest.String(), nil
}

// blobs makes sure that the registry has every blob, several at once. The first
// that fails ends the others.
func (p *bestPush) blobs(ctx context.Context, list []*bestBlob) error {
	many := len(list) > bestMany
	return p.job.eachAtOnce(ctx, list, func(ctx context.Context, b *bestBlob) error {
		return p.blob(ctx, b, many && b.Size <= smallBlob)
	})
}

// blob makes sure that the registry has one blob: by asking, by mounting, or by
// sending it. One of many small ones is mounted from where it is to go, which asks for
// it and opens a session in one request; a registry that does not mount is sent it
// again, which costs little.
func (p *bestPush) blob(ctx context.Context, b *bestBlob, oneOfMany bool) error {
	if _, known := p.done.get(b.Digest); known || b.foreign {
		return nil
	}
	from := p.source(b.Digest)
	if from == "" && oneOfMany {
		from = p.job.Name.Remote
	}
	if from == "" {
		there, err := p.stat(ctx, b)
		if err != nil {
			return err
		}
		if there {
			p.done.set(b.Digest, false)
			p.tell(b, "Layer already exists")
			p.job.remember(ctx, b.Digest)
			return nil
		}
	}
	u := &bestUpload{bestPush: p, blob: b, from: from}
	if err := u.run(ctx); err != nil {
		return err
	}
	p.done.set(b.Digest, true)
	p.job.remember(ctx, b.Digest)
	return nil
}

// tell tells of a blob.
func (p *bestPush) tell(b *bestBlob, status string) {
	p.job.Report(Event{ID: shortID(b.Digest.Encoded()), Status: status, Action: true})
}

// stat asks whether the registry has a blob. A refusal to say is no answer: then it
// is sent.
func (p *bestPush) stat(ctx context.Context, b *bestBlob) (bool, error) {
	a, err := p.host.do(ctx, call{method: http.MethodHead, address: p.host.at("/blobs/%s", b.Digest)})
	switch {
	case err != nil:
		return false, err
	case a.status == http.StatusUnauthorized:
		return false, a.err()
	case a.status != http.StatusOK:
		return false, nil
	}
	length := a.header.Get("Content-Length")
	return length == "" || length == fmt.Sprint(b.Size), nil
}

// source is another repository of the registry that had a blob; "" when none is
// known.
func (p *bestPush) source(d digest.Digest) string {
	entries := p.job.metadata.Entries(d)
	for i := len(entries) - 1; i >= 0; i-- {
		name, err := ParseName(entries[i].SourceRepository)
		if err == nil && name.Index == p.job.Name.Index && name.Remote != p.job.Name.Remote {
			return name.Remote
		}
	}
	return ""
}
