package pusher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A reference is what a manifest with a subject says to a list of referrers
// (distribution-spec 1.1, "Pushing Manifests with Subject").
type reference struct {
	subject digest.Digest
	entry   v1.Descriptor // of the manifest in the list
}

// newReference is a manifest's reference; nil when it has no subject.
func newReference(doc storedDocument, d image.Descriptor) *reference {
	if doc.Subject == nil {
		return nil
	}
	kind := doc.ArtifactType
	if kind == "" && doc.Config != nil {
		kind = doc.Config.MediaType
	}
	return &reference{
		subject: doc.Subject.Digest,
		entry:   v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: kind, Annotations: doc.Annotations},
	}
}

// fallbackTag is the tag under which clients keep the list of referrers of a
// registry that keeps none ("Referrers Tag Schema").
func fallbackTag(d digest.Digest) string {
	algorithm, encoded, _ := strings.Cut(d.String(), ":")
	tag := algorithm[:min(len(algorithm), 32)] + "-" + encoded[:min(len(encoded), 64)]
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, tag)
}

// refer makes sure that a manifest with a subject is found through it. said is the
// OCI-Subject of the answer to its PUT; "" when there was none. Where the registry
// keeps no list of referrers, we do, under a tag: also where it said that it does
// and then has none.
func (p *bestPush) refer(ctx context.Context, img *bestImage, said string) error {
	if img.refers == nil {
		return nil
	}
	a, err := p.host.do(ctx, call{method: http.MethodGet, address: p.host.at("/referrers/%s", img.refers.subject), header: http.Header{"Accept": {v1.MediaTypeImageIndex}}})
	if err != nil {
		return err
	}
	if a.status == http.StatusOK {
		list, err := readReferrers(a.body)
		if err == nil && (said == img.refers.subject.String() || list.has(img.refers.entry.Digest)) {
			return nil
		}
	}
	p.job.Log.InfoContext(ctx, "the registry keeps no list of referrers; it is kept under a tag", "subject", img.refers.subject, "status", a.status)
	return p.keepReferrers(ctx, img.refers)
}

// A referrersList is an index of referrers, with whatever else it says.
type referrersList struct {
	all     map[string]json.RawMessage
	entries []json.RawMessage
	digests []digest.Digest // of entries
}

func newReferrers() *referrersList {
	return &referrersList{all: map[string]json.RawMessage{
		"schemaVersion": json.RawMessage("2"), "mediaType": json.RawMessage(`"` + v1.MediaTypeImageIndex + `"`),
	}}
}

// readReferrers reads a list.
//
// Errors: it is no image index.
func readReferrers(data []byte) (*referrersList, error) {
	l := &referrersList{}
	var mediaType string
	if err := json.Unmarshal(data, &l.all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(l.all["mediaType"], &mediaType); err != nil || mediaType != v1.MediaTypeImageIndex {
		return nil, fmt.Errorf("its media type is %q", mediaType)
	}
	if err := json.Unmarshal(l.all["manifests"], &l.entries); err != nil && l.all["manifests"] != nil {
		return nil, err
	}
	for _, e := range l.entries {
		var d v1.Descriptor
		if err := json.Unmarshal(e, &d); err != nil {
			return nil, err
		}
		l.digests = append(l.digests, d.Digest)
	}
	return l, nil
}

func (l *referrersList) has(d digest.Digest) bool { return slices.Contains(l.digests, d) }

// take adds the entries of another list that this one has not.
func (l *referrersList) take(other *referrersList) {
	for i, d := range other.digests {
		if !l.has(d) {
			l.entries, l.digests = append(l.entries, other.entries[i]), append(l.digests, d)
		}
	}
}

// encode writes the list with one more entry.
func (l *referrersList) encode(entry v1.Descriptor) ([]byte, error) {
	one, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	entries, err := json.Marshal(append(slices.Clone(l.entries), one))
	if err != nil {
		return nil, err
	}
	l.all["manifests"] = entries
	return json.Marshal(l.all)
}

// keepReferrers adds an entry to the list under the fallback tag, and looks whether
// it stays there: others may write the list at the same time. No entry that was seen
// in it is lost.
func (p *bestPush) keepReferrers(ctx context.Context, r *reference) error {
	address := p.host.at("/manifests/%s", fallbackTag(r.subject))
	kept := newReferrers()
	for n := 1; ; n++ {
		list, etag, err := p.readList(ctx, address)
		if err != nil || list.has(r.entry.Digest) {
			return err
		}
		if n > bestTries {
			return fmt.Errorf("the list of referrers of %s at %s was written over by others %d times; push again", r.subject, address, bestTries)
		}
		list.take(kept)
		kept = list
		data, err := list.encode(r.entry)
		if err != nil {
			return err
		}
		header := http.Header{"Content-Type": {v1.MediaTypeImageIndex}}
		if etag != "" {
			header.Set("If-Match", etag)
		}
		a, err := p.host.do(ctx, call{method: http.MethodPut, address: address, small: data, header: header, about: digest.FromBytes(data).String()})
		if err != nil {
			return err
		}
		if !a.ok() && a.status != http.StatusPreconditionFailed {
			return a.err()
		}
		if n > 1 || !a.ok() {
			if err := p.job.Clock.Sleep(ctx, bestDelay(n)); err != nil {
				return err
			}
		}
	}
}

// readList reads the list under a fallback tag; an empty one where there is none.
//
// Errors: what the tag names is no list, which stays as it is.
func (p *bestPush) readList(ctx context.Context, address string) (list *referrersList, etag string, err error) {
	a, err := p.host.do(ctx, call{method: http.MethodGet, address: address, header: http.Header{"Accept": {v1.MediaTypeImageIndex}}})
	switch {
	case err != nil:
		return nil, "", err
	case a.status == http.StatusNotFound:
		return newReferrers(), "", nil
	case a.status != http.StatusOK:
		return nil, "", a.err()
	}
	list, err = readReferrers(a.body)
	if err == nil {
		if said := digest.Digest(a.header.Get("Docker-Content-Digest")); said.Validate() == nil && said.Algorithm().FromBytes(a.body) != said {
			err = errors.New("its bytes do not have the digest that the registry names")
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: the manifest was pushed, but the tag for the referrers of its subject names something that is no list of them: %w; remove that tag and push again", address, err)
	}
	if etag = a.header.Get("ETag"); !strings.HasPrefix(etag, `"`) {
		etag = ""
	}
	return list, etag, nil
}
