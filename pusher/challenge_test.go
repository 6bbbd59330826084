package pusher

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChallengesOf(t *testing.T) {
	t.Parallel()
	type params = map[string]string
	tests := []struct {
		name  string
		lines []string
		want  []challenge
	}{
		{"none", nil, nil},
		{"bearer", []string{`Bearer realm="http://h/token",service="reg",scope="repository:a:push,pull"`}, []challenge{{"bearer", params{"realm": "http://h/token", "service": "reg", "scope": "repository:a:push,pull"}}}},
		{"one per line", []string{`Bearer realm="r"`, `Basic realm="x y"`}, []challenge{{"bearer", params{"realm": "r"}}, {"basic", params{"realm": "x y"}}}},
		{"two in one line are one", []string{`Bearer realm="r", Basic realm="x"`}, []challenge{{"bearer", params{"realm": "r"}}}},
		{"only a scheme", []string{`Basic`}, []challenge{{"basic", params{}}}},
		{"keys in any case", []string{`BASIC Realm=x`}, []challenge{{"basic", params{"realm": "x"}}}},
		{"spaces between pairs", []string{"Basic  realm=x , charset=UTF-8"}, []challenge{{"basic", params{"realm": "x", "charset": "UTF-8"}}}},
		{"a space before = stops", []string{`Bearer realm="r",service ="s"`}, []challenge{{"bearer", params{"realm": "r"}}}},
		{"an empty value stops", []string{`Bearer realm="r",service="",scope="x"`}, []challenge{{"bearer", params{"realm": "r"}}}},
		{"no end of quotes stops", []string{`Bearer realm="r",service="s`}, []challenge{{"bearer", params{"realm": "r"}}}},
		{"escapes", []string{`Basic realm="a\"b\\c"`}, []challenge{{"basic", params{"realm": `a"b\c`}}}},
		{"a key twice", []string{`Basic realm=a,realm=b`}, []challenge{{"basic", params{"realm": "b"}}}},
		{"no scheme", []string{`="x"`, ``}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": tt.lines}}
			if diff := cmp.Diff(tt.want, challengesOf(resp), cmp.AllowUnexported(challenge{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			resp.StatusCode = http.StatusForbidden
			if got := challengesOf(resp); got != nil {
				t.Errorf("a 403 gives challenges: %v", got)
			}
		})
	}
}

// FuzzChallenge: what was read prints as what reads the same, and there are
// never more parameters than commas and one.
func FuzzChallenge(f *testing.F) {
	for _, seed := range []string{
		`Bearer realm="http://h/token",service="reg",scope="repository:a:push,pull",error="invalid_token"`,
		`Basic realm="a\"b\\c"`, `Basic`, `Bearer realm=r, Basic realm="x"`, `x y="`, `x y=z,=`, "Basic\trealm=\"\x80\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := parseChallenge(line)
		if !ok {
			return
		}
		if n := strings.Count(line, ",") + 1; len(c.params) > n {
			t.Errorf("%d parameters of %d parts", len(c.params), n)
		}
		again, ok := parseChallenge(c.String())
		if !ok || again.scheme != c.scheme || !maps.Equal(again.params, c.params) {
			t.Errorf("%q reads as %v, printed %q, which reads as %v", line, c.params, c.String(), again.params)
		}
	})
}
