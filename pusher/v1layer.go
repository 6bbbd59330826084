package pusher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/tarsum"
)

// v1Piece is how much docker copies at a time, in bytes.
const v1Piece = 32 << 10

// v1Checksums are what docker says of a layer that it sent (P-428).
type v1Checksums struct {
	tarsum  string // of the tar, keyed with the JSON
	payload string // "sha256:…" of the JSON, a newline, and the bytes as sent
}

// bufferLayer reads a layer's tar through once, as docker does on its way to a
// temporary file, with the same events. Nothing needs the file: the store can
// read the tar again.
func (s *v1Session) bufferLayer(ctx context.Context, img v1Image) error {
	tar, err := s.job.Images.OpenTar(img.layer.ID)
	if err != nil {
		return err
	}
	defer tar.Close() //nolint:errcheck // read only
	pieces := newProgressReader(&tarPieces{in: untilDone{ctx, tar}}, 0, img.layer.ID, "Buffering to disk", s.job.Report)
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, pieces, make([]byte, v1Piece))
	return err
}

// putLayer sends a layer, written anew and compressed by the tarsum on the way
// (P-427).
//
// Errors: *HTTPError; net/http's behind docker's words; the store's.
func (s *v1Session) putLayer(ctx context.Context, endpoint string, img v1Image) (v1Checksums, error) {
	tar, err := s.job.Images.OpenTar(img.layer.ID)
	if err != nil {
		return v1Checksums{}, err
	}
	defer tar.Close() //nolint:errcheck // read only
	layer := newProgressReader(tar, img.layer.Size, s.shown(img, true), "Pushing", s.job.Report)
	sum := newV1Sum(layer, img.layer.V1JSON)
	body := newSentBody(sum)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"images/"+img.id+"/layer", body)
	if err != nil {
		return v1Checksums{}, err
	}
	req.ContentLength = -1
	req.TransferEncoding = []string{"chunked"}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := s.client.Do(req)
	if err != nil {
		<-body.closed                                                       // the transport always closes it, sooner or later
		return v1Checksums{}, fmt.Errorf("Failed to upload layer: %w", err) //nolint:staticcheck,revive // docker's words
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, v1BodyLimit))
	_ = resp.Body.Close()
	<-body.closed
	layer.finish(img.layer.Size)
	if resp.StatusCode == http.StatusOK {
		return sum.checksums(), nil
	}
	text := fmt.Sprintf("Received HTTP code %d while uploading layer: %q", resp.StatusCode, answer)
	if err != nil {
		text = fmt.Sprintf("HTTP code %d while uploading metadata and error when trying to parse response body: %s", resp.StatusCode, err)
	}
	return v1Checksums{}, &HTTPError{Code: resp.StatusCode, Message: text}
}

// finish tells of the whole when the reader below was closed before it was all
// read: when the registry answered early.
func (r *progressReader) finish(total int64) {
	if r.current < total {
		r.current = total
		r.tell()
	}
}

// A v1Sum is a layer as it goes out, and what it sums up to.
type v1Sum struct {
	tar     *tarsum.Reader
	payload hash.Hash
	key     []byte // the image's JSON
}

func newV1Sum(tar io.Reader, v1JSON []byte) *v1Sum {
	s := &v1Sum{tar: tarsum.NewReader(tar), payload: sha256.New(), key: v1JSON}
	s.payload.Write(v1JSON)
	s.payload.Write([]byte("\n"))
	return s
}

// Read implements io.Reader.
func (s *v1Sum) Read(p []byte) (int, error) {
	n, err := s.tar.Read(p)
	s.payload.Write(p[:n])
	return n, err
}

// checksums are those of all that was read.
func (s *v1Sum) checksums() v1Checksums {
	return v1Checksums{tarsum: s.tar.Sum(s.key), payload: "sha256:" + hex.EncodeToString(s.payload.Sum(nil))}
}
