package pusher

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// A connSender is a body that can put its bytes onto a connection by itself. handled
// says whether it did; otherwise it is read.
type connSender interface {
	sendTo(c *linkedConn, tcp *net.TCPConn, n int64) (sent int64, err error, handled bool)
}

// ReadFrom implements io.ReaderFrom: net/http copies a request's body through it. A
// body that knows a quicker way to a TCP connection than to be read takes it.
func (c *linkedConn) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		tcp, isTCP := c.Conn.(*net.TCPConn)
		body, knows := limited.R.(connSender)
		if isTCP && knows {
			if n, err, handled := body.sendTo(c, tcp, limited.N); handled {
				limited.N -= n
				return n, err
			}
		}
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// sendTo implements connSender.
func (b *closingBody) sendTo(c *linkedConn, tcp *net.TCPConn, n int64) (int64, error, bool) {
	if s, ok := b.ReadCloser.(connSender); ok {
		return s.sendTo(c, tcp, n)
	}
	return 0, nil, false
}

// How a blob is sent past Read: where a core is to spare, the kernel copies from the file
// to the connection and the hasher reads the same file beside it. Where other blobs keep
// the cores busy, a block is read once, hashed and sent: that takes less work of all.
const (
	sendLeast = 128 << 10 // bytes; below, a read is as quick
	sendPart  = 8 << 20   // after so many it is looked anew which way is quicker, and none is further ahead
	sendStep  = 1 << 20   // of the kernel's
	sendHeld  = 4 << 10   // of the end, until all is found right
	sendBlock = 32 << 10
)

// sendBlocks are what is read into.
var sendBlocks = sync.Pool{New: func() any { return new([sendBlock]byte) }}

// A sending is bytes of a blob on their way past Read.
type sending struct {
	body *sumBody
	file *os.File
	conn *net.TCPConn
	with *links // the connections to the same endpoint

	sent   int64 // position that was sent up to
	hashed int64 // position that was hashed up to, or further than that

	over chan struct{} // closed when nobody uses the file and the sum any more
}

// sendTo implements connSender.
func (b *sumBody) sendTo(c *linkedConn, tcp *net.TCPConn, n int64) (int64, error, bool) {
	b.mu.Lock()
	file, ok := b.file.(*os.File)
	from, to := b.at, b.at+n
	if !ok || b.err != nil || b.sum.blocks != nil || n < sendLeast || to > b.to || b.sum.hashed > to {
		b.mu.Unlock()
		return 0, nil, false
	}
	s := &sending{body: b, file: file, conn: tcp, with: c.links, sent: from, hashed: b.sum.hashed, over: make(chan struct{})}
	b.sending = s
	b.mu.Unlock()
	err := s.run(to)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at, b.sending = s.sent, nil
	b.sum.hashed = s.hashed
	switch {
	case b.err != nil: // closed meanwhile
		err = b.err
	case err != nil:
		b.err = err
	}
	close(s.over)
	return s.sent - from, err, true
}

// run sends up to a position, and hashes up to there.
func (s *sending) run(to int64) error {
	s.with.sending.Add(1)
	defer s.with.sending.Add(-1)
	for s.sent < to {
		way := s.inTurn
		if 2*int(s.with.sending.Load()) <= runtime.GOMAXPROCS(0) {
			way = s.beside
		}
		if err := way(min(s.sent+sendPart, to)); err != nil {
			return err
		}
	}
	return nil
}

// inTurn reads, hashes and sends block by block.
func (s *sending) inTurn(to int64) error {
	lent := sendBlocks.Get().(*[sendBlock]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer sendBlocks.Put(lent)
	for s.sent < to {
		if s.body.tell != nil {
			s.body.tell(s.sent)
		}
		block := lent[:min(sendBlock, to-s.sent)]
		n, err := s.file.ReadAt(block, s.sent)
		if n < len(block) {
			return s.broken(s.sent+int64(n), err)
		}
		if fresh := s.sent + int64(n) - s.hashed; fresh > 0 {
			s.body.sum.hash.Write(block[int64(n)-fresh:])
			s.hashed += fresh
		}
		if s.sent+int64(n) == s.body.sum.size {
			if err := s.body.sum.verify(); err != nil {
				return err
			}
		}
		wrote, err := s.conn.Write(block)
		s.sent += int64(wrote)
		if err != nil {
			return err
		}
	}
	return nil
}

// beside has the kernel send while another reads and hashes.
func (s *sending) beside(to int64) error {
	last := to
	if to == s.body.sum.size {
		last = max(to-sendHeld, s.sent)
	}
	hashed := make(chan error, 1)
	go func() { hashed <- s.hash(to) }()
	err := s.copy(last)
	if broken := <-hashed; err == nil {
		err = broken
	}
	if err == nil && last < to {
		if err = s.body.sum.verify(); err == nil {
			err = s.copy(to)
		}
	}
	return err
}

// copy has the kernel send up to a position.
func (s *sending) copy(to int64) error {
	if _, err := s.file.Seek(s.sent, io.SeekStart); err != nil {
		return s.broken(s.sent, err)
	}
	for s.sent < to {
		if s.body.tell != nil {
			s.body.tell(s.sent)
		}
		step := min(sendStep, to-s.sent)
		n, err := io.Copy(s.conn, &io.LimitedReader{R: s.file, N: step})
		s.sent += n
		if err != nil {
			return err
		}
		if n < step {
			return s.body.sum.short(s.sent)
		}
	}
	return nil
}

// hash hashes up to a position.
func (s *sending) hash(to int64) error {
	lent := sendBlocks.Get().(*[sendBlock]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer sendBlocks.Put(lent)
	for s.hashed < to {
		block := lent[:min(sendBlock, to-s.hashed)]
		n, err := s.file.ReadAt(block, s.hashed)
		s.body.sum.hash.Write(block[:n])
		s.hashed += int64(n)
		if n < len(block) {
			return s.broken(s.hashed, err)
		}
	}
	return nil
}

// broken is the error of a file that was read up to a position.
func (s *sending) broken(at int64, err error) error {
	if errors.Is(err, io.EOF) {
		return s.body.sum.short(at)
	}
	return fmt.Errorf("%w: %w", errLocal, err)
}

// abort ends a sending: the connection takes nothing more. It returns when the
// file is no longer used.
func (s *sending) abort() {
	_ = s.conn.SetWriteDeadline(time.Unix(1, 0))
	<-s.over
}
