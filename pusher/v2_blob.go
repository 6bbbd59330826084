package pusher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// stat asks whether the registry has a blob, and gives the media type and the
// size that it says (P-195 to P-198, P-372).
//
// Errors: ErrBlobUnknown after a 404; docker's for anything else.
func (r *repository) stat(ctx context.Context, d digest.Digest) (image.Descriptor, error) {
	address := r.url("/blobs/" + d.String())
	resp, err := r.send(ctx, http.MethodHead, address, nil, nil)
	if err != nil {
		return image.Descriptor{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // empty
	switch {
	case success(resp):
		length := resp.Header.Get("Content-Length")
		if rules := r.job.Era.Errors; length == "" && rules.NoLength != "" {
			return image.Descriptor{}, fmt.Errorf(rules.NoLength, address)
		}
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return image.Descriptor{}, fmt.Errorf("error parsing content-length: %w", err)
		}
		return image.Descriptor{MediaType: resp.Header.Get("Content-Type"), Digest: d, Size: n}, nil
	case resp.StatusCode == http.StatusNotFound:
		return image.Descriptor{}, ErrBlobUnknown
	}
	return image.Descriptor{}, responseError(resp, r.job.Era.Errors)
}

// send makes one request. The caller closes the response's body.
func (r *repository) send(ctx context.Context, method, url string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	return r.client.Do(req)
}

// put makes sure that the registry has a small blob: HEAD, and POST, PATCH, PUT,
// HEAD when it has not (P-370). existed tells which.
func (r *repository) put(ctx context.Context, data []byte) (d image.Descriptor, existed bool, err error) {
	sum := digest.FromBytes(data)
	d, err = r.stat(ctx, sum)
	if err == nil || !errors.Is(err, ErrBlobUnknown) {
		return d, true, err
	}
	s, err := r.startUpload(ctx)
	if err != nil {
		return image.Descriptor{}, false, err
	}
	n, err := s.patch(ctx, &wholeReader{in: &blobReader{left: data}})
	if err != nil {
		return image.Descriptor{}, false, err
	}
	if n < int64(len(data)) {
		return image.Descriptor{}, false, fmt.Errorf("short copy: wrote %d of %d", n, len(data))
	}
	d, err = s.commit(ctx, sum)
	return d, false, err
}

// A blobReader is a bytes.Reader whose length net/http does not see, so that it
// sends chunks as docker does.
type blobReader struct{ left []byte }

// Read implements io.Reader.
func (b *blobReader) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}
