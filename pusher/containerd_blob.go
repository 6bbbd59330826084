package pusher

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

// blob makes sure that the registry has a blob (P-393, P-394).
func (p *c8dPush) blob(ctx context.Context, b *bestBlob) error {
	if p.seen(b.Digest) {
		return nil
	}
	there, err := p.exists(ctx, p.host.at("/blobs/"+b.Digest.String()), b.MediaType, "")
	if err != nil {
		return err
	}
	if there {
		p.saw(b.Digest)
		p.tell(b, alreadyThere(b.MediaType))
		p.job.remember(ctx, b.Digest)
		return nil
	}
	address, mounted, err := p.start(ctx, b)
	if err != nil {
		return err
	}
	if address != "" {
		if err := p.send(ctx, b, address); err != nil {
			return err
		}
	}
	p.saw(b.Digest)
	if mounted == "" {
		p.tell(b, p.job.Era.Words.Pushed)
	} else {
		p.tell(b, "Mounted from "+mounted)
	}
	p.job.remember(ctx, b.Digest)
	return nil
}

// alreadyThere is what is told of a blob that the registry has (P-399).
func alreadyThere(mediaType string) string {
	if strings.HasPrefix(mediaType, "application/vnd.oci.image.layer.") || strings.HasPrefix(mediaType, mediatype.LayerPrefix) {
		return "Layer already exists"
	}
	return "Already exists"
}

// exists asks for a blob or a manifest. want is the digest that a tag must have; ""
// takes any answer.
func (p *c8dPush) exists(ctx context.Context, address, media string, want digest.Digest) (bool, error) {
	resp, err := p.host.do(ctx, c8dRequest{method: http.MethodHead, address: address, header: http.Header{"Accept": {media + ", */*"}}})
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	switch resp.StatusCode {
	case http.StatusOK:
		return want == "" || resp.Header.Get("Docker-Content-Digest") == want.String(), nil
	case http.StatusNotFound, http.StatusUnauthorized: // the POST will tell (P-393)
		return false, nil
	}
	return false, p.host.refusal(resp)
}

// start opens an upload, with a mount where the blob is known to be elsewhere;
// mounted is the place that it was mounted from. address is "" when the registry says
// that it has the blob, which containerd believes unasked, too (P-394, P-543).
func (p *c8dPush) start(ctx context.Context, b *bestBlob) (address, mounted string, err error) {
	to := p.host.at("/blobs/uploads/")
	from := p.source(b.Digest)
	var resp *http.Response
	if from != "" {
		q := url.Values{"mount": {b.Digest.String()}, "from": {from}}
		resp, err = p.host.do(ctx, c8dRequest{method: http.MethodPost, address: to + "?" + q.Encode()})
		if err == nil && resp.StatusCode == http.StatusUnauthorized { // without the mount (P-394)
			_ = resp.Body.Close()
			resp, from = nil, ""
		}
	}
	if resp == nil && err == nil {
		resp, err = p.host.do(ctx, c8dRequest{method: http.MethodPost, address: to})
	}
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	switch resp.StatusCode {
	case http.StatusCreated:
		return "", from, nil
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		address, err = p.host.location(resp.Header.Get("Location"))
		return address, "", err
	}
	return "", "", p.host.refusal(resp)
}

// send puts a blob as it is stored, in one request (P-396).
func (p *c8dPush) send(ctx context.Context, b *bestBlob, location string) error {
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("digest", b.Digest.String())
	u.RawQuery = q.Encode()
	id := shortID(b.Digest.Encoded())
	told := int64(-1)
	resp, err := p.host.do(ctx, c8dRequest{
		method: http.MethodPut, address: u.String(), size: b.Size, header: http.Header{"Content-Type": {"application/octet-stream"}},
		body: func() (io.ReadCloser, error) {
			file, err := b.open()
			if err != nil {
				return nil, err
			}
			return newSumBody(file, newSum(b.Digest, b.Size), 0, b.Size, func(at int64) {
				if told < 0 || at-told >= progressStep {
					told = at
					p.job.Report(Event{ID: id, Status: "Pushing", Current: at, Total: b.Size, Action: true})
				}
			})
		},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	return p.taken(resp, b.Digest)
}

// taken checks the answer to a PUT: it says what it took (P-396).
func (p *c8dPush) taken(resp *http.Response, d digest.Digest) error {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
	default:
		return p.host.refusal(resp)
	}
	got, err := digest.Parse(resp.Header.Get("Docker-Content-Digest"))
	switch {
	case err != nil:
		return fmt.Errorf("invalid content digest in response: %w", err)
	case got != d:
		return fmt.Errorf("got digest %s, expected %s", got, d)
	}
	return nil
}

// manifest makes sure that a tag names the manifest (P-393, P-397).
func (p *c8dPush) manifest(ctx context.Context, tag string, m manifest) error {
	address := p.host.at("/manifests/" + tag)
	there, err := p.exists(ctx, address, m.mediaType, m.digest)
	if err != nil || there {
		return err
	}
	resp, err := p.host.do(ctx, c8dRequest{
		method: http.MethodPut, address: address, size: int64(len(m.bytes)), body: bytesBody(m.bytes),
		header: http.Header{"Content-Type": {m.mediaType}},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	return p.taken(resp, m.digest)
}

// source is a repository on the same registry that the blob came from or went to; a
// label of the content store says so.
func (p *c8dPush) source(d digest.Digest) string {
	for _, e := range p.job.metadata.Entries(d) {
		if name, err := ParseName(e.SourceRepository); err == nil && name.Index == p.job.Name.Index && name.Remote != p.job.Name.Remote {
			return name.Remote
		}
	}
	return ""
}
