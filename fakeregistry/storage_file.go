package fakeregistry

import (
	"errors"
	"io"
	"os"
	"sync"
)

// A file is bytes that grow at their end until finish and can then be read any
// number of times at once. One goroutine at a time may make it grow.
type file interface {
	// next is where the next bytes go: never empty. want is how many are still
	// expected, < 0 when that is not known.
	next(want int64) []byte
	// grow takes the first n bytes of what next returned.
	grow(n int) error
	// finish ends growth and gives back what was reserved for it. It may be called
	// more than once.
	finish() error
	// open reads from the start what had been written when it was called.
	open() (readSeekCloser, error)
	// remove forgets the bytes; those who have them open can still read.
	remove()
	// flip returns a copy in which one bit at offset has changed. The receiver is
	// not to be used any more, but by those who have it open.
	flip(offset int64) (file, error)
}

type readSeekCloser interface {
	io.ReadSeekCloser
	io.WriterTo
}

// Chunks of an in-memory file. A blob of known length gets exactly what it needs,
// the last chunk of another is cut to size by finish.
const (
	firstChunk = 32 << 10
	maxChunk   = 1 << 20
)

// A memFile keeps its bytes in chunks that are never moved. Nothing is ever
// copied but the last chunk, once.
type memFile struct {
	mu     sync.RWMutex // guards chunks against readers of an unfinished file
	chunks [][]byte     // each filled to its length; only the last one grows
}

func (f *memFile) next(want int64) []byte {
	if n := len(f.chunks); n > 0 {
		if last := f.chunks[n-1]; len(last) < cap(last) {
			return last[len(last):cap(last)]
		}
	}
	size := want
	if n := len(f.chunks); n > 0 {
		grown := 2 * int64(cap(f.chunks[n-1]))
		if want > 0 { // many small appends share a chunk
			grown = min(grown, firstChunk)
		}
		size = max(want, grown)
	} else if want < 0 {
		size = firstChunk
	}
	size = min(size, maxChunk)
	f.mu.Lock()
	f.chunks = append(f.chunks, make([]byte, 0, size))
	f.mu.Unlock()
	return f.chunks[len(f.chunks)-1][:size]
}

func (f *memFile) grow(n int) error {
	f.mu.Lock()
	last := &f.chunks[len(f.chunks)-1]
	*last = (*last)[:len(*last)+n]
	f.mu.Unlock()
	return nil
}

func (f *memFile) finish() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.chunks)
	if n == 0 {
		return nil
	}
	last := f.chunks[n-1]
	if spare := cap(last) - len(last); spare > cap(last)/16 {
		f.chunks[n-1] = append(make([]byte, 0, len(last)), last...)
	}
	return nil
}

func (f *memFile) open() (readSeekCloser, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	r := &memReader{chunks: append([][]byte(nil), f.chunks...)}
	for _, c := range r.chunks {
		r.size += int64(len(c))
	}
	return r, nil
}

func (f *memFile) remove() {}

func (f *memFile) flip(offset int64) (file, error) {
	changed := &memFile{chunks: append([][]byte(nil), f.chunks...)}
	for i, c := range changed.chunks {
		if offset < int64(len(c)) {
			c = append([]byte(nil), c...)
			c[offset] ^= 1
			changed.chunks[i] = c
			return changed, nil
		}
		offset -= int64(len(c))
	}
	return nil, io.ErrUnexpectedEOF
}

// A memReader reads chunks.
type memReader struct {
	chunks [][]byte
	size   int64
	at     int64 // position
	chunk  int   // where at lies: in this chunk,
	off    int   // at this offset, which is within it unless at is the end
}

func (r *memReader) Read(p []byte) (int, error) {
	rest := r.rest()
	if rest == nil {
		return 0, io.EOF
	}
	n := copy(p, rest)
	r.at += int64(n)
	r.off += n
	return n, nil
}

// rest is what remains of the chunk at the position; nil at the end.
func (r *memReader) rest() []byte {
	for r.chunk < len(r.chunks) {
		if c := r.chunks[r.chunk]; r.off < len(c) {
			return c[r.off:]
		}
		r.off -= len(r.chunks[r.chunk])
		r.chunk++
	}
	return nil
}

func (r *memReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for rest := r.rest(); rest != nil; rest = r.rest() {
		n, err := w.Write(rest)
		r.at += int64(n)
		r.off += n
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (r *memReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of a blob")
	}
	r.at, r.chunk = offset, 0
	for r.chunk < len(r.chunks) && offset >= int64(len(r.chunks[r.chunk])) {
		offset -= int64(len(r.chunks[r.chunk]))
		r.chunk++
	}
	r.off = int(offset)
	return r.at, nil
}

func (r *memReader) Close() error { return nil }

// A diskFile keeps its bytes in a file of the operating system.
type diskFile struct {
	path string
	w    *os.File // nil after finish
	buf  []byte
}

func newDiskFile(dir string) (*diskFile, error) {
	w, err := os.CreateTemp(dir, "blob-")
	if err != nil {
		return nil, err
	}
	return &diskFile{path: w.Name(), w: w}, nil
}

func (f *diskFile) next(want int64) []byte {
	size := int64(maxChunk / 4)
	if want > 0 {
		size = min(want, size)
	}
	if int64(len(f.buf)) < size {
		f.buf = make([]byte, size)
	}
	return f.buf[:size]
}

func (f *diskFile) grow(n int) error {
	if f.w == nil {
		return ErrClosed
	}
	_, err := f.w.Write(f.buf[:n])
	return err
}

func (f *diskFile) finish() error {
	f.buf = nil
	if f.w == nil {
		return nil
	}
	err := f.w.Close()
	f.w = nil
	return err
}

func (f *diskFile) open() (readSeekCloser, error) { return os.Open(f.path) }

func (f *diskFile) remove() { os.Remove(f.path) }

func (f *diskFile) flip(offset int64) (file, error) {
	w, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var b [1]byte
	if _, err := w.ReadAt(b[:], offset); err != nil {
		return nil, err
	}
	b[0] ^= 1
	_, err = w.WriteAt(b[:], offset)
	return f, err
}

// newFile makes an empty file where s keeps its bytes.
func (s *Storage) newFile() (file, error) {
	if s.dir == "" {
		return &memFile{}, nil
	}
	return newDiskFile(s.dir)
}
