package replay

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
)

// maxHead is the longest request head that is read, in bytes.
const maxHead = 1 << 20

// keepBody is how much of a request's body is kept, in bytes: manifests and V1
// JSON are far below it.
const keepBody = 4 << 20

// A request is one request as it came over the wire. net/http would sort the
// headers and spell their names its own way.
type request struct {
	Method, Path, Proto string
	Headers             []string // "Name: value", in wire order
	Body                body
}

// A body is what was read of a request's body.
type body struct {
	Length  int64
	SHA256  string // hex; "" of an empty body
	Head    []byte // the first keepBody bytes
	Payload string // SHA-256 of Prefix and the body, for a V1 layer
	Err     error  // why it was not read to its end; nil when it was
}

// readHead reads a request up to the empty line.
//
// Errors: io.EOF when nothing came at all.
func readHead(r *bufio.Reader) (*request, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("malformed request line %q", line)
	}
	req := &request{Method: parts[0], Path: parts[1], Proto: parts[2]}
	for size := len(line); ; {
		if line, err = readLine(r); err != nil {
			return nil, err
		}
		if line == "" {
			return req, nil
		}
		if size += len(line); size > maxHead {
			return nil, errors.New("request head too long")
		}
		req.Headers = append(req.Headers, line)
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// header is the value of the first header of that name, whatever its spelling.
func (r *request) header(name string) string {
	for _, h := range r.Headers {
		if n, v, ok := strings.Cut(h, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// bodyReader reads the body without its framing; nil when there is none.
func (r *request) bodyReader(from *bufio.Reader) (io.Reader, error) {
	if strings.EqualFold(r.header("Transfer-Encoding"), "chunked") {
		return httputil.NewChunkedReader(from), nil
	}
	length := r.header("Content-Length")
	if length == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("bad Content-Length %q", length)
	}
	if n == 0 {
		return nil, nil
	}
	return &exactReader{from, n}, nil
}

// An exactReader is io.LimitReader, but too little is an error.
type exactReader struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// readBody reads at most limit bytes of a body; a negative limit is none. prefix
// is what a V1 payload checksum puts before the bytes of a layer.
func readBody(from io.Reader, limit int64, prefix []byte) body {
	var b body
	if from == nil || limit == 0 {
		return b
	}
	sum, payload := sha256.New(), sha256.New()
	payload.Write(prefix)
	buf := make([]byte, 32<<10)
	for limit < 0 || b.Length < limit {
		want := buf
		if limit >= 0 {
			want = buf[:min(int64(len(buf)), limit-b.Length)]
		}
		n, err := from.Read(want)
		b.Length += int64(n)
		sum.Write(want[:n])
		payload.Write(want[:n])
		if room := keepBody - len(b.Head); room > 0 {
			b.Head = append(b.Head, want[:min(n, room)]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Err = err
			break
		}
	}
	if b.Length > 0 {
		b.SHA256 = hex.EncodeToString(sum.Sum(nil))
		b.Payload = hex.EncodeToString(payload.Sum(nil))
	}
	return b
}
