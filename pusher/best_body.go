package pusher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// reopen opens the buffered layer from its start.
func (b *bufferedLayer) reopen() (io.ReadSeekCloser, error) { return os.Open(b.file.Name()) }

// inMemory are bytes as a file.
func inMemory(data []byte) io.ReadSeekCloser { return nothingToClose{bytes.NewReader(data)} }

type nothingToClose struct{ io.ReadSeeker }

// Close implements io.Closer.
func (nothingToClose) Close() error { return nil }

// A sumBody is bytes from..to of a blob on their way out. The last of a blob's
// bytes leave only after all of them were found right.
type sumBody struct {
	file io.ReadSeekCloser
	sum  *sum
	at   int64 // position of the next read
	to   int64
	tell func(at int64) // called before a read; may be nil

	mu      sync.Mutex // guards everything below, and at: the transport may close while it reads
	reads   int        // so many there were
	block   []byte     // being filled for the hasher
	sending *sending   // nil when nobody does
	err     error
}

// newSumBody reads bytes from..to of file, which it closes. Bytes before them that were
// not hashed, since they went out in one piece or the registry says that it has them, are
// hashed first.
func newSumBody(file io.ReadSeekCloser, s *sum, from, to int64, tell func(int64)) (*sumBody, error) {
	if err := s.catchUp(file, from); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &sumBody{file: file, sum: s, at: from, to: to, tell: tell}, nil
}

// Read implements io.Reader.
func (b *sumBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	if b.tell != nil {
		b.tell(b.at)
	}
	left := b.to - b.at
	if left == 0 {
		return 0, io.EOF
	}
	// what comes after a first read may be sent past Read (sendTo)
	if b.reads++; b.reads == 2 && left > blockSize && b.sum.hashed < b.to {
		b.sum.start()
	}
	n, err := b.file.Read(p[:min(int64(len(p)), left)])
	b.see(p[:n])
	b.at += int64(n)
	switch {
	case n > 0 && b.at == b.sum.size:
		b.flush()
		b.sum.stop()
		err = b.sum.verify()
	case errors.Is(err, io.EOF):
		err = b.sum.short(b.at)
	case err != nil:
		err = fmt.Errorf("%w: %w", errLocal, err)
	}
	if err != nil {
		b.err = err
		return 0, err
	}
	return n, nil
}

// see hands on what was not hashed yet.
func (b *sumBody) see(p []byte) {
	if skip := b.sum.hashed - b.at; skip > 0 {
		p = p[min(skip, int64(len(p))):]
	}
	b.sum.hashed += int64(len(p))
	if b.sum.blocks == nil {
		b.sum.hash.Write(p)
		return
	}
	for len(p) > 0 {
		if b.block == nil {
			b.block = <-b.sum.free
		}
		n := copy(b.block[len(b.block):cap(b.block)], p)
		b.block = b.block[:len(b.block)+n]
		p = p[n:]
		if len(b.block) == cap(b.block) {
			b.flush()
		}
	}
}

func (b *sumBody) flush() {
	if b.block != nil {
		b.sum.blocks <- b.block
		b.block = nil
	}
}

// Close implements io.Closer. Where the bytes are on their way past Read, it ends
// that first.
func (b *sumBody) Close() error {
	b.mu.Lock()
	b.err = os.ErrClosed
	s := b.sending
	b.mu.Unlock()
	if s != nil {
		s.abort()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
	b.sum.stop()
	return b.file.Close()
}
