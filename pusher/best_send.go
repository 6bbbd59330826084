package pusher

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A connSender is a body that can put its bytes onto a connection by itself. handled
// says whether it did; otherwise it is read.
type connSender interface {
	sendTo(c *net.TCPConn, n int64) (sent int64, err error, handled bool)
}

// ReadFrom implements io.ReaderFrom: net/http copies a request's body through it. A
// body that knows a quicker way to a TCP connection than to be read takes it.
func (c *linkedConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		tcp, isTCP := c.Conn.(*net.TCPConn)
		body, knows := limited.R.(connSender)
		if isTCP && knows {
			if n, err, handled := body.sendTo(tcp, limited.N); handled {
				limited.N -= n
				return n, err
			}
		}
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// sendTo implements connSender.
func (b *closingBody) sendTo(c *net.TCPConn, n int64) (int64, error, bool) {
	if s, ok := b.ReadCloser.(connSender); ok {
		return s.sendTo(c, n)
	}
	return 0, nil, false
}

// How a blob is sent past Read: the kernel copies from the file to the connection,
// and the hasher reads the same file beside it. Neither is further ahead than sendAhead,
// so that the second finds in the caches what the first brought there.
const (
	sendLeast = 128 << 10 // bytes; below, a read is as quick
	sendStep  = 1 << 20
	sendAhead = 8 << 20
	sendHeld  = 4 << 10 // of the end, until all is found right
	hashStep  = 64 << 10
)

// hashBlocks are what the hasher reads into.
var hashBlocks = sync.Pool{New: func() any { return new([hashStep]byte) }}

// A sending is bytes of a blob on their way past Read.
type sending struct {
	body *sumBody
	file *os.File
	conn *net.TCPConn

	mu     sync.Mutex // guards everything below
	moved  *sync.Cond // anything below did, on mu
	sent   int64      // position that was sent up to
	hashed int64      // position that was hashed up to
	ended  bool       // the sender is done, or gave up
	err    error      // of the hasher

	over chan struct{} // closed when nobody uses the file and the sum any more
}

// sendTo implements connSender.
func (b *sumBody) sendTo(c *net.TCPConn, n int64) (int64, error, bool) {
	b.mu.Lock()
	file, ok := b.file.(*os.File)
	from, to := b.at, b.at+n
	if !ok || b.err != nil || b.sum.blocks != nil || n < sendLeast || to > b.to || b.sum.hashed > to {
		b.mu.Unlock()
		return 0, nil, false
	}
	s := &sending{body: b, file: file, conn: c, sent: from, hashed: b.sum.hashed, over: make(chan struct{})}
	s.moved = sync.NewCond(&s.mu)
	b.sending = s
	b.mu.Unlock()
	sent, err := s.run(to)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at, b.sending = from+sent, nil
	b.sum.hashed = s.hashed
	switch {
	case b.err != nil: // closed meanwhile
		err = b.err
	case err != nil:
		b.err = err
	}
	close(s.over)
	return sent, err, true
}

// run sends up to a position, and hashes up to there.
func (s *sending) run(to int64) (int64, error) {
	from, last := s.sent, to
	if to == s.body.sum.size {
		last = to - sendHeld
	}
	hashing := make(chan struct{})
	go func() {
		defer close(hashing)
		s.hash(to)
	}()
	err := s.copyUpTo(last)
	s.mu.Lock()
	if err != nil {
		s.ended = true
	}
	s.moved.Broadcast()
	s.mu.Unlock()
	<-hashing
	if err == nil {
		err = s.err
	}
	if err == nil && last < to {
		if err = s.body.sum.verify(); err == nil {
			err = s.copy(to)
		}
	}
	return s.sent - from, err
}

// copyUpTo sends step by step and keeps near the hasher.
func (s *sending) copyUpTo(last int64) error {
	for {
		s.mu.Lock()
		for s.err == nil && s.sent-s.hashed > sendAhead {
			s.moved.Wait()
		}
		at, err := s.sent, s.err
		s.mu.Unlock()
		if err != nil || at >= last {
			return err
		}
		if s.body.tell != nil {
			s.body.tell(at)
		}
		if err := s.copy(min(at+sendStep, last)); err != nil {
			return err
		}
	}
}

// copy has the kernel send up to a position.
func (s *sending) copy(to int64) error {
	n, err := io.Copy(s.conn, &io.LimitedReader{R: s.file, N: to - s.sent})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += n
	s.moved.Broadcast()
	if err == nil && s.sent < to {
		err = s.body.sum.short(s.sent)
	}
	return err
}

// hash hashes up to a position; when the sender gave up, only what was sent, so that
// nothing is missing where another request goes on.
func (s *sending) hash(to int64) {
	lent := hashBlocks.Get().(*[hashStep]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer hashBlocks.Put(lent)
	block := lent[:]
	for {
		s.mu.Lock()
		for !s.ended && s.hashed < to && s.hashed-s.sent > sendAhead {
			s.moved.Wait()
		}
		at, end := s.hashed, to
		if s.ended {
			end = min(s.sent, to)
		}
		s.mu.Unlock()
		if at >= end {
			return
		}
		n, err := s.file.ReadAt(block[:min(int64(len(block)), end-at)], at)
		s.body.sum.hash.Write(block[:n])
		s.mu.Lock()
		s.hashed += int64(n)
		if at += int64(n); at < end && err != nil {
			if s.err = fmt.Errorf("%w: %w", errLocal, err); errors.Is(err, io.EOF) {
				s.err = s.body.sum.short(at)
			}
			end = at
		}
		s.moved.Broadcast()
		s.mu.Unlock()
		if at >= end && s.err != nil {
			return
		}
	}
}

// abort ends a sending: the connection takes nothing more. It returns when the
// file is no longer used.
func (s *sending) abort() {
	_ = s.conn.SetWriteDeadline(time.Unix(1, 0))
	<-s.over
}
