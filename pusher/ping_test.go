package pusher

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/clock"
)

func TestPing(t *testing.T) {
	t.Parallel()
	type answers map[string]func(*http.Request) *http.Response
	answer := func(code int, header http.Header) func(*http.Request) *http.Response {
		return func(r *http.Request) *http.Response {
			resp := reply(r, code, "")
			resp.Header = header
			return resp
		}
	}
	v2 := func(more ...string) http.Header {
		h := http.Header{versionHeader: {"registry/2.0"}}
		for i := 0; i+1 < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	basic := map[string][]challenge{"http://r.example/v2/": {{"basic", map[string]string{"realm": "x"}}}}
	tests := []struct {
		name     string
		endpoint Endpoint
		answers  answers
		want     map[string][]challenge
		err      error
	}{
		{name: "plain", answers: answers{"http://r.example/v2/": answer(200, v2())}},
		{name: "no header", answers: answers{"http://r.example/v2/": answer(200, nil)}, err: errNotV2},
		{name: "another version", answers: answers{"http://r.example/v2/": answer(200, http.Header{versionHeader: {"registry/3.0 registry/2.01 other/2.0"}})}, err: errNotV2},
		{name: "503 with the header", answers: answers{"http://r.example/v2/": answer(503, v2())}},
		{name: "challenge", answers: answers{"http://r.example/v2/": answer(401, v2("WWW-Authenticate", "Basic realm=x"))}, want: basic},
		{name: "a challenge without 401", answers: answers{"http://r.example/v2/": answer(403, v2("WWW-Authenticate", "Basic realm=x"))}},
		{name: "redirected: the challenge counts there", answers: answers{
			"http://r.example/v2/":       answer(307, v2("Location", "http://other.example/v2/?q")),
			"http://other.example/v2/?q": answer(401, v2("WWW-Authenticate", "Basic realm=x")),
		}, want: map[string][]challenge{"http://other.example/v2/": basic["http://r.example/v2/"]}},
		{name: "docker.io needs no header", endpoint: Endpoint{Official: true}, answers: answers{"http://r.example/v2/": answer(404, nil)}},
		{name: "a mirror needs none and has two slashes", endpoint: Endpoint{Mirror: true, URL: "http://r.example/"}, answers: answers{"http://r.example//v2/": answer(200, nil)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.endpoint.URL == "" {
				tt.endpoint.URL = "http://r.example"
			}
			job := &Job{Era: Docker18(), Endpoint: tt.endpoint, Clock: clock.Real(), Transport: trip(func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("Authorization") != "" {
					t.Error("the ping is authorized")
				}
				f, ok := tt.answers[r.URL.String()]
				if !ok {
					t.Fatalf("asked %s", r.URL)
				}
				return f(r), nil
			})}
			got, err := ping(t.Context(), job)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got.challenges, cmp.AllowUnexported(challenge{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPingTimeout: the ping has 5 s in all, redirects included (P-090).
func TestPingTimeout(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Time{})
	defer c.Work()()
	begin := c.Now()
	job := &Job{Era: Docker18(), Endpoint: Endpoint{URL: "http://r.example"}, Clock: c, Transport: trip(func(r *http.Request) (*http.Response, error) {
		if err := c.Sleep(r.Context(), 3*time.Second); err != nil {
			return nil, err
		}
		resp := reply(r, 302, "")
		resp.Header.Set("Location", "/v2/")
		return resp, nil
	})}
	_, err := ping(t.Context(), job)
	if want := `Get "http://r.example/v2/": context deadline exceeded`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if got := c.Now().Sub(begin); got != 5*time.Second {
		t.Errorf("after %s", got)
	}
}
