package conformance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"
)

// A largeBlob is content that is made while it is sent: a block of made content,
// again and again. It takes the memory of the block, however large it is.
type largeBlob struct {
	digest digest.Digest
	size   int64
	block  []byte
}

// large makes content of so many bytes that only this name, in this check, has.
func (p *Probe) large(name string, size int64) *largeBlob {
	l := &largeBlob{size: size, block: p.blob(name, int(min(size, 64<<10))).data}
	h := sha256.New()
	_, _ = io.Copy(h, l.reader()) // neither fails
	l.digest = digest.NewDigest(digest.SHA256, h)
	return l
}

// reader reads it from the start.
func (l *largeBlob) reader() io.Reader { return &blockReader{l, 0} }

type blockReader struct {
	*largeBlob
	at int64
}

func (r *blockReader) Read(b []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	from := r.block[r.at%int64(len(r.block)):]
	n := copy(b[:min(int64(len(b)), r.size-r.at)], from)
	r.at += int64(n)
	return n, nil
}

// putLarge uploads large content whole.
func (p *Probe) putLarge(ctx context.Context, l *largeBlob) (*answer, error) {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return nil, err
	}
	a, err := p.send(ctx, request{
		method: http.MethodPut, url: withDigest(s.location, l.digest.String()), large: l, after: s.last,
		header: header("Content-Type", "application/octet-stream"),
	})
	if err == nil && a.status == http.StatusCreated {
		p.remember(blobPath(p.Repository, l.digest))
	}
	return a, err
}

// sameLarge demands that an address gives large content, without holding it.
func (p *Probe) sameLarge(ctx context.Context, l *largeBlob) error {
	h := sha256.New()
	a, err := p.read(ctx, request{method: http.MethodGet, url: blobPath(p.Repository, l.digest), sink: h})
	if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
		return err
	}
	if a.received != l.size || digest.NewDigest(digest.SHA256, h) != l.digest {
		return a.violation(fmt.Sprintf("the %d bytes that were pushed", l.size), fmt.Sprintf("%d bytes of digest %s", a.received, digest.NewDigest(digest.SHA256, h)))
	}
	return nil
}
