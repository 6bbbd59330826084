package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// An authTransport adds Authorization to requests for which the ping found
// challenges. It is a round tripper so that its errors get net/http's words
// around them, as docker's do (P-134).
type authTransport struct {
	next http.RoundTripper
	// challenges by the URL that the ping ended at, up to and including /v2/
	// (P-093, P-131).
	challenges map[string][]challenge
	handlers   []authHandler // in order; a later one replaces an earlier one's header (P-132)
}

// authorizedClient answers the challenges of a ping with the job's credentials.
// scope is what tokens are asked for; "" asks for none (P-140).
func authorizedClient(job *Job, challenges map[string][]challenge, scope string) *http.Client {
	return &http.Client{Transport: &authTransport{
		next:       job.Transport,
		challenges: challenges,
		handlers: []authHandler{
			&tokenAuth{
				client:      &http.Client{Transport: job.Transport},
				clock:       job.Clock,
				timeout:     job.Era.TokenTimeout,
				lifetime:    job.Era.TokenLifetime,
				scope:       scope,
				credentials: job.Credentials,
			},
			basicAuth{job.Credentials},
		},
	}}
}

// An authHandler answers challenges of one scheme.
type authHandler interface {
	// scheme is in lower case.
	scheme() string
	// authorize sets the header of a request that is the caller's own.
	authorize(req *http.Request, params map[string]string) error
}

// An authError is a handler's error, told from those of the connection.
type authError struct{ err error }

func (e *authError) Error() string { return e.err.Error() }

func (e *authError) Unwrap() error { return e.err }

// RoundTrip implements http.RoundTripper. It "must always close the body,
// including on errors".
func (t *authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if err := t.authorize(out); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &authError{err}
	}
	return t.next.RoundTrip(out)
}

// authorize lets each handler answer every challenge of its scheme. A request
// to anywhere but the pinged URL stays bare (P-131).
func (t *authTransport) authorize(req *http.Request) error {
	root := strings.Index(req.URL.Path, "/v2/")
	if root < 0 {
		return nil
	}
	pinged := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path[:root+len("/v2/")]}
	for _, h := range t.handlers {
		for _, c := range t.challenges[pinged.String()] {
			if c.scheme != h.scheme() {
				continue
			}
			if err := h.authorize(req, c.params); err != nil {
				return err
			}
		}
	}
	return nil
}

// basicAuth sends what the user typed (P-133).
type basicAuth struct{ credentials Credentials }

func (basicAuth) scheme() string { return "basic" }

func (b basicAuth) authorize(req *http.Request, _ map[string]string) error {
	if b.credentials.Username == "" || b.credentials.Password == "" {
		return errors.New("no basic auth credentials")
	}
	req.SetBasicAuth(b.credentials.Username, b.credentials.Password)
	return nil
}

// tokenAuth fetches a token and keeps it (P-140 to P-143).
type tokenAuth struct {
	client      *http.Client
	clock       clock.Clock
	timeout     time.Duration // of a fetch
	lifetime    time.Duration // of a token
	scope       string
	credentials Credentials

	mu      sync.Mutex // guards token and expires
	token   string
	expires time.Time // zero before the first fetch
}

func (*tokenAuth) scheme() string { return "bearer" }

func (t *tokenAuth) authorize(req *http.Request, params map[string]string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.clock.Now(); now.After(t.expires) {
		token, err := t.fetch(req, params)
		if err != nil {
			return err
		}
		t.token, t.expires = token, now.Add(t.lifetime)
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	return nil
}

// request is the GET that asks for a token. The realm's own query is kept; what
// scope the registry offered is not looked at (P-140).
func (t *tokenAuth) request(params map[string]string) (*http.Request, error) {
	realm, ok := params["realm"]
	if !ok {
		return nil, errors.New("no realm specified for token auth challenge")
	}
	u, err := url.Parse(realm)
	if err != nil {
		return nil, fmt.Errorf("invalid token auth challenge realm: %w", err)
	}
	req, err := http.NewRequest(http.MethodGet, u.String(), nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	q := req.URL.Query()
	if params["service"] != "" {
		q.Add("service", params["service"])
	}
	if t.scope != "" {
		q.Add("scope", t.scope)
	}
	if t.credentials.Username != "" && t.credentials.Password != "" {
		q.Add("account", t.credentials.Username)
		req.SetBasicAuth(t.credentials.Username, t.credentials.Password)
	}
	req.URL.RawQuery = q.Encode()
	return req, nil
}

// fetch asks the realm on behalf of a request (P-142).
func (t *tokenAuth) fetch(on *http.Request, params map[string]string) (string, error) {
	req, err := t.request(params)
	if err != nil {
		return "", err
	}
	resp, done, err := limited(on.Context(), t.clock, t.timeout, t.client, req)
	defer done()
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return "", &tokenStatusError{url: req.URL, status: resp.StatusCode}
	}
	var answer tokenResponse
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("unable to decode token response: %w", err)
	}
	if answer.Token == "" {
		return "", errors.New("authorization server did not include a token in the response")
	}
	return answer.Token, nil
}

// A tokenResponse is what a token service answers. The name of the type shows in
// the texts of encoding/json, and so does docker's.
type tokenResponse struct {
	Token string `json:"token"`
}

// A tokenStatusError is an answer of a token service that is none (P-142).
type tokenStatusError struct {
	url    *url.URL
	status int
}

func (e *tokenStatusError) Error() string {
	return fmt.Sprintf("token auth attempt for registry: %s request failed with status: %d %s", e.url, e.status, http.StatusText(e.status))
}
