package pusher

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"
)

// reopen opens the buffered layer from its start.
func (b *bufferedLayer) reopen() (io.ReadSeekCloser, error) { return os.Open(b.file.Name()) }

// inMemory are bytes as a file.
func inMemory(data []byte) io.ReadSeekCloser { return nothingToClose{bytes.NewReader(data)} }

type nothingToClose struct{ io.ReadSeeker }

// Close implements io.Closer.
func (nothingToClose) Close() error { return nil }

// A sum hashes a blob while it is sent, over all requests that send parts of it.
// It is used by one sender at a time.
type sum struct {
	want   digest.Digest
	size   int64
	hash   hash.Hash
	hashed int64 // so many bytes from the start are in hash, or on the way there

	blocks chan []byte // to the hasher; nil when it does not run
	free   chan []byte
	ended  chan struct{}
}

// The hasher runs beside the sender and is at most so far behind.
const (
	blockSize  = 256 << 10
	blockCount = 3
)

func newSum(d digest.Digest, size int64) *sum {
	s := &sum{want: d, size: size, hash: sha256.New()}
	if d.Algorithm().Available() {
		s.hash = d.Algorithm().Hash()
	}
	return s
}

// start runs the hasher until stop.
func (s *sum) start() {
	s.blocks, s.free, s.ended = make(chan []byte, blockCount), make(chan []byte, blockCount), make(chan struct{})
	for range blockCount {
		s.free <- make([]byte, 0, blockSize)
	}
	go func(blocks <-chan []byte, free chan<- []byte, ended chan<- struct{}) {
		defer close(ended)
		for b := range blocks {
			s.hash.Write(b)
			free <- b[:0]
		}
	}(s.blocks, s.free, s.ended)
}

// stop waits until everything is hashed.
func (s *sum) stop() {
	if s.blocks != nil {
		close(s.blocks)
		<-s.ended
		s.blocks = nil
	}
}

// verify compares once all bytes were seen.
func (s *sum) verify() error {
	if got := digest.NewDigest(s.want.Algorithm(), s.hash); got != s.want {
		return fmt.Errorf("%w: its bytes have digest %s, not %s; load it again", errLocal, got, s.want)
	}
	return nil
}

// A sumBody is bytes from..to of a blob on their way out. The last of a blob's
// bytes leave only after all of them were found right.
type sumBody struct {
	file io.ReadSeekCloser
	sum  *sum
	at   int64 // position of the next read
	to   int64
	tell func(at int64) // called before a read; may be nil

	mu    sync.Mutex // guards everything below, and at: the transport may close while it reads
	block []byte     // being filled for the hasher
	err   error
}

// newSumBody reads bytes from..to of file, which it closes.
func newSumBody(file io.ReadSeekCloser, s *sum, from, to int64, tell func(int64)) (*sumBody, error) {
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	b := &sumBody{file: file, sum: s, at: from, to: to, tell: tell}
	if s.size > blockSize && s.hashed < to {
		s.start()
	}
	return b, nil
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
	n, err := b.file.Read(p[:min(int64(len(p)), left)])
	b.see(p[:n])
	b.at += int64(n)
	switch {
	case n > 0 && b.at == b.sum.size:
		b.flush()
		b.sum.stop()
		err = b.sum.verify()
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%w: it ends after %d of %d bytes; load it again", errLocal, b.at, b.sum.size)
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

// Close implements io.Closer.
func (b *sumBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = os.ErrClosed
	b.flush()
	b.sum.stop()
	return b.file.Close()
}
