package fakeregistry

import (
	"context"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// A ManifestInfo is what a repository knows of one of its manifests, beside its
// bytes.
type ManifestInfo struct {
	MediaType string // as it was pushed; "" when the registry did not say
	// Signed is a schema 1 manifest with its signatures; the stored bytes are those
	// without, to which the digest belongs (P-287). nil for other formats.
	Signed []byte
	// Subject and ArtifactType are of an OCI manifest that refers to another one;
	// with Annotations they make its entry in the list of referrers.
	Subject      digest.Digest
	ArtifactType string
	Annotations  map[string]string
}

// PutManifest stores a manifest in a repository, and tags it unless tag is "",
// whatever faults are set and whether or not what it names exists: it is how a
// manifest is already there before a push begins. A schema 1 manifest is given as
// it was signed; a manifest that has no info.MediaType is looked into.
//
// Errors: ErrClosed; the operating system's when blobs are on disk.
func (s *Storage) PutManifest(repository, tag string, info ManifestInfo, body []byte) (digest.Digest, error) {
	if info.MediaType == "" {
		info = sniffManifest(body)
	}
	if info.MediaType == mediaTypeSchema1 && info.Signed == nil {
		if payload, err := schema1.Payload(body); err == nil {
			info.Signed, body = body, payload
		}
	}
	d := digest.FromBytes(body)
	if err := s.putContent(d, body); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", ErrClosed
	}
	r := s.repository(repository)
	r.manifests[d] = &info
	if tag != "" {
		r.tags[tag], r.tagged = d, true
	}
	return d, nil
}

// Manifest is a manifest of a repository and its bytes, whatever faults are set.
// The bytes of schema 1 come without signatures. Neither may be changed.
//
// Errors: ErrNotStored.
func (s *Storage) Manifest(repository string, d digest.Digest) (*ManifestInfo, []byte, error) {
	s.mu.RLock()
	var info *ManifestInfo
	if r := s.repos[repository]; r != nil {
		info = r.manifests[d]
	}
	s.mu.RUnlock()
	if info == nil {
		return nil, nil, notStored("manifest", d.String(), repository)
	}
	body, err := s.loadContent(d)
	return info, body, err
}

// FindManifest resolves a tag or digest to a manifest, whatever faults are set and
// whether or not its bytes are still there; info is nil when there is none. info
// may not be changed.
func (s *Storage) FindManifest(repository, reference string) (d digest.Digest, info *ManifestInfo) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repository]
	if r == nil {
		return "", nil
	}
	d, ok := r.tags[reference]
	if !ok {
		d = digest.Digest(reference)
	}
	return d, r.manifests[d]
}

// Manifests lists the digests of a repository's manifests, in order.
func (s *Storage) Manifests(repository string) []digest.Digest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		return slices.Sorted(maps.Keys(r.manifests))
	}
	return nil
}

// TagMap is a copy of a repository's tags; nil when nothing was ever stored in it.
func (s *Storage) TagMap(repository string) map[string]digest.Digest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		return maps.Clone(r.tags)
	}
	return nil
}

// LinkManifest makes the bytes of d, stored with PutContent, a manifest of a
// repository. Where info is zero it is read from the bytes.
//
// Errors: the hook's; ErrClosed.
func (s *Storage) LinkManifest(ctx context.Context, repository string, d digest.Digest, info ManifestInfo) error {
	if settled, err := s.settle(ctx, Access{Op: StorageLink, Repository: repository, Digest: d}); settled {
		return err
	}
	if info.MediaType == "" {
		if body, err := s.loadContent(d); err == nil {
			info = sniffManifest(body)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.repository(repository).manifests[d] = &info
	return nil
}

// LinkedManifest is what a repository knows of a manifest. Its bytes may be gone:
// see StatContent.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) LinkedManifest(ctx context.Context, repository string, d digest.Digest) (*ManifestInfo, error) {
	if err := s.ask(ctx, Access{Op: StorageStat, Repository: repository, Digest: d}); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		if info := r.manifests[d]; info != nil {
			return info, nil
		}
	}
	return nil, notStored("manifest", d.String(), repository)
}

// UnlinkManifest takes a manifest out of a repository; its bytes and the tags
// that name it stay.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) UnlinkManifest(ctx context.Context, repository string, d digest.Digest) error {
	if settled, err := s.settle(ctx, Access{Op: StorageUnlink, Repository: repository, Digest: d}); settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[repository]; r != nil && r.manifests[d] != nil {
		delete(r.manifests, d)
		return nil
	}
	return notStored("manifest", d.String(), repository)
}

// Tag sets a tag of a repository.
//
// Errors: the hook's; ErrClosed.
func (s *Storage) Tag(ctx context.Context, repository, tag string, d digest.Digest) error {
	if settled, err := s.settle(ctx, Access{Op: StorageTag, Repository: repository, Tag: tag, Digest: d}); settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	r := s.repository(repository)
	r.tags[tag], r.tagged = d, true
	return nil
}

// Tagged resolves a tag.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) Tagged(ctx context.Context, repository, tag string) (digest.Digest, error) {
	if err := s.ask(ctx, Access{Op: StorageStat, Repository: repository, Tag: tag}); err != nil {
		return "", err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		if d, ok := r.tags[tag]; ok {
			return d, nil
		}
	}
	return "", notStored("tag", tag, repository)
}

// Untag removes a tag.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) Untag(ctx context.Context, repository, tag string) error {
	if settled, err := s.settle(ctx, Access{Op: StorageUnlink, Repository: repository, Tag: tag}); settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[repository]; r != nil {
		if _, ok := r.tags[tag]; ok {
			delete(r.tags, tag)
			return nil
		}
	}
	return notStored("tag", tag, repository)
}

// Tags lists a repository's tags in order.
//
// Errors: ErrNotStored when nothing was ever tagged in the repository; the hook's.
func (s *Storage) Tags(ctx context.Context, repository string) ([]string, error) {
	if err := s.ask(ctx, Access{Op: StorageRead, Repository: repository}); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repository]
	if r == nil || !r.tagged {
		return nil, notStored("repository", repository, "")
	}
	return slices.Sorted(maps.Keys(r.tags)), nil
}

// Referrers lists the manifests of a repository whose subject is d, in order of
// their digests.
//
// Errors: the hook's.
func (s *Storage) Referrers(ctx context.Context, repository string, d digest.Digest) ([]digest.Digest, error) {
	if err := s.ask(ctx, Access{Op: StorageRead, Repository: repository, Digest: d}); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repository]
	if r == nil {
		return nil, nil
	}
	var found []digest.Digest
	for m, info := range r.manifests {
		if info.Subject == d {
			found = append(found, m)
		}
	}
	slices.Sort(found)
	return found, nil
}
