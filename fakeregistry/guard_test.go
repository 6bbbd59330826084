package fakeregistry_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

const fullScope = "repository:lib/app:push,pull"

// basic makes an Authorization.
func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// tokenFor asks for a token; the answer's fields come back.
func (p *pusher) tokenFor(authorization string, query ...string) map[string]any {
	p.t.Helper()
	q := url.Values{"service": {"registry"}, "scope": {fullScope}}
	for _, s := range query {
		name, value, _ := strings.Cut(s, "=")
		q.Set(name, value)
	}
	header := []string{}
	if authorization != "" {
		header = append(header, "Authorization: "+authorization)
	}
	p.token = ""
	p.send(http.MethodGet, "/token?"+q.Encode(), nil, header...)
	m := map[string]any{}
	_ = json.Unmarshal([]byte(p.last.Body), &m)
	return m
}

// login gets a token and uses it from now on.
func (p *pusher) login(user, password string) {
	p.t.Helper()
	token, ok := p.tokenFor(basic(user, password))["token"].(string)
	if !ok {
		p.t.Fatalf("no token: %d %s", p.last.Status, p.last.Body)
	}
	p.token = "Bearer " + token
}

// alice may do all, bob may only read, in one namespace.
func people() fakeregistry.Users {
	return fakeregistry.Users{
		"alice": {Password: "secret"},
		"bob":   {Password: "b", Rights: map[string][]string{"lib/*": {"pull"}}},
	}
}

// As recorded of distribution (docker-1.8.3/05-token-auth, 04-basic-auth).
const (
	refusedBase = `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}` + "\n"
	refusedPush = `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository","Class":"","Name":"lib/app","Action":"pull"},{"Type":"repository","Class":"","Name":"lib/app","Action":"push"}]}]}` + "\n"
)

func TestGuardsRefuseAsDistributionDoes(t *testing.T) {
	t.Parallel()
	basicGuard := &fakeregistry.Basic{Realm: "lab", Users: people()}
	type row struct {
		name, authorization string
		method, target      string
		status              int
		challenge, body     string
	}
	check := func(t *testing.T, s *fakeregistry.Server, rows []row) {
		t.Helper()
		for _, row := range rows {
			p := newPusher(t, s)
			p.token = row.authorization
			got := p.send(row.method, row.target, nil)
			challenge := strings.ReplaceAll(got.Header.Get("Www-Authenticate"), s.Host(), "HOST")
			if got.Status != row.status || challenge != row.challenge {
				t.Errorf("%s: %d %s, want %d %s", row.name, got.Status, challenge, row.status, row.challenge)
			}
			if row.status != http.StatusUnauthorized {
				continue
			}
			if got.Body != row.body || got.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" ||
				got.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s: %v %s, want %s", row.name, got.Header, got.Body, row.body)
			}
		}
	}
	const upload = "/v2/lib/app/blobs/uploads/"
	t.Run("basic", func(t *testing.T) {
		t.Parallel()
		s := start(t, fakeregistry.Config{Guard: basicGuard})
		check(t, s, []row{
			{"ping", "", "GET", "/v2/", 401, `Basic realm="lab"`, refusedBase},
			{"push", "", "POST", upload, 401, `Basic realm="lab"`, refusedPush},
			{"wrong", basic("alice", "guess"), "POST", upload, 401, `Basic realm="lab"`, refusedPush},
			{"unknown", basic("mallory", ""), "POST", upload, 401, `Basic realm="lab"`, refusedPush},
			{"no right", basic("bob", "b"), "POST", upload, 401, `Basic realm="lab"`, refusedPush},
			{"right", basic("bob", "b"), "GET", "/v2/lib/app/tags/list", 202, "", ""},
			{"all rights", basic("alice", "secret"), "POST", upload, 202, "", ""},
			{"not V2", "", "GET", "/v1/_ping", 202, "", ""},
			{"no such path", "", "GET", "/v2/lib/app", 202, "", ""},
		})
	})
	t.Run("bearer", func(t *testing.T) {
		t.Parallel()
		s := start(t, fakeregistry.Config{Guard: &fakeregistry.Bearer{Users: people(), Service: "lab-registry"}})
		p := newPusher(t, s)
		full := "Bearer " + p.tokenFor(basic("alice", "secret"), "service=lab-registry")["token"].(string)
		read := "Bearer " + p.tokenFor(basic("bob", "b"), "service=lab-registry")["token"].(string)
		other := "Bearer " + p.tokenFor(basic("alice", "secret"), "service=elsewhere")["token"].(string)
		const open = `Bearer realm="http://HOST/token",service="lab-registry"`
		const scoped = open + `,scope="repository:lib/app:push,pull"`
		check(t, s, []row{
			{"ping", "", "GET", "/v2/", 401, open, refusedBase},
			{"push", "", "POST", upload, 401, scoped, refusedPush},
			{"password", basic("alice", "secret"), "POST", upload, 401, scoped, refusedPush},
			{"made up", "Bearer abc", "POST", upload, 401, scoped + `,error="invalid_token"`, refusedPush},
			{"of another service", other, "POST", upload, 401, scoped + `,error="invalid_token"`, refusedPush},
			{"no right", read, "POST", upload, 401, scoped + `,error="insufficient_scope"`, refusedPush},
			{"right", read, "GET", "/v2/lib/app/tags/list", 202, "", ""},
			{"all rights", full, "POST", upload, 202, "", ""},
			{"ping with token", read, "GET", "/v2/", 202, "", ""},
			{"mount", full, "POST", upload + "?mount=sha256:1&from=lib/base", 401, open + `,scope="repository:lib/app:push,pull repository:lib/base:pull",error="insufficient_scope"`, strings.Replace(refusedPush, `push"}]`, `push"},{"Type":"repository","Class":"","Name":"lib/base","Action":"pull"}]`, 1)},
			{"catalog", full, "GET", "/v2/_catalog", 401, open + `,scope="registry:catalog:*",error="insufficient_scope"`, strings.Replace(refusedBase, "null", `[{"Type":"registry","Class":"","Name":"catalog","Action":"*"}]`, 1)},
		})
	})
}

func TestTokenService(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Guard: &fakeregistry.Bearer{Users: people()}})
	p := newPusher(t, s)
	p.tokenFor("")
	if p.last.Status != 401 || p.last.Body != refusedBase || !strings.HasPrefix(p.last.Header.Get("Www-Authenticate"), "Basic ") {
		t.Errorf("nobody got %d %s", p.last.Status, p.last.Body)
	}
	p.tokenFor(basic("alice", "guess"))
	if p.last.Status != 401 {
		t.Errorf("a wrong password got %d", p.last.Status)
	}
	m := p.tokenFor(basic("alice", "secret"), "offline_token=true")
	if m["token"] != m["access_token"] || m["expires_in"] != 300.0 || m["refresh_token"] == nil || m["issued_at"] == nil {
		t.Errorf("a right password got %v", m)
	}
	form := func(fields string) (int, map[string]any) {
		p.send(http.MethodPost, "/token", []byte(fields), "Content-Type: application/x-www-form-urlencoded")
		out := map[string]any{}
		_ = json.Unmarshal([]byte(p.last.Body), &out)
		return p.last.Status, out
	}
	const who = "service=registry&client_id=docker&scope=" + "repository%3Alib%2Fapp%3Apush%2Cpull"
	status, got := form("grant_type=refresh_token&" + who + "&refresh_token=" + m["refresh_token"].(string))
	if status != 200 || got["access_token"] == "" || got["scope"] != "repository:lib/app:pull,push" && got["scope"] != fullScope || got["refresh_token"] != m["refresh_token"] {
		t.Errorf("a refresh token got %d %v", status, got)
	}
	p.token = "Bearer " + got["access_token"].(string)
	if p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil).Status != 202 {
		t.Errorf("the token of a refresh token got %d", p.last.Status)
	}
	for name, row := range map[string]struct {
		fields string
		status int
	}{
		"password":       {"grant_type=password&" + who + "&username=alice&password=secret&access_type=offline", 200},
		"wrong password": {"grant_type=password&" + who + "&username=alice&password=guess", 401},
		"wrong refresh":  {"grant_type=refresh_token&" + who + "&refresh_token=x", 401},
		"other grant":    {"grant_type=magic&" + who, 400},
		"no client":      {"grant_type=password&service=registry", 400},
		"not a form":     {"%zz", 400},
	} {
		if status, _ := form(row.fields); status != row.status {
			t.Errorf("%s got %d, want %d", name, status, row.status)
		}
	}
	if p.send(http.MethodDelete, "/token", nil).Status != 405 {
		t.Errorf("DELETE got %d, want 405", p.last.Status)
	}
}

func TestAnonymousTokens(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Guard: &fakeregistry.Bearer{
		Users: people(), Anonymous: &fakeregistry.User{Rights: map[string][]string{"*": {"pull"}}},
	}})
	p := newPusher(t, s)
	p.token = "Bearer " + p.tokenFor("")["token"].(string)
	if p.send(http.MethodGet, "/v2/lib/app/tags/list", nil).Status != 202 {
		t.Errorf("reading got %d", p.last.Status)
	}
	if p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil).Status != 401 {
		t.Errorf("writing got %d", p.last.Status)
	}
	if p.tokenFor(basic("alice", "guess")); p.last.Status != 401 {
		t.Errorf("a wrong password got %d, which is not nobody", p.last.Status)
	}
}

func TestTokensExpireByTheClockAndComeFromTheSeed(t *testing.T) {
	t.Parallel()
	var tokens []string
	for _, seed := range []uint64{1, 1, 2} {
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Seed: seed, Guard: &fakeregistry.Bearer{Users: people(), TTL: time.Minute, Leeway: time.Second}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		p.login("alice", "secret")
		tokens = append(tokens, p.token)
		statuses := []int{}
		for _, wait := range []time.Duration{0, 60 * time.Second, time.Second} {
			if err := v.Sleep(t.Context(), wait); err != nil {
				t.Fatal(err)
			}
			statuses = append(statuses, p.send(http.MethodGet, "/v2/", nil).Status)
		}
		if diff := cmp.Diff([]int{202, 202, 401}, statuses); diff != "" {
			t.Errorf("at 0 s, 60 s, 61 s (-want +got):\n%s", diff)
		}
	}
	if tokens[0] != tokens[1] || tokens[0] == tokens[2] {
		t.Errorf("tokens of seeds 1, 1, 2 are %v", tokens)
	}
}

func TestTokenServiceOnAHostOfItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{
		Guard:  &fakeregistry.Bearer{Users: people(), Own: true},
		Faults: []fakeregistry.Fault{fault(t, "realm-down", "", "nth=2")},
	})
	p := newPusher(t, s)
	if s.TokenHost() == s.Host() {
		t.Fatal("both have one host")
	}
	p.send(http.MethodGet, "/v2/", nil)
	if want := `Bearer realm="http://` + s.TokenHost() + `/token",service="registry"`; p.last.Header.Get("Www-Authenticate") != want {
		t.Errorf("the challenge is %s, want %s", p.last.Header.Get("Www-Authenticate"), want)
	}
	token := "http://" + s.TokenHost() + "/token?service=registry&scope=" + url.QueryEscape(fullScope)
	alice := "Authorization: " + basic("alice", "secret")
	if p.send(http.MethodGet, token, nil, alice).Status != 200 {
		t.Errorf("the token service got %d", p.last.Status)
	}
	if p.send(http.MethodGet, token, nil, alice); p.last.Err == nil || !strings.Contains(p.last.Err.Error(), "connection refused") {
		t.Errorf("while it is down: %v, want connection refused", p.last.Err)
	}
	if p.send(http.MethodGet, "/token", nil, alice).Status == 200 {
		t.Error("the registry's host issues tokens")
	}
	if p.send(http.MethodGet, "http://"+s.TokenHost()+"/v2/", nil).Status != 404 {
		t.Errorf("the token service's host as registry got %d", p.last.Status)
	}
}
