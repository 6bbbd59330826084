package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// What is kept of bodies: JSON up to jsonKept bytes, other text up to textKept.
const (
	jsonKept = 4 << 20
	textKept = 4 << 10
)

// A tap is a body that is being passed on, and what is to be known of it. It
// holds no more of it than is kept. It is safe for concurrent use: net/http reads
// the body of a request while the answer comes already.
type tap struct {
	reading  sync.Mutex // guards r
	r        io.Reader
	declared int64 // -1 when unknown

	mu   sync.Mutex // guards everything below
	sum  hash.Hash
	n    int64
	head []byte
	// dropped: it is neither short nor JSON, and head is empty.
	dropped bool
	ended   bool
	err     error
}

// newTap reads from r; a nil one is an empty body.
func newTap(r io.Reader, declared int64) *tap {
	if r == nil {
		r = strings.NewReader("")
	}
	return &tap{r: r, declared: declared, sum: sha256.New(), ended: declared == 0}
}

// Read implements io.Reader.
func (t *tap) Read(p []byte) (int, error) {
	t.reading.Lock()
	n, err := t.r.Read(p)
	t.reading.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += int64(n)
	t.sum.Write(p[:n])
	t.keep(p[:n])
	switch {
	case errors.Is(err, io.EOF):
		t.ended = true
	case err != nil && t.err == nil:
		t.err = err
	}
	if t.declared >= 0 && t.n == t.declared {
		t.ended = true
	}
	return n, err
}

// beside is what the tap reads from, for somebody who reads on when the answer is there:
// net/http may not have noticed yet that nobody wants the body any more.
func (t *tap) beside(from io.Reader) io.Reader { return besideTap{t, from} }

type besideTap struct {
	tap  *tap
	from io.Reader
}

// Read implements io.Reader.
func (b besideTap) Read(p []byte) (int, error) {
	b.tap.reading.Lock()
	defer b.tap.reading.Unlock()
	return b.from.Read(p)
}

// keep holds the beginning, for as long as it can be something that is kept. t.mu
// is held.
func (t *tap) keep(p []byte) {
	if t.dropped {
		return
	}
	t.head = append(t.head, p...)
	if len(t.head) > textKept && (!t.looksJSON() || len(t.head) > jsonKept) {
		t.head, t.dropped = nil, true
	}
}

func (t *tap) looksJSON() bool {
	first := strings.TrimLeft(string(t.head[:min(len(t.head), 64)]), " \t\r\n")
	return strings.HasPrefix(first, "{") || strings.HasPrefix(first, "[")
}

// whole tells whether it was read to its end.
func (t *tap) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// failure is why it could not be read to its end; nil otherwise.
func (t *tap) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *tap) length() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// fill notes the body of a request.
func (t *tap) fill(e *recording.Exchange) {
	e.ReqLen, e.ReqSHA256, e.ReqBody = t.kept("")
}

// kept is the length, the digest of a whole body, and the body itself where it is
// kept. contentType may be "".
func (t *tap) kept(contentType string) (n int64, sum, body string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended && t.n > 0 {
		sum = hex.EncodeToString(t.sum.Sum(nil))
	}
	if t.dropped || !utf8.Valid(t.head) || strings.Contains(contentType, "octet-stream") && !t.looksJSON() {
		return t.n, sum, ""
	}
	return t.n, sum, string(t.head)
}
