package fakeregistry_test

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// behind starts a registry behind a guard, with faults.
func behind(t *testing.T, g fakeregistry.Guard, faults ...fakeregistry.Fault) (*fakeregistry.Server, *pusher) {
	t.Helper()
	s := start(t, fakeregistry.Config{Guard: g, Faults: faults})
	return s, newPusher(t, s)
}

func newBearer() *fakeregistry.Bearer { return &fakeregistry.Bearer{Users: people()} }

func (p *pusher) challenge() string { return p.last.Header.Get("Www-Authenticate") }

const upload = "/v2/lib/app/blobs/uploads/"

func TestChallengesThatFaultsChange(t *testing.T) {
	t.Parallel()
	const base = `Bearer realm="http://HOST/token",service="registry"`
	for name, row := range map[string]struct {
		guard fakeregistry.Guard
		fault fakeregistry.Fault
		want  string
	}{
		"no-challenge":    {newBearer(), fault(t, "no-challenge", "ping"), ""},
		"many":            {newBearer(), fault(t, "odd-challenge", ""), `Newauth realm="apps", type=1, title="Log in to \"apps\"", ` + base},
		"unquoted":        {newBearer(), fault(t, "odd-challenge", "", "form=unquoted"), `Bearer realm="http://HOST/token",service=registry`},
		"lower-case":      {newBearer(), fault(t, "odd-challenge", "", "form=lower-case"), "bearer" + strings.TrimPrefix(base, "Bearer")},
		"comma-in-scope":  {newBearer(), fault(t, "odd-challenge", "", "form=comma-in-scope"), base + `,scope="repository:any/name:pull,push registry:catalog:*"`},
		"extra-params":    {newBearer(), fault(t, "odd-challenge", "", "form=extra-params"), base + `,charset="UTF-8",error_description="a \"quoted\" text, with a comma",x-since=2015`},
		"realm-elsewhere": {newBearer(), fault(t, "realm-elsewhere", "", "host=evil.test:81"), strings.Replace(base, "HOST", "evil.test:81", 1)},
		"auth-loop":       {newBearer(), fault(t, "auth-loop", ""), base},
		"to basic":        {newBearer(), fault(t, "challenge-changes", ""), `Basic realm="registry"`},
		"to bearer":       {&fakeregistry.Basic{Users: people()}, fault(t, "challenge-changes", "", "to=bearer"), base},
		"nobody to ask":   {nil, fault(t, "auth-loop", ""), base},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := behind(t, row.guard, row.fault)
			got := p.send(http.MethodGet, "/v2/", nil)
			if c := strings.ReplaceAll(p.challenge(), s.Host(), "HOST"); c != row.want || got.Status != 401 {
				t.Errorf("%d %s\nwant 401 %s", got.Status, c, row.want)
			}
			if len(s.Fired()) != 1 || s.Fired()[0].Done {
				t.Errorf("fired %+v", s.Fired())
			}
		})
	}
}

func TestLazyAuthOpensThePing(t *testing.T) {
	t.Parallel()
	s, p := behind(t, newBearer(), fault(t, "lazy-auth", ""))
	if p.send(http.MethodGet, "/v2/", nil).Status != 202 {
		t.Errorf("the ping got %d", p.last.Status)
	}
	if p.send(http.MethodPost, upload, nil).Status != 401 {
		t.Errorf("the first write got %d", p.last.Status)
	}
	if len(s.Idle()) != 0 {
		t.Error("it did not fire")
	}
}

func TestAuthFaultsThatFindNothingToDo(t *testing.T) {
	t.Parallel()
	s, p := behind(t, nil, fault(t, "lazy-auth", ""), fault(t, "expire-token", "tags.list"), fault(t, "challenge-changes", "manifest.get"))
	for _, target := range []string{"/v2/", "/v2/a/tags/list", "/v2/a/manifests/v1"} {
		p.send(http.MethodGet, target, nil)
	}
	if len(s.Fired()) != 0 {
		t.Errorf("fired %+v where nobody asks for credentials", s.Fired())
	}
	_, p = behind(t, newBearer(), fault(t, "auth-loop", ""))
	p.login("alice", "secret") // fails when the token service refuses
	if p.send(http.MethodGet, "/v2/", nil).Status != 401 {
		t.Errorf("with a token: %d", p.last.Status)
	}
}

func TestExpireTokenKillsWhatWasIssuedBefore(t *testing.T) {
	t.Parallel()
	s, p := behind(t, newBearer(), fault(t, "expire-token", "upload.put", "times=1"))
	p.login("alice", "secret")
	p.send(http.MethodPost, upload, nil)
	if p.last.Status != 202 || len(s.Fired()) != 0 {
		t.Errorf("before it got %d", p.last.Status)
	}
	put := strings.TrimPrefix(putUpload, "PUT ")
	p.send(http.MethodPut, put, nil)
	if p.last.Status != 401 || !strings.Contains(p.challenge(), `error="invalid_token"`) {
		t.Errorf("the token got %d %s", p.last.Status, p.challenge())
	}
	p.login("alice", "secret")
	if p.send(http.MethodPut, put, nil).Status != 202 {
		t.Errorf("a new token got %d", p.last.Status)
	}
	if f := s.Fired(); len(f) != 1 || f[0].Done {
		t.Errorf("fired %+v", f)
	}
}

func TestTokensThatFaultsSpoil(t *testing.T) {
	t.Parallel()
	t.Run("token-ttl", func(t *testing.T) {
		t.Parallel()
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Guard: newBearer(), Faults: []fakeregistry.Fault{fault(t, "token-ttl", "", "ttl=90s")}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		if m := p.tokenFor(basic("alice", "secret")); m["expires_in"] != 90.0 {
			t.Errorf("expires_in is %v, want 90", m["expires_in"])
		}
		p.login("alice", "secret")
		for _, want := range []int{202, 401} {
			if got := p.send(http.MethodPost, upload, nil).Status; got != want {
				t.Errorf("got %d, want %d", got, want)
			}
			if err := v.Sleep(t.Context(), 90*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("clock-skew", func(t *testing.T) {
		t.Parallel()
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Guard: newBearer(), Faults: []fakeregistry.Fault{fault(t, "clock-skew", "", "by=10s")}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		p.login("alice", "secret")
		for _, want := range []int{401, 202} {
			if got := p.send(http.MethodPost, upload, nil).Status; got != want {
				t.Errorf("got %d, want %d", got, want)
			}
			if err := v.Sleep(t.Context(), 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	})
	for drop, target := range map[string]string{"push": upload, "mount": upload + "?mount=sha256:1&from=lib/base"} {
		t.Run("scope-narrowed/"+drop, func(t *testing.T) {
			t.Parallel()
			_, p := behind(t, newBearer(), fault(t, "scope-narrowed", "", "drop="+drop))
			m := p.tokenFor(basic("alice", "secret"), "scope="+fullScope+" repository:lib/base:pull")
			p.token = "Bearer " + m["token"].(string)
			p.send(http.MethodPost, target, nil)
			if p.last.Status != 401 || !strings.Contains(p.challenge(), "insufficient_scope") {
				t.Errorf("got %d %s", p.last.Status, p.challenge())
			}
			if p.send(http.MethodGet, "/v2/lib/app/tags/list", nil).Status != 202 {
				t.Errorf("reading got %d", p.last.Status)
			}
		})
	}
	t.Run("not issued", func(t *testing.T) {
		t.Parallel()
		s, p := behind(t, newBearer(), fault(t, "token-ttl", ""))
		p.tokenFor(basic("alice", "guess"))
		if p.last.Status != 401 || len(s.Fired()) != 0 {
			t.Errorf("got %d, fired %v", p.last.Status, s.Fired())
		}
	})
}

func TestTokenServiceDown(t *testing.T) {
	t.Parallel()
	_, p := behind(t, newBearer(), fault(t, "realm-down", "", "nth=1"), fault(t, "realm-down", "", "how=5xx", "nth=2"), fault(t, "token-garbage", "", "nth=3"))
	p.tokenFor(basic("alice", "secret"))
	if !errors.Is(p.last.Err, syscall.ECONNRESET) {
		t.Errorf("refused: %d %v, want a reset", p.last.Status, p.last.Err)
	}
	p.tokenFor(basic("alice", "secret"))
	if p.last.Status != 503 {
		t.Errorf("5xx: %d", p.last.Status)
	}
	if m := p.tokenFor(basic("alice", "secret")); p.last.Status != 200 || m["token"] != nil {
		t.Errorf("garbage: %d %v", p.last.Status, m)
	}
	if m := p.tokenFor(basic("alice", "secret")); m["token"] == nil {
		t.Errorf("after all: %d %v", p.last.Status, m)
	}
}

func TestInsufficientScopeOnMount(t *testing.T) {
	t.Parallel()
	_, p := behind(t, newBearer(), fault(t, "insufficient-scope", ""))
	p.login("alice", "secret")
	p.send(http.MethodPost, upload+"?mount=sha256:1&from=lib/base", nil)
	if want := `scope="repository:lib/app:push,pull repository:lib/base:pull",error="insufficient_scope"`; p.last.Status != 401 || !strings.HasSuffix(p.challenge(), want) {
		t.Errorf("got %d %s", p.last.Status, p.challenge())
	}
}

func TestChallengeChangesLetsInWhoFollows(t *testing.T) {
	t.Parallel()
	s, p := behind(t, newBearer(), fault(t, "challenge-changes", "upload.*", "nth=2"))
	p.login("alice", "secret")
	bearer := p.token
	for i, row := range []struct {
		token string
		want  int
	}{{bearer, 202}, {bearer, 401}, {bearer, 401}, {basic("alice", "secret"), 202}, {basic("bob", "b"), 401}} {
		p.token = row.token
		if got := p.send(http.MethodPost, upload, nil).Status; got != row.want {
			t.Errorf("request %d got %d, want %d", i+1, got, row.want)
		}
	}
	_ = s
	s2, p2 := behind(t, &fakeregistry.Basic{Users: people()}, fault(t, "challenge-changes", "upload.*", "to=bearer"))
	p2.token = basic("alice", "secret")
	if p2.send(http.MethodPost, upload, nil).Status != 401 {
		t.Errorf("Basic got %d", p2.last.Status)
	}
	p2.login("alice", "secret")
	if p2.send(http.MethodPost, upload, nil).Status != 202 || len(s2.Idle()) != 0 {
		t.Errorf("Bearer got %d", p2.last.Status)
	}
}
