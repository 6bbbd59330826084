package pusher

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// An uploadSession is what a POST opened.
type uploadSession struct {
	*repository
	location string // where the next request goes
}

// A mountedError says that a POST mounted the blob instead of opening a session.
type mountedError struct{ blob image.Descriptor }

func (*mountedError) Error() string { return "the blob was mounted" }

// startUpload opens an upload session (P-201).
func (r *repository) startUpload(ctx context.Context) (*uploadSession, error) {
	return r.startAt(ctx, r.url("/blobs/uploads/"), "")
}

// startMount asks for a blob of another repository, by its remote name.
//
// Errors: *mountedError when it was mounted; without an error a session was
// opened instead (P-357).
func (r *repository) startMount(ctx context.Context, d digest.Digest, from string) (*uploadSession, error) {
	query := url.Values{"mount": {d.String()}, "from": {from}}
	return r.startAt(ctx, r.url("/blobs/uploads/")+"?"+query.Encode(), d)
}

// startAt sends the POST. mount is the digest of what is to be mounted, if any.
func (r *repository) startAt(ctx context.Context, address string, mount digest.Digest) (*uploadSession, error) {
	var header http.Header
	style := r.job.Era.Upload
	if style.EmptyType {
		header = http.Header{"Content-Type": {""}}
	}
	resp, err := r.send(ctx, http.MethodPost, address, header, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if style.StrictStart {
		switch {
		case resp.StatusCode == http.StatusCreated && mount == "":
			return nil, &finalError{errPanic}
		case resp.StatusCode == http.StatusCreated:
			d, err := r.stat(ctx, mount)
			if err != nil {
				return nil, err
			}
			return nil, &mountedError{d}
		case resp.StatusCode != http.StatusAccepted:
			return nil, responseError(resp, r.job.Era.Errors)
		}
	}
	if !success(resp) {
		return nil, responseError(resp, r.job.Era.Errors)
	}
	location, err := resolve(address, resp.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	return &uploadSession{repository: r, location: location}, nil
}

// patch sends the whole blob in one chunk and gives how many bytes the registry
// says it has (P-202, P-203, P-206). When it returns, the blob is no longer read.
func (s *uploadSession) patch(ctx context.Context, blob io.Reader) (int64, error) {
	body := newSentBody(blob)
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.location, body)
	if err != nil {
		return 0, err
	}
	if media := s.job.Era.Upload.ChunkType; media != "" {
		req.Header.Set("Content-Type", media)
	}
	defer func() { <-body.closed }() // the transport always closes it, sooner or later
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // docker does not even read it
	if !success(resp) {
		return 0, s.uploadError(resp)
	}
	if s.location, err = resolve(s.location, resp.Header.Get("Location")); err != nil {
		return 0, err
	}
	return parseRange(resp.Header.Get("Range"))
}

// parseRange reads how many bytes "0-1023" stands for (P-203).
func parseRange(s string) (int64, error) {
	var start, end int64
	if n, err := fmt.Sscanf(s, "%d-%d", &start, &end); err != nil {
		return 0, err
	} else if n != 2 || end < start {
		return 0, fmt.Errorf("bad range format: %s", s)
	}
	return end - start + 1, nil
}

// commit closes the session, and asks whether the registry has the blob (P-205, P-542).
func (s *uploadSession) commit(ctx context.Context, d digest.Digest) (image.Descriptor, error) {
	u, err := url.Parse(s.location)
	if err != nil {
		return image.Descriptor{}, err
	}
	q := u.Query()
	q.Set("digest", d.String())
	u.RawQuery = q.Encode()
	resp, err := s.send(ctx, http.MethodPut, u.String(), nil, nil)
	if err != nil {
		return image.Descriptor{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return image.Descriptor{}, s.uploadError(resp)
	}
	return s.stat(ctx, d)
}

// discard cancels the session. Whether that went well nobody looks at (P-363, P-578).
func (s *uploadSession) discard(ctx context.Context) {
	resp, err := s.send(ctx, http.MethodDelete, s.location, nil, nil)
	if err != nil {
		s.job.Log.InfoContext(ctx, "an upload session was not cancelled", "err", err)
		return
	}
	_ = resp.Body.Close()
}

// uploadError is the error of a PATCH or PUT: a 404 means one thing whatever its
// body says (P-206).
func (r *repository) uploadError(resp *http.Response) error {
	if resp.StatusCode == http.StatusNotFound {
		return ErrBlobUploadUnknown
	}
	return responseError(resp, r.job.Era.Errors)
}

// resolve is a Location as seen from the URL that answered with it; none is that
// URL itself (P-201, P-541).
func resolve(base, location string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(location)
	if err != nil {
		return "", err
	}
	return from.ResolveReference(to).String(), nil
}
