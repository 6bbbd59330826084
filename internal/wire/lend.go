package wire

import (
	"hash"
	"io"
)

// Lends reports whether body is a request's body that a Recorder's Handler
// measures, so that TakeHash may give the hash of its bytes.
func Lends(body io.Reader) bool {
	_, ok := body.(*handlerBody)
	return ok
}

// TakeHash gives the SHA-256 state of a request's body that a Recorder's Handler
// measured, and the body's length, so that whoever keeps the bytes need not hash
// them once more. The state is the caller's from then on and can go on with
// further bytes.
//
// ok is false for any other reader, before the body was read to its end, for an
// empty body, and when it was taken before.
func TakeHash(body io.Reader) (state hash.Hash, length int64, ok bool) {
	b, ok := body.(*handlerBody)
	if !ok {
		return nil, 0, false
	}
	b.rec.mu.Lock()
	defer b.rec.mu.Unlock()
	if b.rec.ended {
		return nil, 0, false
	}
	return b.rec.request.take()
}
