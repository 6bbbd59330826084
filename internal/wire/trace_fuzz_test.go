package wire_test

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A source deals out a fuzzer's bytes as the parts of exchanges.
type source struct{ data []byte }

func (s *source) byte() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func (s *source) int() int { return int(s.byte()) }

func (s *source) string() string {
	n := min(s.int(), len(s.data))
	out := string(s.data[:n])
	s.data = s.data[n:]
	return out
}

func (s *source) header() http.Header {
	h := http.Header{}
	for range s.int() % 4 {
		name := s.string()
		if n := s.int(); n%2 == 0 {
			known := []string{"Authorization", "Location", "X-Docker-Token", "Www-Authenticate", "Content-Type", "Set-Cookie", "X-Docker-Endpoints", "User-Agent"}
			name = known[n/2%len(known)]
		}
		if name != "" {
			h[name] = append(h[name], s.string())
		}
	}
	return h
}

func (s *source) body() wire.Body {
	b := wire.Body{Head: []byte(s.string()), Cut: s.byte()%2 == 1}
	b.Length = int64(len(b.Head))
	if s.byte()%4 == 0 {
		b.Length += int64(binary.BigEndian.Uint32([]byte{0, s.byte(), s.byte(), s.byte()}))
	}
	if b.Length > 0 {
		b.Digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	}
	return b
}

func (s *source) exchange(seq int) wire.Exchange {
	e := wire.Exchange{
		Seq: seq, Conn: s.int(), Fault: s.string(), Err: s.string(), Open: s.byte()%2 == 1, Link: s.string(),
		Failure: wire.Failure(s.int() % 9), At: time.Duration(s.int()), Elapsed: time.Duration(s.int()) * time.Millisecond,
	}
	if s.byte()%5 == 0 {
		e.Route.Op, e.Request.Target = wire.OpEvent, s.string()
		return e
	}
	methods := []string{"GET", "PUT", "PATCH", "POST", "HEAD", "DELETE", s.string()}
	target := "/" + s.string()
	e.Request = wire.Request{Method: methods[s.int()%len(methods)], Scheme: []string{"http", "https"}[s.int()%2], Host: s.string(), Target: target, Header: s.header(), Body: s.body()}
	if e.Request.Method == "" {
		e.Request.Method = "GET"
	}
	u, err := url.ParseRequestURI(target)
	e.Route = wire.Route{Op: wire.OpOther}
	if err == nil {
		e.Route = wire.ParseRoute(e.Request.Method, u)
	}
	if s.byte()%4 != 0 {
		e.Response = wire.Response{Status: 100 + s.int(), Header: s.header(), Body: s.body()}
	}
	return e
}

// FuzzTrace holds what the text form promises: reading gives back the scrubbed
// trace, scrubbing twice is scrubbing once, and no listed secret is in it.
func FuzzTrace(f *testing.F) {
	f.Add("correct-horse", []byte("\x03\x01\x05reset\x04oops\x00\x00\x02\x00\x00\x01\x20v2/lib/app/blobs/uploads/correct-horse"))
	f.Add("hunter2", []byte("\x02\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00open "))
	f.Add("s3cret", []byte(strings.Repeat("\x01\x02\x07s3cret \x03\"a\"", 20)))
	f.Add("\"", []byte("\x01\x00\x00\x03\"\\\"\x00"))
	f.Fuzz(func(t *testing.T, secret string, data []byte) {
		s := &source{data: data}
		var trace wire.Trace
		for i := range 1 + s.int()%4 {
			trace = append(trace, s.exchange(i+1))
		}
		scrubber := wire.NewScrubber(secret)
		scrubber.KeepTimes = true
		scrubbed := scrubber.Trace(trace)
		again := wire.NewScrubber(secret)
		again.KeepTimes = true
		if diff := cmp.Diff(scrubbed, again.Trace(scrubbed), cmpopts.EquateEmpty()); diff != "" && isWord(secret) {
			t.Fatalf("scrubbing twice differs (-once +twice):\n%s", diff)
		}
		text := scrubber.Format(trace)
		parsed, err := wire.ParseTrace(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(scrubbed, parsed, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("reading differs (-scrubbed +read):\n%s\n%s", diff, text)
		}
		if len(secret) < 6 || strings.Trim(secret, "*") == "" {
			return // the form's own words may hold a short one
		}
		for _, e := range scrubbed {
			for _, place := range places(e) {
				if strings.Contains(place, secret) {
					t.Fatalf("the secret %q survives in %q", secret, place)
				}
			}
		}
	})
}

// isWord reports whether s has no punctuation, whose masking takes headers apart.
func isWord(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) < 0
}

// places are all the strings of an exchange that come from outside.
func places(e wire.Exchange) []string {
	list := []string{e.Err, e.Request.Method, e.Request.Host, e.Request.Target, e.Route.Repository, e.Route.Tag, e.Route.Session, e.Route.From, e.Route.ImageID}
	list = append(list, string(e.Request.Body.Head), string(e.Response.Body.Head))
	for _, h := range []http.Header{e.Request.Header, e.Response.Header} {
		for name, values := range h {
			list = append(append(list, name), values...)
		}
	}
	return list
}
