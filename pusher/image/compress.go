package image

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is how much a zstd stream may make its reader remember, bytes: what
// the zstd command reads without being asked for more.
const zstdWindow = 128 << 20

// A compression is a way in which tars come compressed.
type compression struct {
	name  string // "gzip"; "" for a plain stream
	magic []byte
	// media is the media type of a layer compressed so, for sources that name none.
	media string
	open  func(r io.Reader) (io.ReadCloser, error)
	// advice is what to do where open is nil.
	advice string
}

func compressions() []compression {
	return []compression{
		{name: "gzip", magic: []byte{0x1f, 0x8b}, media: mediaDockerLayer, open: func(r io.Reader) (io.ReadCloser, error) {
			return openGzip(r)
		}},
		{name: "zstd", magic: []byte{0x28, 0xb5, 0x2f, 0xfd}, media: mediaOCILayer + "+zstd", open: openZstd},
		{name: "bzip2", magic: []byte("BZh"), open: func(r io.Reader) (io.ReadCloser, error) {
			return io.NopCloser(bzip2.NewReader(r)), nil
		}},
		{name: "xz", magic: []byte("\xfd7zXZ\x00"), advice: "unpack it with xz -d first"},
	}
}

// errTrailing is what follows a gzip stream and is none.
var errTrailing = errors.New("bytes that are no gzip follow its gzip stream")

// A gzipMembers reader reads the members of a gzip stream one after the other, and
// tells what follows the last from a member that is damaged or cut off.
type gzipMembers struct {
	*gzip.Reader
	from *bufio.Reader
}

func openGzip(r io.Reader) (io.ReadCloser, error) {
	from := bufio.NewReader(r) // r itself where it is one
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{z, from}, nil
}

// Read implements io.Reader.
func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.Reader.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, unlessEOF(err)
		}
		head, err := g.from.Peek(2)
		switch {
		case len(head) == 0 || err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case !bytes.Equal(head, []byte{0x1f, 0x8b}):
			return 0, errTrailing
		}
		if err := g.Reset(g.from); err != nil {
			return 0, err
		}
		g.Multistream(false)
	}
}

// unlessEOF is err, but for the end of a member.
func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// openZstd reads zstd on the caller's goroutine, with bounded memory.
func openZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// sniff tells how a stream is compressed from its first bytes.
func sniff(r *bufio.Reader) compression {
	head, _ := r.Peek(8)
	for _, c := range compressions() {
		if bytes.HasPrefix(head, c.magic) {
			return c
		}
	}
	return compression{open: func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}

// A packingError says that a stream is compressed in a way that is not read here.
type packingError struct{ compression }

// Error implements error.
func (e *packingError) Error() string { return "it is compressed with " + e.name }

// Decompress unpacks a stream that is plain, or compressed with gzip, zstd or
// bzip2. The caller closes the result, which does not close r.
//
// Errors: another compression, with advice; of a header that is broken. What is
// broken later is Read's to tell.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	plain, err := decompress(r)
	if packed := new(packingError); errors.As(err, &packed) {
		return nil, fmt.Errorf("%w; %s", err, packed.advice)
	}
	return plain, err
}

// decompress unpacks a stream, however it is compressed. Closing the result does
// not close r.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	c := sniff(buffered)
	if c.open == nil {
		return nil, &packingError{c}
	}
	plain, err := c.open(buffered)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return plain, err
}
