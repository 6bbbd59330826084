package fakeregistry

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"
)

// A StorageOp is one thing that a registry does to its storage.
type StorageOp int

// The operations of a storage, by which a Hook tells them apart.
const (
	StorageBegin    StorageOp = iota + 1 // an upload session starts
	StorageWrite                         // a piece is appended to an upload session
	StorageCommit                        // an upload session becomes a blob
	StorageManifest                      // a manifest's bytes are stored
	StorageLink                          // a blob or manifest becomes visible in a repository
	StorageTag                           // a tag is set
	StorageUnlink                        // a blob, manifest or tag is removed by the registry
	StorageStat                          // is it there?
	StorageRead                          // bytes are read
	StorageVerify                        // bytes do not have the digest that was claimed: ErrPretend takes them all the same
)

var storageOpNames = [...]string{"", "begin", "write", "commit", "manifest", "link", "tag", "unlink", "stat", "read", "verify"}

// String is one word.
func (o StorageOp) String() string { return storageOpNames[o] }

// Changes reports whether o changes what is stored.
func (o StorageOp) Changes() bool { return o < StorageStat }

// An Access is what a registry is about to do to its storage. Fields that do
// not apply are zero.
type Access struct {
	Op         StorageOp
	Repository string        // "" for bytes that belong to no repository
	Digest     digest.Digest // of a blob or manifest; "" while it is not known, as in a write
	Tag        string
	Session    string // of an upload
	Offset     int64  // of a write: what the session holds before it
	Length     int64  // of a write: what is to be added
}

// A Hook is asked before a storage does something. It returns nil to let it
// happen, or one of:
//
//   - ErrPretend: it does not happen, and the registry believes that it did;
//   - ErrNotStored, from a stat or read: the registry believes that nothing is there;
//   - *ShortWriteError, from a write: only so much is written, then it fails;
//   - any other error: it fails, and the registry answers as it answers when its
//     disk fails (500 UNKNOWN with the text as detail).
//
// A hook is called from many goroutines at once and must not call the storage.
type Hook func(ctx context.Context, a Access) error

// ErrPretend makes a storage drop what it should keep and say that it was kept.
var ErrPretend = errors.New("pretend that it was stored")

// ErrNotStored says that a blob, manifest, tag, upload session or repository is
// not there. Errors of the storage wrap it.
var ErrNotStored = errors.New("not stored")

// ErrDigestMismatch says that bytes do not have the digest that was claimed.
var ErrDigestMismatch = errors.New("content does not match digest")

// ErrClosed says that the storage was closed or the upload session ended.
var ErrClosed = errors.New("storage or upload session closed")

// A ShortWriteError that a Hook returns lets the first Keep bytes of a piece
// through and fails with Err, as a disk does that fills up.
type ShortWriteError struct {
	Keep int64
	Err  error // what the registry reports; never nil
}

func (e *ShortWriteError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *ShortWriteError) Unwrap() error { return e.Err }

// SetHook sets the hook that is asked for every access; nil removes it. Hooks of
// single requests come with WithHook and are asked first.
func (s *Storage) SetHook(h Hook) {
	if h == nil {
		s.hook.Store(nil)
		return
	}
	s.hook.Store(&h)
}

type hookKey struct{}

// WithHook returns a context whose request's accesses to storage ask h first:
// an Effect passes r.WithContext(WithHook(r.Context(), h)) to next. A hook that
// is already there is asked after h.
func WithHook(ctx context.Context, h Hook) context.Context {
	if outer, ok := ctx.Value(hookKey{}).(Hook); ok {
		inner := h
		h = func(ctx context.Context, a Access) error {
			if err := inner(ctx, a); err != nil {
				return err
			}
			return outer(ctx, a)
		}
	}
	return context.WithValue(ctx, hookKey{}, h)
}

// ask asks the hooks that apply to ctx.
func (s *Storage) ask(ctx context.Context, a Access) error {
	if h, ok := ctx.Value(hookKey{}).(Hook); ok {
		if err := h(ctx, a); err != nil {
			return err
		}
	}
	if h := s.hook.Load(); h != nil {
		return (*h)(ctx, a)
	}
	return nil
}

// A missingError says what is not there. It is made often and seldom read.
type missingError struct{ what, name, repository string }

func (e *missingError) Error() string {
	if e.repository == "" {
		return e.what + " " + e.name + ": " + ErrNotStored.Error()
	}
	return e.what + " " + e.name + " of " + e.repository + ": " + ErrNotStored.Error()
}

// Is makes it an ErrNotStored.
func (e *missingError) Is(target error) bool { return target == ErrNotStored }

func notStored(what, name, repository string) error { return &missingError{what, name, repository} }

// settle asks the hook about a change. It reports whether that was all there is to
// do: the hook refused the change, or has it pretended.
func (s *Storage) settle(ctx context.Context, a Access) (settled bool, err error) {
	if err = s.ask(ctx, a); errors.Is(err, ErrPretend) {
		return true, nil
	}
	return err != nil, err
}
