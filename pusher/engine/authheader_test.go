package engine

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzAuthHeader: whatever a header and a body hold, the credentials are those that
// the header's JSON has or nobody's; without a header an unreadable body is an
// error, which tells nothing of what was in it beyond what it is not.
func FuzzAuthHeader(f *testing.F) {
	for _, text := range []string{`{"username":"alice","password":"hunter2"}`, `{}`, `{"identitytoken":"t"}`, `null`, `[`, `{"username":5}`} {
		f.Add(base64.URLEncoding.EncodeToString([]byte(text)), text)
		f.Add("", text)
	}
	f.Add("!", "{}")
	f.Fuzz(func(t *testing.T, header, body string) {
		a, err := readAuth(header, strings.NewReader(body))
		if header == "" {
			var want authObject
			wantErr := json.NewDecoder(strings.NewReader(body)).Decode(&want)
			if (err == nil) != (wantErr == nil) || err == nil && a != want {
				t.Fatalf("%q: %+v, %v; want %+v, %v", body, a, err, want, wantErr)
			}
			if err != nil && statusOf(err) != 400 {
				t.Fatalf("status %d", statusOf(err))
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: a header is never refused: %v", header, err)
		}
		var want authObject
		if raw, err := base64.URLEncoding.DecodeString(header); err != nil || json.Unmarshal(raw, &want) != nil {
			want = authObject{}
		}
		if a != want {
			t.Fatalf("%q: %+v, want %+v", header, a, want)
		}
		if again := decodeAuth(encodeAuth(t, a)); again != a {
			t.Fatalf("%+v became %+v", a, again)
		}
	})
}

func encodeAuth(t *testing.T, a authObject) string {
	t.Helper()
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return base64.URLEncoding.EncodeToString(data)
}

// TestStatusOf: docker 1.8 searches an error for words (P-023).
func TestStatusOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"Repository not found": 404, "no such thing": 404, "Bad parameters and": 400, "Conflict, here": 409, "impossible!": 406,
		"Wrong login/password, please try again": 401, "the account hasn't been activated": 403, "anything": 500,
		"no such conflict": 404, "a bad parameter is a conflict": 400,
	} {
		if got := statusOf(textError(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

type textError string

func (e textError) Error() string { return string(e) }

// TestLimit: a body of credentials is not read for ever.
func TestLimit(t *testing.T) {
	t.Parallel()
	endless := &endlessReader{}
	if _, err := readAuth("", endless); err == nil || endless.n > 2*authLimit {
		t.Fatalf("%v after %d bytes", err, endless.n)
	}
}

type endlessReader struct{ n int }

func (e *endlessReader) Read(p []byte) (int, error) {
	if e.n == 0 {
		p[0] = '"'
		e.n++
		return 1, nil
	}
	for i := range p {
		p[i] = 'x'
	}
	e.n += len(p)
	return len(p), nil
}
