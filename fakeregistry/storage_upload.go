package fakeregistry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An Upload is an upload session of a Storage: bytes on their way to become a
// blob. Its methods may be called from many goroutines; appends wait for each
// other. It ends with Commit, Cancel, the storage's DropUploads or its Close.
type Upload struct {
	storage    *Storage
	repository string
	id         string

	size  atomic.Int64
	ended atomic.Bool

	mu    sync.Mutex // held while bytes are appended or the session is committed
	bytes file
	hash  hash.Hash         // of the bytes; nil when nobody asked for it
	lent  bool              // somebody else hashes what is being appended
	notes map[string][]byte // see SetNote
	note  sync.Mutex        // guards notes
}

// Begin starts an upload session in a repository. id "" takes the next name of
// the storage's own. hashed computes the sha256 digest as bytes arrive, for
// Commit; without it only Keep can end the session.
//
// Errors: the hook's; ErrClosed; the operating system's when blobs are on disk.
func (s *Storage) Begin(ctx context.Context, repository, id string, hashed bool) (*Upload, error) {
	if id == "" {
		id = s.nextID()
	}
	if err := s.ask(ctx, Access{Op: StorageBegin, Repository: repository, Session: id}); err != nil && !errors.Is(err, ErrPretend) {
		return nil, err
	}
	f, err := s.newFile()
	if err != nil {
		return nil, err
	}
	u := &Upload{storage: s, repository: repository, id: id, bytes: f}
	if hashed {
		u.hash = sha256.New()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.crowded() {
		f.remove()
		return nil, ErrTooMany
	}
	s.repository(repository).uploads[id] = u
	return u, nil
}

// nextID makes a name in the form of a UUID from the seed and a count.
func (s *Storage) nextID() string {
	n := s.ids.Add(1)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], mix(s.seed.Load()^mix(n)))
	binary.BigEndian.PutUint64(b[8:], mix(s.seed.Load()+n))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	at := 0
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		if i > 0 {
			text[at] = '-'
			at++
		}
		start := [...]int{0, 4, 6, 8, 10}[i]
		at += hex.Encode(text[at:], b[start:end])
	}
	return string(text[:])
}

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Upload finds an upload session that has not ended.
//
// Errors: ErrNotStored; the hook's.
func (s *Storage) Upload(ctx context.Context, repository, id string) (*Upload, error) {
	if err := s.ask(ctx, Access{Op: StorageStat, Repository: repository, Session: id}); err != nil && !errors.Is(err, ErrPretend) {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.repos[repository]; r != nil {
		if u := r.uploads[id]; u != nil {
			return u, nil
		}
	}
	return nil, notStored("upload session", id, repository)
}

// ID is the session's name.
func (u *Upload) ID() string { return u.id }

// Digest is the sha256 digest of what the session holds; "" when none is computed.
// It waits for an append under way.
func (u *Upload) Digest() digest.Digest {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hash == nil {
		return ""
	}
	return sumOf(u.hash)
}

// Size is how many bytes the session holds.
func (u *Upload) Size() int64 { return u.size.Load() }

// ReadFrom appends what r gives until io.EOF. length is how much that will be, or
// < 0. What was read before an error stays in the session.
//
// Errors: r's; the hook's; ErrClosed when the session ended.
func (u *Upload) ReadFrom(ctx context.Context, r io.Reader, length int64) (total int64, err error) {
	return u.AppendAt(ctx, -1, r, length)
}

// ErrMoved says that an upload session is not as long as somebody thought.
var ErrMoved = errors.New("the upload session has moved on")

// AppendAt is ReadFrom, for bytes that belong at an offset: the session must hold
// so many when their turn has come. at < 0 is wherever that is.
//
// Errors: ErrMoved, before anything is read; as ReadFrom.
func (u *Upload) AppendAt(ctx context.Context, at int64, r io.Reader, length int64) (total int64, err error) {
	u.mu.Lock()
	defer u.release()
	if at >= 0 && at != u.size.Load() {
		return 0, ErrMoved
	}
	u.lent = u.hash != nil && u.size.Load() == 0 && u.storage.hook.Load() == nil && wire.Lends(r)
	defer func() {
		if serr := u.settle(r); err == nil {
			err = serr
		}
	}()
	for length != 0 {
		if u.ended.Load() {
			return total, ErrClosed
		}
		n, rerr := r.Read(u.bytes.next(u.expects(length)))
		if n > 0 {
			kept, err := u.take(ctx, n)
			total += int64(kept)
			if err != nil {
				return total, err
			}
			if length > 0 {
				length -= int64(n)
			}
		}
		if errors.Is(rerr, io.EOF) {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
	return total, nil
}

// settle takes over the hash of what was appended from the recorder, which made
// it already; where it has none, because the body broke off, it is made anew.
// u.mu is held.
func (u *Upload) settle(r io.Reader) error {
	if !u.lent {
		return nil
	}
	u.lent = false
	if state, length, ok := wire.TakeHash(r); ok && length == u.size.Load() {
		u.hash = state
		return nil
	}
	kept, err := u.bytes.open()
	if err != nil {
		return err
	}
	defer kept.Close()
	_, err = kept.WriteTo(u.hash)
	return err
}

// Write appends p.
//
// Errors: as ReadFrom.
func (u *Upload) Write(ctx context.Context, p []byte) (int, error) {
	u.mu.Lock()
	defer u.release()
	written := 0
	for written < len(p) {
		if u.ended.Load() {
			return written, ErrClosed
		}
		n := copy(u.bytes.next(-1), p[written:])
		kept, err := u.take(ctx, n)
		written += kept
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// take keeps n bytes that are in place after what the file holds, or as many of
// them as the hook lets it. u.mu is held.
func (u *Upload) take(ctx context.Context, n int) (int, error) {
	size := u.size.Load()
	err := u.storage.ask(ctx, Access{
		Op: StorageWrite, Repository: u.repository, Session: u.id, Offset: size, Length: int64(n),
	})
	kept := n
	if err == nil {
		err = u.storage.reserve(n)
	}
	if err != nil {
		kept = 0
		var short *ShortWriteError
		switch {
		case errors.Is(err, ErrPretend):
			return n, nil
		case errors.As(err, &short):
			kept = int(min(max(short.Keep, 0), int64(n)))
			err = short.Err
		}
	}
	if kept == 0 {
		return 0, err
	}
	if u.hash != nil && !u.lent {
		u.hash.Write(u.bytes.next(int64(n))[:kept])
	}
	if gerr := u.bytes.grow(kept); gerr != nil {
		return 0, gerr
	}
	u.size.Store(size + int64(kept))
	return kept, err
}

// Commit makes the session's bytes the blob d of its repository and ends the
// session. An error leaves the session as it is.
//
// Errors: ErrDigestMismatch; ErrClosed; the hook's; those of digest.Digest.Validate.
func (u *Upload) Commit(ctx context.Context, d digest.Digest) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended.Load() {
		return ErrClosed
	}
	canonical, err := u.verify(d)
	if errors.Is(err, ErrDigestMismatch) && errors.Is(
		u.storage.ask(ctx, Access{Op: StorageVerify, Repository: u.repository, Session: u.id, Digest: d}), ErrPretend) {
		canonical, err = sumOf(u.hash), nil
	}
	if err != nil {
		return err
	}
	switch err := u.storage.ask(ctx, Access{Op: StorageCommit, Repository: u.repository, Session: u.id, Digest: d}); {
	case errors.Is(err, ErrPretend):
		u.forget()
		u.storage.mu.Lock()
		defer u.storage.mu.Unlock()
		u.unregister()
		return nil
	case err != nil:
		return err
	}
	if err := u.bytes.finish(); err != nil {
		return err
	}
	s := u.storage
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ended.Load() {
		return ErrClosed
	}
	if s.content[canonical] == nil {
		s.content[canonical] = &content{bytes: u.bytes, size: u.size.Load()}
	} else {
		u.bytes.remove()
	}
	s.repository(u.repository).blobs[d] = canonical
	u.unregister()
	return nil
}

// sumOf is the digest of what was written to a sha256 hash.
func sumOf(h hash.Hash) digest.Digest {
	const prefix = "sha256:"
	var text [len(prefix) + 2*sha256.Size]byte
	copy(text[:], prefix)
	var sum [sha256.Size]byte
	hex.Encode(text[len(prefix):], h.Sum(sum[:0]))
	return digest.Digest(text[:])
}

// verify returns the sha256 digest of the session's bytes, having compared them
// with d. u.mu is held.
func (u *Upload) verify(d digest.Digest) (digest.Digest, error) {
	if err := d.Validate(); err != nil {
		return "", err
	}
	if u.hash == nil {
		return "", errors.New("this upload session computes no digest")
	}
	canonical := sumOf(u.hash)
	if d.Algorithm() == digest.SHA256 {
		if d != canonical {
			return "", ErrDigestMismatch
		}
		return canonical, nil
	}
	r, err := u.bytes.open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	v := d.Verifier()
	if _, err := io.Copy(v, r); err != nil {
		return "", err
	}
	if !v.Verified() {
		return "", ErrDigestMismatch
	}
	return canonical, nil
}

// Keep makes the session's bytes those of d, unverified and linked from nowhere.
// The session stays, empty.
//
// Errors: the hook's; ErrClosed.
func (u *Upload) Keep(ctx context.Context, d digest.Digest) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended.Load() {
		return ErrClosed
	}
	err := u.storage.ask(ctx, Access{Op: StorageCommit, Repository: u.repository, Session: u.id, Digest: d})
	pretend := errors.Is(err, ErrPretend)
	if err != nil && !pretend {
		return err
	}
	fresh, err := u.storage.newFile()
	if err != nil {
		return err
	}
	if err := u.bytes.finish(); err != nil {
		return err
	}
	s := u.storage
	s.mu.Lock()
	defer s.mu.Unlock()
	if pretend || s.content[d] != nil {
		u.bytes.remove()
	} else {
		s.content[d] = &content{bytes: u.bytes, size: u.size.Load()}
	}
	u.bytes = fresh
	u.size.Store(0)
	return nil
}

// Open reads what the session holds now.
func (u *Upload) Open() (io.ReadSeekCloser, error) { return u.bytes.open() }

// Cancel ends the session and forgets its bytes. It does not wait for an append
// under way, which fails at its next piece.
func (u *Upload) Cancel() {
	s := u.storage
	s.mu.Lock()
	u.unregister()
	s.mu.Unlock()
	if u.mu.TryLock() {
		u.release()
	}
}

// unregister ends the session. s.mu is held for writing.
func (u *Upload) unregister() {
	u.ended.Store(true)
	if r := u.storage.repos[u.repository]; r != nil && r.uploads[u.id] == u {
		delete(r.uploads, u.id)
	}
}

// release unlocks u.mu, and forgets the bytes of a session that was cancelled.
func (u *Upload) release() {
	if u.ended.Load() {
		u.forget()
	}
	u.mu.Unlock()
}

// forget removes the bytes of a session that did not become a blob. u.mu is held.
func (u *Upload) forget() {
	if u.bytes == nil {
		return
	}
	_ = u.bytes.finish() // nobody will read it
	u.bytes.remove()
}
