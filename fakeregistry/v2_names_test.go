package fakeregistry

import (
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// The grammars written by hand take what the expressions of distribution's routes
// take, over strings of just the bytes that matter.
func TestNamesAsInRoutes(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		alphabet string
		valid    func(string) bool
		grammar  string
	}{
		"name":    {"ab9._--__/:A", validName, reference.NameRegexp.String()},
		"tag":     {"aZ0._-:/", validTag, reference.TagRegexp.String()},
		"digest":  {"af0:+._-=Z", digestLike, digest.DigestRegexp.String()},
		"session": {"aZ0-_.=/", func(s string) bool { return only(s, sessionByte) }, `[a-zA-Z0-9-_.=]+`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grammar := regexp.MustCompile("^(?:" + row.grammar + ")$")
			r := rand.New(rand.NewPCG(1, 2))
			agreed := map[bool]int{}
			for range 30_000 {
				b := make([]byte, r.IntN(14))
				for i := range b {
					b[i] = row.alphabet[r.IntN(len(row.alphabet))]
				}
				s := string(b)
				want := grammar.MatchString(s)
				if got := row.valid(s); got != want {
					t.Fatalf("%q: %t, want %t", s, got, want)
				}
				agreed[want]++
			}
			if agreed[true] < 200 || agreed[false] < 200 {
				t.Errorf("the strings are too much alike: %v", agreed)
			}
		})
	}
	if validTag(strings.Repeat("x", 129)) || !validTag(strings.Repeat("x", 128)) {
		t.Error("a tag has at most 128 bytes")
	}
}

// Whatever Content-Range says, a chunk is taken only where it continues the session
// and is as long as it says.
func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"", "0-4", "5-9", "5-4", "-1-3", "bytes 0-4", "0-99999999999999999999", "5-", "-", "+5-9", "05-9"} {
		f.Add(seed, int64(5), int64(5))
	}
	f.Fuzz(func(t *testing.T, said string, length, size int64) {
		r := httptest.NewRequest("PATCH", "/", nil)
		r.Header["Content-Range"] = []string{said}
		r.ContentLength = length
		err := (&V2{}).checkRange(r, size)
		if said == "" || length < 0 {
			if err != nil {
				t.Fatalf("%q of %d: %v", said, length, err)
			}
			return
		}
		first, last, _ := strings.Cut(said, "-")
		start, err1 := strconv.ParseInt(first, 10, 64)
		end, err2 := strconv.ParseInt(last, 10, 64)
		fits := err1 == nil && err2 == nil && start == size && end >= start && end-start+1 == length
		if fits != (err == nil) {
			t.Fatalf("%q of %d bytes into a session of %d: %v", said, length, size, err)
		}
	})
}
