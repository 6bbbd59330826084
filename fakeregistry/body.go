package fakeregistry

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
)

// errCut is what a registry sees of a body that a fault broke off.
var errCut = errors.New("the connection broke")

// A limitedBody ends with an error once more than left bytes came.
type limitedBody struct {
	io.ReadCloser
	left     int64
	exceeded bool
	over     func() // called once, when it is exceeded
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.exceeded {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.exceeded, err = true, errCut
		b.over()
	}
	b.left -= int64(n)
	return n, err
}

// A cutBody calls cut when left bytes were read, and fails from then on.
type cutBody struct {
	io.ReadCloser
	left int64
	cut  func()
	done bool
}

// Read implements io.Reader.
func (b *cutBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, errCut
	}
	if b.left == 0 {
		b.done = true
		b.cut()
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.left == 0 && n > 0 {
		err = nil // what ends exactly there is cut too
	}
	return n, err
}

// A muteWriter drops what is written while mute says so.
type muteWriter struct {
	http.ResponseWriter
	mute   func() bool
	header http.Header // where a mute answer's headers go
}

// Unwrap is for http.ResponseController.
func (w *muteWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header implements http.ResponseWriter.
func (w *muteWriter) Header() http.Header {
	if !w.mute() {
		return w.ResponseWriter.Header()
	}
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (w *muteWriter) WriteHeader(status int) {
	if !w.mute() {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements io.Writer.
func (w *muteWriter) Write(p []byte) (int, error) {
	if w.mute() {
		return 0, net.ErrClosed
	}
	return w.ResponseWriter.Write(p)
}

// A cutWriter calls cut when left bytes of the answer's body were written, or
// before its head when left is 0. What follows is dropped: the handler goes on.
type cutWriter struct {
	http.ResponseWriter
	left  int64
	cut   func()
	wrote bool
	done  bool
}

// Unwrap is for http.ResponseController.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *cutWriter) WriteHeader(status int) {
	if w.done || w.wrote {
		return
	}
	w.wrote = true
	if w.left == 0 {
		w.done = true
		w.cut()
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *cutWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.done {
		return len(p), nil
	}
	if int64(len(p)) < w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])                // the connection is to be broken anyway
	_ = http.NewResponseController(w.ResponseWriter).Flush() // likewise
	w.done = true
	w.cut()
	return len(p), nil
}

// A stepBody calls step with the number of bytes about to be given on, at most
// size at a time. An error of step ends the body.
type stepBody struct {
	io.ReadCloser
	size int64
	step func(n int64) error
}

// Read implements io.Reader.
func (b *stepBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.size)])
	if n > 0 {
		if serr := b.step(int64(n)); serr != nil {
			return 0, serr
		}
	}
	return n, err
}

// A stepWriter writes an answer's body in pieces of at most size bytes and calls
// step before each.
type stepWriter struct {
	http.ResponseWriter
	size int64
	step func(n int64) error
}

// Unwrap is for http.ResponseController.
func (w *stepWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *stepWriter) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		piece := p[written:min(int64(len(p)), int64(written)+w.size)]
		if err := w.step(int64(len(piece))); err != nil {
			return written, err
		}
		n, err := w.ResponseWriter.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush() // an error shows at the next write
	}
	return written, nil
}

// flip flips bits of a piece.
func flip(p []byte, bits int64, chance *rand.Rand) {
	for range bits {
		at := chance.IntN(len(p) * 8)
		p[at/8] ^= 1 << (at % 8)
	}
}

// seeded is a chance of its own.
func seeded(seed int64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // chance that must repeat
}

// A flippedBody flips bits in the first piece that is read.
type flippedBody struct {
	io.ReadCloser
	flip func(p []byte) // nil once it was called
}

// Read implements io.Reader.
func (b *flippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.flip != nil {
		b.flip(p[:n])
		b.flip = nil
	}
	return n, err
}

// A flippedWriter flips bits in the first piece that is written.
type flippedWriter struct {
	http.ResponseWriter
	flip func(p []byte) // nil once it was called
}

// Unwrap is for http.ResponseController.
func (w *flippedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *flippedWriter) Write(p []byte) (int, error) {
	if len(p) > 0 && w.flip != nil {
		p = append([]byte(nil), p...)
		w.flip(p)
		w.flip = nil
	}
	return w.ResponseWriter.Write(p)
}

// corruption flips bits of a body. Where they flip depends on the seed and on how
// much of the body comes at once.
func corruption(a Args) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		did := false
		change := func(p []byte) {
			chance := s.rand()
			if seed, ok := a["seed"].(int64); ok {
				chance = seeded(seed)
			}
			flip(p, max(a.number("bits"), 1), chance)
			did = true
			s.took(r.Context())
		}
		if a.text("side") == "request" {
			r.Body = &flippedBody{ReadCloser: r.Body, flip: change}
		} else {
			w = &flippedWriter{ResponseWriter: w, flip: change}
		}
		next.ServeHTTP(w, r)
		if !did {
			s.missed()
		}
	})
}
