package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
)

// maxHead is the longest request head that is read, in bytes.
const maxHead = 1 << 20

// A Head is a request as it came over the wire, up to its body. net/http would
// sort the headers and spell their names its own way.
type Head struct {
	Method, Path, Proto string
	Headers             []string // "Name: value", in wire order
}

// ReadHead reads a request up to and with the empty line.
//
// Errors: io.EOF when nothing came at all; io.ErrUnexpectedEOF when it ended too
// soon; of a request line or a head that is too long.
func ReadHead(r *bufio.Reader) (*Head, error) {
	line, err := readLine(r, maxHead)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("malformed request line %.100q", line)
	}
	h := &Head{Method: parts[0], Path: parts[1], Proto: parts[2]}
	for left := maxHead - len(line); ; left -= len(line) + 2 {
		if line, err = readLine(r, left); err != nil {
			return nil, noEOF(err)
		}
		if line == "" {
			return h, nil
		}
		h.Headers = append(h.Headers, line)
	}
}

// readLine reads at most limit bytes up to the end of a line.
func readLine(r *bufio.Reader, limit int) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > limit {
			return "", errors.New("request head longer than 1 MiB")
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Header is the value of the first header of that name, whatever its spelling.
func (h *Head) Header(name string) string { return headerOf(h.Headers, name) }

func headerOf(lines []string, name string) string {
	for _, line := range lines {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Body reads the body that follows on from, without its framing. length is what
// the head declares, -1 for a body in chunks, 0 and a nil reader for none. Once
// the reader gave io.EOF the next request follows.
//
// Errors: of a length that is no number.
func (h *Head) Body(from *bufio.Reader) (body io.Reader, length int64, err error) {
	if strings.EqualFold(h.Header("Transfer-Encoding"), "chunked") {
		return &chunked{r: httputil.NewChunkedReader(from), raw: from}, -1, nil
	}
	declared := h.Header("Content-Length")
	if declared == "" {
		return nil, 0, nil
	}
	n, err := strconv.ParseInt(declared, 10, 64)
	if err != nil || n < 0 {
		return nil, 0, fmt.Errorf("bad Content-Length %.40q", declared)
	}
	if n == 0 {
		return nil, 0, nil
	}
	return &exact{from, n}, n, nil
}

// chunked reads the chunks and, at their end, the trailer and the empty line
// after it.
type chunked struct {
	r    io.Reader
	raw  *bufio.Reader
	done bool
}

// Read implements io.Reader.
func (c *chunked) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	n, err := c.r.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	for left := maxHead; ; {
		line, err := readLine(c.raw, left)
		if err != nil {
			return n, noEOF(err)
		}
		if line == "" {
			c.done = true
			return n, io.EOF
		}
		left -= len(line)
	}
}

// exact is io.LimitReader, but too little is an error.
type exact struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if e.left > 0 {
		return n, noEOF(err)
	}
	return n, err
}
