package pusher

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A trip is a round tripper in process.
type trip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(r *http.Request, code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// repositoryWith is a repository whose ping found these challenges and whose
// requests go to serve; token requests are those to realm.example.
func repositoryWith(c clock.Clock, creds Credentials, challenges []challenge, serve trip) *repository {
	job := &Job{Era: Docker18(), Name: Name{Remote: "a/b"}, Transport: serve, Clock: c, Credentials: creds}
	client := authorizedClient(job, map[string][]challenge{"http://r.example/v2/": challenges}, "repository:a/b:push,pull")
	return &repository{job: job, client: client, root: &url.URL{Scheme: "http", Host: "r.example"}}
}

func bearer(params ...string) challenge {
	c := challenge{scheme: "bearer", params: map[string]string{"realm": "http://realm.example/token", "service": "s v"}}
	for i := 0; i+1 < len(params); i += 2 {
		c.params[params[i]] = params[i+1]
	}
	return c
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	basic := challenge{scheme: "basic", params: map[string]string{"realm": "x"}}
	alice := Credentials{Username: "alice", Password: "secret"}
	const aliceBasic = "Basic YWxpY2U6c2VjcmV0"
	const head = `Head "http://r.example/v2/a/b/blobs/sha256:00": `
	const ask = "http://realm.example/token?account=alice&scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v"
	tests := []struct {
		name       string
		creds      Credentials
		challenges []challenge
		token      string // the token service's answer; "" is a good one
		code       int    // its status; 0 is 200
		want       string // Authorization of the HEAD, or the error
		asked      string // URL and Authorization of the token request
	}{
		{name: "no challenge", creds: alice},
		{name: "an unknown scheme", creds: alice, challenges: []challenge{{scheme: "digest"}}},
		{name: "basic", creds: alice, challenges: []challenge{basic}, want: aliceBasic},
		{name: "basic without password", creds: Credentials{Username: "alice"}, challenges: []challenge{basic}, want: head + "no basic auth credentials"},
		{name: "bearer", creds: alice, challenges: []challenge{bearer()}, want: "Bearer T", asked: ask + " " + aliceBasic},
		{name: "bearer, anonymous", challenges: []challenge{bearer()}, want: "Bearer T", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "},
		{name: "bearer, the realm's query is kept", challenges: []challenge{bearer("realm", "http://realm.example/token?z=1&a=2", "service", "")}, want: "Bearer T", asked: "http://realm.example/token?a=2&scope=repository%3Aa%2Fb%3Apush%2Cpull&z=1 "},
		{name: "the offered scope does not matter", challenges: []challenge{bearer("scope", "repository:other:pull")}, want: "Bearer T", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "},
		{name: "both: basic wins", creds: alice, challenges: []challenge{basic, bearer()}, want: aliceBasic, asked: ask + " " + aliceBasic},
		{name: "both, anonymous: a token and yet an error", challenges: []challenge{bearer(), basic}, want: head + "no basic auth credentials", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "}, // P-509
		{name: "no realm", challenges: []challenge{{scheme: "bearer", params: map[string]string{"service": "s"}}}, want: head + "no realm specified for token auth challenge"},
		{name: "a bad realm", challenges: []challenge{bearer("realm", "http://[::1/")}, want: head + `invalid token auth challenge realm: parse "http://[::1/": missing ']' in host`},
		{name: "a realm without host", challenges: []challenge{bearer("realm", "/token")}, want: head + `Get "/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v": unsupported protocol scheme ""`},
		{name: "token service 500", creds: alice, challenges: []challenge{bearer()}, code: 500, want: head + "token auth attempt for registry: " + ask + " request failed with status: 500 Internal Server Error", asked: ask + " " + aliceBasic},
		{name: "token service sends a page", challenges: []challenge{bearer()}, token: "<html>", want: head + "unable to decode token response: invalid character '<' looking for beginning of value", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "},
		{name: "a number for a token", challenges: []challenge{bearer()}, token: `{"token":7}`, want: head + "unable to decode token response: json: cannot unmarshal number into Go struct field tokenResponse.token of type string", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "},
		{name: "only access_token", challenges: []challenge{bearer()}, token: `{"access_token":"T"}`, want: head + "authorization server did not include a token in the response", asked: "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got, asked string
			r := repositoryWith(clock.Real(), tt.creds, tt.challenges, func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "r.example" {
					got = r.Header.Get("Authorization")
					return reply(r, 404, ""), nil
				}
				if r.URL.Scheme == "" {
					return http.DefaultTransport.RoundTrip(r)
				}
				asked = r.URL.String() + " " + r.Header.Get("Authorization")
				code, body := 200, `{"token":"T","expires_in":1}`
				if tt.code != 0 {
					code = tt.code
				}
				if tt.token != "" {
					body = tt.token
				}
				return reply(r, code, body), nil
			})
			_, err := r.stat(t.Context(), "sha256:00")
			if !errors.Is(err, ErrBlobUnknown) {
				got = err.Error()
				if attemptOf(Endpoint{}, failed(StageUpload, err)).Stage != StageAuthorize {
					t.Errorf("stage %s", attemptOf(Endpoint{}, failed(StageUpload, err)).Stage)
				}
			}
			if diff := cmp.Diff([]string{tt.want, tt.asked}, []string{got, asked}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAuthorizationElsewhere: only what is below the pinged URL is authorized
// (P-131).
func TestAuthorizationElsewhere(t *testing.T) {
	t.Parallel()
	basic := []challenge{{scheme: "basic"}}
	for url, want := range map[string]bool{
		"http://r.example/v2/a/b/blobs/uploads/1?x": true,
		"http://r.example/v2/":                      true,
		"http://r.example:80/v2/a":                  false,
		"https://r.example/v2/a":                    false,
		"http://R.example/v2/a":                     false,
		"http://other.example/v2/a":                 false,
		"http://r.example/x/v2/a":                   false,
		"http://r.example/storage/a":                false,
	} {
		var got string
		r := repositoryWith(clock.Real(), Credentials{Username: "u", Password: "p"}, basic, func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return reply(r, 202, ""), nil
		})
		resp, err := r.send(t.Context(), http.MethodPut, url, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if (got != "") != want {
			t.Errorf("%s: Authorization %q, want one: %v", url, got, want)
		}
	}
}

// TestTokenLifetime: a token is good for 60 s from before it was fetched, on the
// client's clock, whatever the service says (P-143).
func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	fetches := 0
	r := repositoryWith(c, Credentials{}, []challenge{bearer()}, func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "r.example" {
			return reply(r, 404, ""), nil
		}
		fetches++
		_ = c.Sleep(r.Context(), 10*time.Second)
		return reply(r, 200, `{"token":"T","expires_in":3600}`), nil
	})
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {0, 1}, {50 * time.Second, 1}, {time.Nanosecond, 2}, {49 * time.Second, 2}, {2 * time.Second, 3}} {
		if err := c.Sleep(t.Context(), step.wait); err != nil {
			t.Fatal(err)
		}
		if _, err := r.stat(t.Context(), "sha256:00"); !errors.Is(err, ErrBlobUnknown) {
			t.Fatal(err)
		}
		if fetches != step.want {
			t.Errorf("after %s: %d fetches, want %d", step.wait, fetches, step.want)
		}
	}
}

// TestIdentityTokenStays: what a token service gives for the next exchange is of no
// use to a push, whose store of credentials keeps nothing (P-146).
func TestIdentityTokenStays(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	var sent []string
	job := &Job{Era: Docker113(), Clock: c, Credentials: Credentials{IdentityToken: "first"}, Transport: trip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		return reply(r, 200, `{"access_token":"T","refresh_token":"second","expires_in":60}`), err
	})}
	auth := newTokenAuth(job, "repository:a/b:pull")
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://r.example/v2/", nil)
		if err == nil {
			err = auth.authorize(req, bearer().params)
		}
		if err == nil {
			err = c.Sleep(t.Context(), 2*time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const want = "client_id=docker&grant_type=refresh_token&refresh_token=first&scope=repository%3Aa%2Fb%3Apull&service=s+v"
	if len(sent) != 2 || sent[0] != want || sent[1] != want {
		t.Errorf("sent %q, want twice %q", sent, want)
	}
}

// TestTokenTimeout: a token service has 15 s (P-091).
func TestTokenTimeout(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	begin := c.Now()
	r := repositoryWith(c, Credentials{}, []challenge{bearer()}, func(r *http.Request) (*http.Response, error) {
		return nil, c.Sleep(r.Context(), time.Minute)
	})
	_, err := r.stat(t.Context(), "sha256:00")
	const want = `Head "http://r.example/v2/a/b/blobs/sha256:00": Get "http://realm.example/token?scope=repository%3Aa%2Fb%3Apush%2Cpull&service=s+v": context deadline exceeded`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if got := c.Now().Sub(begin); got != 15*time.Second {
		t.Errorf("after %s", got)
	}
}

// TestNoSecrets: credentials do not print.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	c := Credentials{Username: "alice", Password: "hunter2", IdentityToken: "idtoken", RegistryToken: "regtoken"}
	for _, text := range []string{c.String(), c.GoString(), c.LogValue().String()} {
		if text != "user alice" {
			t.Errorf("prints %q", text)
		}
	}
}
