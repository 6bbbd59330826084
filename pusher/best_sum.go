package pusher

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

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

// catchUp hashes what is missing up to a position. The hasher does not run.
func (s *sum) catchUp(file io.ReadSeeker, to int64) error {
	if s.hashed >= to {
		return nil
	}
	if _, err := file.Seek(s.hashed, io.SeekStart); err != nil {
		return err
	}
	n, err := io.CopyN(s.hash, file, to-s.hashed)
	s.hashed += n
	if errors.Is(err, io.EOF) {
		return s.short(s.hashed)
	}
	return err
}

// verify compares once all bytes were seen.
func (s *sum) verify() error {
	if got := digest.NewDigest(s.want.Algorithm(), s.hash); got != s.want {
		return fmt.Errorf("%w: its bytes have digest %s, not %s; load it again", errLocal, got, s.want)
	}
	return nil
}

// smallBlob is the largest blob that is read and verified before any of it is sent, bytes:
// it leaves in one piece with the head of its request.
const smallBlob = 48 << 10

// wholeBody is a small blob as a body. It closes the file.
func wholeBody(file io.ReadCloser, d digest.Digest, size int64) (io.ReadCloser, error) {
	data := make([]byte, size)
	n, err := io.ReadFull(file, data)
	_ = file.Close() // read only
	s := newSum(d, size)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, s.short(int64(n))
	case err != nil:
		return nil, err
	}
	s.hash.Write(data)
	if err := s.verify(); err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// short is the error of a blob that ends too early.
func (s *sum) short(at int64) error {
	return fmt.Errorf("%w: it ends after %d of %d bytes; load it again", errLocal, at, s.size)
}
