package image

import (
	"errors"
	"fmt"
	"io"
)

// bounds keep foreign bytes from taking more than is reasonable. A load within
// them takes as much disk as its archive unpacked, and memory for one JSON
// document and one entry name at a time besides the list of entries.
type bounds struct {
	json    int64 // one JSON document, bytes
	entries int   // of an archive
	// free is how far anything compressed may unpack whatever its own size, bytes;
	// beyond that an archive to at most archiveRatio times its size, and a layer,
	// which is unpacked only to hash it, to layerRatio times.
	free                     int64
	archiveRatio, layerRatio int64
}

var defaultBounds = bounds{json: 4 << 20, entries: 1 << 16, free: 1 << 30, archiveRatio: 200, layerRatio: 2000}

// errBomb means that something unpacks to more than is allowed.
var errBomb = errors.New("it unpacks to too much")

// A counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64 // bytes
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// An allowance is how much may still be unpacked from a compressed stream.
type allowance struct {
	packed *counter
	free   int64
	ratio  int64
	used   int64 // bytes unpacked so far
}

// take takes n unpacked bytes from the allowance.
func (a *allowance) take(n int64) error {
	a.used += n
	if a.used-a.free > a.packed.n*a.ratio {
		return fmt.Errorf("%w: more than %d times what was read of it", errBomb, a.ratio)
	}
	return nil
}

// A limited reader takes what is read through it from an allowance.
type limited struct {
	r io.Reader
	a *allowance
}

// Read implements io.Reader.
func (l limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if short := l.a.take(int64(n)); short != nil {
		return n, short
	}
	return n, err
}
