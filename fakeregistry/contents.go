package fakeregistry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
)

// recognise tells which contents a request's body may be: those that begin as it
// does. The body is put together again.
func (c contents) recognise(r *http.Request) []digest.Digest {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	head := make([]byte, headLimit)
	n, err := io.ReadFull(r.Body, head)
	head = head[:n]
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	r.Body = &peeked{Reader: bytes.NewReader(head), rest: r.Body, err: err}
	var found []digest.Digest
	for _, one := range c {
		whole := r.Header.Get("Content-Range") == "" // else it is a chunk
		if whole && (r.ContentLength > 0 && one.Size != r.ContentLength || errors.Is(err, io.EOF) && one.Size != int64(n)) {
			continue
		}
		want := one.Head[:min(len(one.Head), headLimit)]
		if n > 0 && len(want) > 0 && bytes.Equal(want[:min(len(want), n)], head[:min(len(want), n)]) {
			found = append(found, one.Digest)
		}
	}
	return found
}

// begun is what sessions began to upload: later chunks do not show it. It is safe
// for concurrent use.
type begun struct {
	mu        sync.Mutex // guards bySession
	bySession map[string][]digest.Digest
}

// maxBegun bounds how many sessions are remembered; then all are forgotten.
const maxBegun = 1 << 14

// know gives what a session uploads, from what its request may be.
func (b *begun) know(session string, found []digest.Digest) []digest.Digest {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(found) == 0 {
		return b.bySession[session]
	}
	if b.bySession == nil || len(b.bySession) >= maxBegun {
		b.bySession = map[string][]digest.Digest{}
	}
	b.bySession[session] = found
	return found
}

// peeked is a body whose beginning was read ahead.
type peeked struct {
	*bytes.Reader
	rest io.ReadCloser
	err  error // of reading ahead, other than that there was enough
}

// Read implements io.Reader.
func (p *peeked) Read(b []byte) (int, error) {
	if p.Len() > 0 {
		return p.Reader.Read(b)
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.rest.Read(b)
}

// Close implements io.Closer.
func (p *peeked) Close() error { return p.rest.Close() }
