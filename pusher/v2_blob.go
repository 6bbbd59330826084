package pusher

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// stat asks whether the registry has a blob (P-195 to P-198).
//
// Errors: ErrBlobUnknown after a 404; docker's for anything else.
func (r *repository) stat(ctx context.Context, d digest.Digest) error {
	resp, err := r.send(ctx, http.MethodHead, r.url("/blobs/"+d.String()), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // empty
	switch {
	case success(resp):
		if _, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err != nil {
			return fmt.Errorf("error parsing content-length: %w", err)
		}
		return nil
	case resp.StatusCode == http.StatusNotFound:
		return ErrBlobUnknown
	}
	return responseError(resp, r.job.Era.Codes)
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

// uploadLayer buffers a layer and uploads it: POST, PATCH, PUT, HEAD (P-200 to
// P-205). Nothing is retried, resumed or cancelled (P-208).
func (r *repository) uploadLayer(ctx context.Context, layer image.Layer) (digest.Digest, error) {
	r.job.progress(layer.ID, "Buffering to Disk")
	buffered, err := r.buffer(ctx, layer)
	if err != nil {
		return "", err
	}
	defer buffered.remove()
	location, err := r.startUpload(ctx)
	if err != nil {
		return "", err
	}
	var body io.Reader = newProgressReader(buffered.file, buffered.size, layer.ID, "Pushing", r.job.Report)
	if buffered.size <= copyBuffer {
		body = &wholeReader{in: body}
	}
	location, n, err := r.patch(ctx, location, body)
	if err != nil {
		return "", err
	}
	if n != buffered.size {
		return "", fmt.Errorf("short upload: only wrote %d of %d", n, buffered.size)
	}
	if err := r.commit(ctx, location, buffered.digest); err != nil {
		return "", err
	}
	if err := r.stat(ctx, buffered.digest); err != nil {
		return "", err
	}
	r.job.progress(layer.ID, "Image successfully pushed")
	return buffered.digest, nil
}

// A bufferedLayer is a layer as it goes on the wire, in a file of its own.
type bufferedLayer struct {
	file   *os.File
	size   int64 // of the gzip bytes
	digest digest.Digest
}

func (b *bufferedLayer) remove() {
	_ = b.file.Close()
	_ = os.Remove(b.file.Name())
}

// buffer compresses a layer into a temporary file, which stands at its start.
// The caller removes it.
func (r *repository) buffer(ctx context.Context, layer image.Layer) (*bufferedLayer, error) {
	tar, err := r.job.Images.OpenTar(layer.ID)
	if err != nil {
		return nil, err
	}
	defer tar.Close() //nolint:errcheck // read only
	file, err := os.CreateTemp(r.job.TempDir, "pushcheck-layer-")
	if err != nil {
		return nil, err
	}
	b := &bufferedLayer{file: file}
	if err := b.fill(untilDone{ctx, tar}); err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

// fill compresses tar into the file and goes back to its start.
func (b *bufferedLayer) fill(tar io.Reader) error {
	sum := digest.SHA256.Digester()
	zip := gzip.NewWriter(io.MultiWriter(b.file, sum.Hash()))
	if _, err := io.Copy(zip, tar); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	size, err := b.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	b.size, b.digest = size, sum.Digest()
	_, err = b.file.Seek(0, io.SeekStart)
	return err
}

// untilDone is a reader that fails once its context ended. It lives no longer
// than the call that made it.
type untilDone struct {
	ctx context.Context //nolint:containedctx // io.Reader has no place for it
	in  io.Reader
}

// Read implements io.Reader.
func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.in.Read(p)
}

// startUpload opens an upload session and gives its location (P-201).
func (r *repository) startUpload(ctx context.Context) (string, error) {
	at := r.url("/blobs/uploads/")
	empty := http.Header{"Content-Type": {""}}
	resp, err := r.send(ctx, http.MethodPost, at, empty, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return "", responseError(resp, r.job.Era.Codes)
	}
	return resolve(at, resp.Header.Get("Location"))
}

// patch sends the whole blob in one chunk and gives the next location and how
// many bytes the registry says it has (P-202, P-203, P-206). When it returns,
// the body is no longer read.
func (r *repository) patch(ctx context.Context, location string, blob io.Reader) (next string, n int64, err error) {
	body := newSentBody(blob)
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, location, body)
	if err != nil {
		return "", 0, err
	}
	defer func() { <-body.closed }() // the transport always closes it, sooner or later
	resp, err := r.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // docker does not even read it
	if !success(resp) {
		return "", 0, r.uploadError(resp)
	}
	if next, err = resolve(location, resp.Header.Get("Location")); err != nil {
		return "", 0, err
	}
	n, err = parseRange(resp.Header.Get("Range"))
	return next, n, err
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

// commit closes an upload session (P-205).
func (r *repository) commit(ctx context.Context, location string, d digest.Digest) error {
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("digest", d.String())
	u.RawQuery = q.Encode()
	resp, err := r.send(ctx, http.MethodPut, u.String(), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return r.uploadError(resp)
	}
	return nil
}

// uploadError is the error of a PATCH or PUT: a 404 means one thing whatever its
// body says (P-206).
func (r *repository) uploadError(resp *http.Response) error {
	if resp.StatusCode == http.StatusNotFound {
		return ErrBlobUploadUnknown
	}
	return responseError(resp, r.job.Era.Codes)
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
