package replay

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// keepBody is how much of a request's body is kept, in bytes: manifests and V1
// JSON are far below it.
const keepBody = 4 << 20

// A request is one request as it came over the wire.
type request struct {
	recording.Head
	Body body
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
	h, err := recording.ReadHead(r)
	if err != nil {
		return nil, err
	}
	return &request{Head: *h}, nil
}

// bodyReader reads the body without its framing; nil when there is none.
func (r *request) bodyReader(from *bufio.Reader) (io.Reader, error) {
	b, _, err := r.Head.Body(from)
	return b, err
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
