package image

import (
	"context"
	"errors"
	"io"
	"sync"
)

// A contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// buffers are what copies go through.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyBuffered copies through a pooled buffer.
func copyBuffered(w io.Writer, r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	// The wrappers keep io.CopyBuffer from going round the buffer.
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

// A noted reader keeps the error that ended it, other than io.EOF: so whoever
// copies knows which side failed.
type noted struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (n *noted) Read(p []byte) (int, error) {
	read, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return read, err
}
