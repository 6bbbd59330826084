package pusher

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// tarBlock is the unit of a tar, in bytes.
const tarBlock = 512

// tarPieces reads a tar in the pieces in which docker's graph hands it out: a
// header with the padding before it, a file's content by 32 KiB, the end of the
// tar. What does not look like a tar is read as it comes.
type tarPieces struct {
	in      io.Reader
	content int64 // left of the file's content
	padding int64 // after it
	plain   bool
}

// Read implements io.Reader.
func (t *tarPieces) Read(p []byte) (int, error) {
	if t.plain {
		return t.in.Read(p)
	}
	if t.content > 0 {
		n, err := t.in.Read(p[:min(int64(len(p)), t.content)])
		t.content -= int64(n)
		return n, err
	}
	return t.header(p)
}

// header reads the padding of a file and the header of the next.
func (t *tarPieces) header(p []byte) (int, error) {
	want := int(t.padding) + tarBlock
	if len(p) < want {
		t.plain = true
		return t.in.Read(p)
	}
	n, err := io.ReadFull(t.in, p[:want])
	if err != nil {
		t.plain = true
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return n, err
	}
	block := p[t.padding:n]
	size, ok := tarSize(block)
	if !ok || block[0] == 0 {
		t.plain = true
		m, err := t.in.Read(p[n:])
		if errors.Is(err, io.EOF) {
			err = nil // it comes again
		}
		return n + m, err
	}
	t.content, t.padding = size, -size&(tarBlock-1)
	return n, nil
}

// tarSize reads a header's size field, octal or base 256. Links, devices,
// directories and pipes have no content whatever it says.
func tarSize(block []byte) (int64, bool) {
	field := block[124:136]
	if strings.IndexByte("123456", block[156]) >= 0 {
		return 0, true
	}
	if field[0]&0x80 != 0 {
		var size int64
		for _, b := range field[4:] {
			size = size<<8 | int64(b)
		}
		return size, size >= 0 && field[0] == 0x80
	}
	text := strings.Trim(string(field), " \x00")
	if text == "" {
		return 0, true
	}
	size, err := strconv.ParseInt(text, 8, 64)
	return size, err == nil && size >= 0
}
