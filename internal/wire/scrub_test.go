package wire_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func head(s string) wire.Body {
	return wire.Body{Length: int64(len(s)), Digest: "sha256:1", Head: []byte(s)}
}

func TestScrubReplacesWhatIsSecretOrUnstable(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("alice:correct horse"))
	header := func(name, value string) wire.Exchange {
		return wire.Exchange{Request: wire.Request{Host: "127.0.0.1:5000", Header: http.Header{name: {value}}}}
	}
	for _, row := range []struct {
		name string
		e    wire.Exchange
		want string // a line of the text form
	}{
		{"basic", header("Authorization", "Basic "+basic), "> Authorization: Basic CREDENTIALS"},
		{"bearer", header("Authorization", "Bearer eyJhbGciOi.abc.def"), "> Authorization: Bearer TOKEN"},
		{"v1 token", header("Authorization", `Token signature=ABCDEF,repository="lib/app",access=write`), "> Authorization: Token TOKEN"},
		{"unknown scheme", header("Authorization", "hunter2hunter2 x"), "> Authorization: CREDENTIALS"},
		{"no scheme", header("Authorization", "hunter2hunter2"), "> Authorization: CREDENTIALS"},
		{"v1 token asked for", header("X-Docker-Token", "true"), "> X-Docker-Token: true"},
		{"v1 token given", header("X-Docker-Token", `signature=ABC,repository="lib/app"`), "> X-Docker-Token: TOKEN"},
		{"v1 token in a challenge", header("Www-Authenticate", `Token signature=ABC,repository="lib/app",access=write`), "> Www-Authenticate: Token TOKEN"},
		{"engine credentials", header("X-Registry-Auth", "eyJ1Ijoi"), "> X-Registry-Auth: CREDENTIALS"},
		{"cookie", header("Set-Cookie", "session=0123456789"), "> Set-Cookie: COOKIE"},
		{"date", header("Date", "Mon, 12 Oct 2015 12:00:00 GMT"), "> Date: DATE"},
		{"no date", header("Expires", "-1"), "> Expires: -1"},
		{"patience in seconds", header("Retry-After", "120"), "> Retry-After: 120"},
		{"patience as a date", header("Retry-After", "Mon, 12 Oct 2015 12:00:00 GMT"), "> Retry-After: DATE"},
		{"docker's user agent", header("User-Agent", "docker/1.8.3 go/go1.26.8 git-commit/f4bf5c7 kernel/5.10.0 os/linux arch/amd64"), "> User-Agent: docker/1.8.3 go/GO git-commit/f4bf5c7 kernel/KERNEL os/OS arch/ARCH"},
		{"realm", header("Www-Authenticate", `Bearer realm="http://127.0.0.1:5001/token",service="127.0.0.1:5000"`), `> Www-Authenticate: Bearer realm="http://HOST2/token",service="HOST"`},
		{"endpoints", header("X-Docker-Endpoints", "127.0.0.1:5000, https://127.0.0.1:6000/v1/"), "> X-Docker-Endpoints: HOST, https://HOST2/v1/"},
		{"password in a URL", header("Location", "http://alice:correcthorse@127.0.0.1:5000/x"), "> Location: http://alice:PASSWORD@HOST/x"},
		{"session in a location", header("Location", "/v2/lib/app/blobs/uploads/6f1c1a1e-77?_state=abc%3D%3D&x=1"), "> Location: /v2/lib/app/blobs/uploads/SESSION1?_state=STATE&x=1"},
		{"session in a header", header("Docker-Upload-Uuid", "6f1c1a1e-77"), "> Docker-Upload-Uuid: SESSION1"},
		{"query", wire.Exchange{Request: wire.Request{Method: "GET", Scheme: "http", Host: "h:1", Target: "/token?account=alice&password=p%20w&refresh_token=r&scope=repository%3Aa%3Apush"}}, "> GET http://HOST /token?account=alice&password=PASSWORD&refresh_token=TOKEN&scope=repository%3Aa%3Apush"},
		{"token answer", wire.Exchange{Response: wire.Response{Status: 200, Body: head(`{"token": "abc", "access_token":"def", "expires_in":300, "issued_at":"2015-10-12T12:00:00Z"}`)}}, `< | {"token": "TOKEN", "access_token":"TOKEN", "expires_in":300, "issued_at":"DATE"}`},
		{"token cut short", wire.Exchange{Response: wire.Response{Status: 200, Body: head(`{"token":"abcdef`)}}, `< | {"token":"TOKEN"`},
		{"key in escapes", wire.Exchange{Response: wire.Response{Status: 200, Body: head(`{"\u0074oken":"abcdef"}`)}}, `< | {"\u0074oken":"TOKEN"}`},
		{"token form", wire.Exchange{Request: wire.Request{Method: "POST", Scheme: "http", Host: "h:1", Target: "/token", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: head("grant_type=password&username=alice&password=hunter2&service=s")}}, "> | grant_type=password&username=alice&password=PASSWORD&service=s"},
		{"signatures", wire.Exchange{Request: wire.Request{Method: "PUT", Scheme: "http", Host: "h:1", Target: "/x", Body: head(`{"x":1,"signatures":[{"header":{"jwk":{"kid":"K","x":"a","y":"b"}},"signature":"s","protected":"p"}]}`)}}, `> | {"x":1,"signatures":[{"header":{"jwk":{"kid":"KID","x":"X","y":"Y"}},"signature":"SIGNATURE","protected":"PROTECTED"}]}`},
		{"addresses in an error", wire.Exchange{Link: "127.0.0.1:40312", Failure: wire.FailureReset, Err: "read tcp 127.0.0.1:40312->127.0.0.1:5000: read: reset; lookup x on [::1]:53", Request: wire.Request{Host: "127.0.0.1:5000"}}, "! reset read tcp CLIENT->HOST: read: reset; lookup x on ADDRESS"},
		{"host that begins like another", wire.Exchange{Err: "dial 127.0.0.1:50001", Request: wire.Request{Host: "127.0.0.1:5000"}}, "! - dial ADDRESS"},
		{"times", wire.Exchange{Seq: 4, At: time.Second, Elapsed: time.Minute}, `#4 ""`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := wire.FormatTrace(wire.Trace{row.e})
			for line := range strings.SplitSeq(got, "\n") {
				if line == row.want {
					return
				}
			}
			t.Errorf("no line %s in\n%s", row.want, got)
		})
	}
}

func TestWhatWasSecretOnceIsSecretEverywhere(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("alice:correct-horse"))
	trace := wire.Trace{
		{Seq: 1, Err: "saw eyJ0b2tlbg.x.y and correct-horse", Request: wire.Request{Method: "GET", Host: "h", Target: "/v2/?hint=eyJ0b2tlbg.x.y"}},
		{Seq: 2, Request: wire.Request{Header: http.Header{"Authorization": {"Bearer eyJ0b2tlbg.x.y"}}}},
		{Seq: 3, Request: wire.Request{Header: http.Header{"Authorization": {"Basic " + basic}, "X-Other": {basic}}}},
	}
	got := wire.FormatTrace(trace)
	for _, secret := range []string{"eyJ0b2tlbg", "correct-horse", basic} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is still in\n%s", secret, got)
		}
	}
}

func TestListedSecretsSurviveInNoSpelling(t *testing.T) {
	t.Parallel()
	const secret = `p@ss "word"/1`
	json := `{"detail":"p@ss \"word\"/1"}`
	for _, text := range []string{
		secret, "p%40ss+%22word%22%2F1", "p@ss%20%22word%22%2F1", "%70@ss%20%22w%6frd%22%2f1", json,
		base64.StdEncoding.EncodeToString([]byte("alice:" + secret)),
		base64.StdEncoding.EncodeToString([]byte("bob:" + secret + "x")),
		base64.URLEncoding.EncodeToString([]byte("carol:" + secret + "yz")),
	} {
		e := wire.Exchange{
			Err: "e " + text, Fault: "f",
			Request:  wire.Request{Method: "GET", Host: "h", Target: "/v2/" + strings.ReplaceAll(text, " ", "%20") + "/tags/list", Header: http.Header{"X-A": {text}}, Body: head("[" + text)},
			Response: wire.Response{Status: 200, Body: head("<p>" + text)},
		}
		got := wire.FormatTrace(wire.Trace{e}, secret)
		if n := strings.Count(got, "***"); n < 5 {
			t.Errorf("%s is masked %d times, want 5, in\n%s", text, n, got)
		}
		for _, left := range []string{"p@ss", "ss+%22", text} {
			if strings.Contains(got, left) {
				t.Errorf("%s is left in\n%s", left, got)
			}
		}
	}
}

func TestASecretThatTheHeadCutsOffIsMasked(t *testing.T) {
	t.Parallel()
	b := head("[the password is hunter")
	b.Length = 5000
	got := wire.FormatTrace(wire.Trace{{Response: wire.Response{Status: 400, Body: b}}}, "hunter2hunter2")
	if strings.Contains(got, "hunter") {
		t.Errorf("a piece of the secret is left in\n%s", got)
	}
}

func TestScrubLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	make := func() wire.Trace {
		return wire.Trace{{
			Seq: 1, Link: "127.0.0.1:1", At: 5, Err: "127.0.0.1:1",
			Request:  wire.Request{Host: "127.0.0.1:2", Header: http.Header{"Authorization": {"Bearer abcdefghi"}}, Body: head(`{"token":"abcdefghi"}`)},
			Response: wire.Response{Status: 200, Header: http.Header{"Date": {"x"}}, Body: head(`{"token":"abcdefghi"}`)},
		}}
	}
	trace := make()
	wire.Scrub(trace, "abc")
	if diff := cmp.Diff(make(), trace); diff != "" {
		t.Errorf("Scrub changed its argument (-before +after):\n%s", diff)
	}
}

func TestSessionsAndHostsAreNumberedByFirstAppearance(t *testing.T) {
	t.Parallel()
	at := func(host, session string) wire.Exchange {
		return wire.Exchange{Request: wire.Request{Method: "PATCH", Scheme: "http", Host: host, Target: "/v2/a/blobs/uploads/" + session}, Route: wire.Route{Op: wire.OpUploadPatch, Repository: "a", Session: session}}
	}
	got := wire.Scrub(wire.Trace{at("z:1", "zz"), at("a:1", "aa"), at("z:1", "aa"), at("a:1", "zz")})
	var names []string
	for _, e := range got {
		names = append(names, e.Request.Host+" "+e.Route.Session+" "+e.Request.Target)
	}
	want := []string{
		"HOST SESSION1 /v2/a/blobs/uploads/SESSION1", "HOST2 SESSION2 /v2/a/blobs/uploads/SESSION2",
		"HOST SESSION2 /v2/a/blobs/uploads/SESSION2", "HOST2 SESSION1 /v2/a/blobs/uploads/SESSION1",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheTextOfAManifestWhoseSignaturesAreOutOfSightHasNoDigest(t *testing.T) {
	t.Parallel()
	b := head(`{"schemaVersion":1,"fsLayers":[`)
	b.Length = 9000
	got := wire.Scrub(wire.Trace{{Request: wire.Request{Body: b}}})[0].Request.Body
	if got.Digest != wire.DigestVaries || got.Length != 9000 {
		t.Errorf("got %+v, want the same length and no digest", got)
	}
}
