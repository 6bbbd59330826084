package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// hashes holds idle SHA-256 states; copies holds buffers for copying bodies.
var (
	hashes = sync.Pool{New: func() any { return sha256.New() }}
	copies = sync.Pool{New: func() any { b := make([]byte, copyLimit); return &b }}
)

// copyLimit is the size of a copy buffer: large enough that system calls stop
// mattering, small enough that sixteen uploads cost a megabyte.
const copyLimit = 64 << 10

// A meter measures a body as it passes. The zero meter is ready; kind decides
// whether the head is kept.
type meter struct {
	length int64
	sum    hash.Hash     // nil before the first byte, after the end, and once taken
	taken  digest.Digest // of all bytes, when somebody took sum
	head   []byte
	kind   kind
	want   int64 // what Content-Length promised; <= 0 when it did not
	eof    bool  // the end was seen
	exists bool  // there is a body at all
}

// A kind says whether a body is worth keeping the head of.
type kind int

const (
	kindUnknown kind = iota // look at the first byte
	kindText
	kindBinary
)

// expect says that a body of the given headers will pass. length < 0 is unknown.
func (m *meter) expect(h http.Header, length int64) {
	m.exists, m.want, m.kind = true, length, kindOf(h)
}

// pass accounts for p, and for the end of the body.
func (m *meter) pass(p []byte, eof bool) {
	m.eof = m.eof || eof
	if len(p) == 0 {
		return
	}
	if m.sum == nil {
		m.sum = hashes.Get().(hash.Hash) //nolint:errcheck,forcetypeassert // the pool holds nothing else
		if m.kind == kindUnknown {
			m.kind = sniff(p[0])
		}
	}
	m.sum.Write(p)
	m.length += int64(len(p))
	if room := HeadLimit - len(m.head); m.kind == kindText && room > 0 {
		m.head = append(m.head, p[:min(room, len(p))]...)
	}
}

// body is what is known up to now.
func (m *meter) body() Body {
	b := Body{Length: m.length, Head: m.head, Digest: m.taken}
	if m.sum != nil {
		b.Digest = digestOf(m.sum)
	}
	b.Cut = m.exists && !m.eof && (m.want < 0 || m.length < m.want)
	return b
}

// take gives away the state of the hash, once the whole body has passed.
func (m *meter) take() (hash.Hash, int64, bool) {
	if m.sum == nil || !m.eof && (m.want <= 0 || m.length < m.want) {
		return nil, 0, false
	}
	h := m.sum
	m.taken, m.sum = digestOf(h), nil
	return h, m.length, true
}

// digestOf is the digest of what was written to h, made with one allocation.
func digestOf(h hash.Hash) digest.Digest {
	const prefix = "sha256:"
	var sum [sha256.Size]byte
	var text [len(prefix) + 2*sha256.Size]byte
	copy(text[:], prefix)
	hex.Encode(text[len(prefix):], h.Sum(sum[:0]))
	return digest.Digest(text[:])
}

// end is body, and gives back what the meter holds. No byte may pass after it.
func (m *meter) end() Body {
	b := m.body()
	if m.sum != nil {
		m.sum.Reset()
		hashes.Put(m.sum)
		m.sum = nil
	}
	return b
}

// kindOf reads a body's kind from its headers. Without a Content-Type, which
// docker 1.8 leaves out of its manifests, the first byte decides.
func kindOf(h http.Header) kind {
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return kindBinary
	}
	media, _, _ := strings.Cut(strings.ToLower(h.Get("Content-Type")), ";")
	media = strings.TrimSpace(media)
	switch {
	case media == "":
		return kindUnknown
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "json"), strings.HasSuffix(media, "+prettyjws"),
		strings.HasSuffix(media, "xml"), media == "application/x-www-form-urlencoded":
		return kindText
	}
	return kindBinary
}

func sniff(first byte) kind {
	switch first {
	case '{', '[', '"', '<', ' ', '\t', '\r', '\n':
		return kindText
	}
	return kindBinary
}
