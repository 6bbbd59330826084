package pusher

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func TestSplitChallenges(t *testing.T) {
	t.Parallel()
	type list = []challenge
	bearer := challenge{"bearer", map[string]string{"realm": "https://a/t", "service": "s, x"}}
	basic := challenge{"basic", map[string]string{"realm": "r"}}
	tests := map[string]list{
		``:                nil,
		`Basic realm="r"`: {basic},
		`Bearer realm="https://a/t",service="s, x"`:                  {bearer},
		`Basic realm=r, Bearer realm="https://a/t" , service="s, x"`: {basic, bearer},
		`Negotiate, Basic realm="r"`:                                 {{"negotiate", map[string]string{}}, basic},
		`Bearer`:                                                     {{"bearer", map[string]string{}}},
		`="x"`:                                                       nil,
	}
	for line, want := range tests {
		if diff := cmp.Diff(want, splitChallenges(line), cmp.AllowUnexported(challenge{})); diff != "" {
			t.Errorf("%s:\n%s", line, diff)
		}
	}
}

func TestRangeEnd(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0-1023": 1024, "bytes=0-1": 2, "0-0": 0, "": 0, "5-9": 0, "0--5": 0, "x": 0, "0-99999999999999999999": 0,
	} {
		if got, ok := rangeEnd(text); got != want || ok != (want > 0) {
			t.Errorf("%q: %d, %t; want %d", text, got, ok, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name, value, date string
		want              time.Duration
	}{
		{"none", "", "", 0},
		{"seconds", "7", "", 7 * time.Second},
		{"nothing to wait for", "0", "", 0},
		{"less than nothing", "-5", "", 0},
		{"a date", date(time.Minute), "", time.Minute},
		{"a date by the registry's clock", date(time.Minute), date(30 * time.Second), 30 * time.Second},
		{"a date that is past", date(-time.Minute), "", 0},
		{"words", "soon", "", 0},
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.value}}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		if got, ok := retryAfter(h, now); ok != (tt.want > 0) || ok && got != tt.want {
			t.Errorf("%s: %s, %t; want %s", tt.name, got, ok, tt.want)
		}
	}
}

// TestWhereSecretsGo: a token service is trusted on https, or where the registry
// itself is.
func TestWhereSecretsGo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		registry, realm string
		ok              bool
	}{
		{"https://reg.test", "https://auth.test/token", true},
		{"https://reg.test", "http://reg.test/token", false},
		{"https://reg.test", "http://auth.test/token", false},
		{"http://reg.test:5000", "http://reg.test:5001/token", true},
		{"http://reg.test:5000", "http://auth.test/token", false},
		{"http://reg.test:5000", "https://auth.test/token", true},
		{"https://reg.test", "", false},
		{"https://reg.test", "ftp://reg.test/x", false},
		{"https://reg.test", "/token", false},
	}
	for _, tt := range tests {
		h := &bestHost{root: mustParse(t, tt.registry)}
		if _, err := h.realm(tt.realm); (err == nil) != tt.ok {
			t.Errorf("%s names %q: %v", tt.registry, tt.realm, err)
		}
	}
	h := &bestHost{root: mustParse(t, "https://reg.test")}
	for address, own := range map[string]bool{
		"https://reg.test/v2/": true, "https://reg.test:443/v2/": true, "https://REG.test/v2/": true,
		"http://reg.test/v2/": false, "https://reg.test:444/v2/": false, "https://reg.test.evil/v2/": false,
	} {
		if got := h.own(mustParse(t, address)); got != own {
			t.Errorf("%s is the registry's own: %t", address, got)
		}
	}
	if u, err := h.allowed("http://reg.test:80/v2/x"); err != nil || u.Scheme != "https" {
		t.Errorf("the registry's own host stays on https: %v, %v", u, err)
	}
	if _, err := h.allowed("http://storage.test/x"); err == nil {
		t.Error("https leads to plain http elsewhere")
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestSumBody: parts that are sent again are hashed once, in whatever order
// requests break off, and what is not the blob never leaves whole.
func TestSumBody(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789abcdef"), 40<<10) // more than a block
	size := int64(len(data))
	s := newSum(digest.FromBytes(data), size)
	for _, part := range []struct{ from, to, read int64 }{{0, size, 300_000}, {100_000, 400_000, 300_000}, {400_000, size, size - 400_000}} {
		b, err := newSumBody(inMemory(data), s, part.from, part.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, part.read)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Errorf("from %d: %v", part.from, err)
		}
		if err := b.Close(); err != nil || !bytes.Equal(got, data[part.from:part.from+part.read]) {
			t.Errorf("from %d: other bytes, or %v", part.from, err)
		}
	}
	wrong := bytes.Clone(data)
	wrong[5] ^= 1
	b, err := newSumBody(inMemory(wrong), newSum(digest.FromBytes(data), size), 0, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, b)
	if !errors.Is(err, errLocal) || n >= size {
		t.Errorf("%d of %d wrong bytes left, error %v", n, size, err)
	}
	_ = b.Close()
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body is read")
	}
}
