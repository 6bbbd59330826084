package pusher

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// tokenAuth fetches a token and keeps it (P-140 to P-146).
type tokenAuth struct {
	client      *http.Client
	clock       clock.Clock
	timeout     time.Duration // of a fetch
	lifetime    time.Duration // of a token; 0 is the service's to say
	rules       TokenRules
	errors      ErrorRules
	credentials Credentials

	// first is when the request has its turn to ask for a token; see wire.Recorder.Turn.
	first func(context.Context) (context.Context, error)

	turn *clock.Limit // of one, and guards everything below

	scopes  []string
	token   string
	expires time.Time // zero before the first fetch
}

// newTokenAuth asks for tokens with a scope, "" for none.
func newTokenAuth(job *Job, scope string) *tokenAuth {
	t := &tokenAuth{
		client:      &http.Client{Transport: job.Transport},
		clock:       job.Clock,
		timeout:     job.Era.TokenTimeout,
		lifetime:    job.Era.TokenLifetime,
		rules:       job.Era.Token,
		errors:      job.Era.Errors,
		credentials: job.Credentials,
		first:       job.recorder.Turn,
		turn:        clock.NewLimit(job.Clock, 1),
	}
	if scope != "" {
		t.scopes = []string{scope}
	}
	return t
}

func (*tokenAuth) scheme() string { return "bearer" }

func (t *tokenAuth) authorize(req *http.Request, params map[string]string) error {
	if _, err := t.first(req.Context()); err != nil { // who comes first asks for the token
		return err
	}
	place := t.turn.Queue()
	defer place.Leave()
	if err := place.Wait(req.Context()); err != nil {
		return err
	}
	token, err := t.tokenFor(req, params)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// tokenFor gives the token of a request, the kept one where that will do.
func (t *tokenAuth) tokenFor(req *http.Request, params map[string]string) (string, error) {
	scopes, more := t.scopesFor(req)
	now := t.clock.Now()
	if !more && !now.After(t.expires) {
		return t.token, nil
	}
	token, expires, err := t.fetch(req.Context(), params, scopes)
	if err != nil {
		return "", err
	}
	if t.lifetime > 0 {
		expires = now.Add(t.lifetime)
	}
	if !more || t.rules.MountScope == MountScopeKept || t.rules.MountScope == MountScopeCached {
		t.token, t.expires = token, expires
	}
	return token, nil
}

// scopesFor is what to ask for on behalf of a request, and whether that is more
// than usual: a mount has to read the repository that it is from (P-145).
func (t *tokenAuth) scopesFor(req *http.Request) (scopes []string, more bool) {
	from := req.URL.Query().Get("from")
	if from == "" || t.rules.MountScope == MountScopeNone {
		return t.scopes, false
	}
	scope := "repository:" + from + ":pull"
	if slices.Contains(t.scopes, scope) && (t.rules.MountScope == MountScopeKept || t.rules.MountScope == MountScopeKnown) {
		return t.scopes, false
	}
	scopes = append(slices.Clone(t.scopes), scope)
	if t.rules.MountScope == MountScopeKept {
		t.scopes = scopes
	}
	return scopes, true
}

// fetch asks the realm (P-142, P-144, P-146).
func (t *tokenAuth) fetch(ctx context.Context, params map[string]string, scopes []string) (token string, expires time.Time, err error) {
	req, err := t.request(params, scopes)
	if err != nil {
		return "", time.Time{}, err
	}
	resp, done, err := limited(ctx, t.clock, t.timeout, t.client, req)
	defer done()
	if err != nil {
		return "", time.Time{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		refused := &tokenStatusError{url: req.URL, status: resp.StatusCode}
		if t.rules.Decodes {
			refused.said = responseError(resp, t.errors)
		}
		return "", time.Time{}, refused
	}
	answer, err := t.decode(resp.Body)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("unable to decode token response: %w", err)
	}
	if answer.Token == "" {
		return "", time.Time{}, errNoToken
	}
	issued := t.clock.Now()
	if answer.IssuedAt != nil && !answer.IssuedAt.IsZero() {
		issued = *answer.IssuedAt
	}
	return answer.Token, issued.Add(max(t.rules.MinLifetime, time.Duration(answer.ExpiresIn)*time.Second)), nil
}

// request is what asks for a token: with what the user typed, or for an identity
// token. The realm's own query is kept; what scope the registry offered is not
// looked at (P-140, P-146).
func (t *tokenAuth) request(params map[string]string, scopes []string) (*http.Request, error) {
	realm, ok := params["realm"]
	if !ok {
		return nil, errors.New("no realm specified for token auth challenge")
	}
	u, err := url.Parse(realm)
	if err != nil {
		return nil, fmt.Errorf("invalid token auth challenge realm: %w", err)
	}
	if t.rules.Refresh && t.credentials.IdentityToken != "" {
		return t.refresh(u, params["service"], scopes)
	}
	req, err := http.NewRequest(http.MethodGet, u.String(), nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	q := req.URL.Query()
	if params["service"] != "" {
		q.Add("service", params["service"])
	}
	for _, scope := range scopes {
		q.Add("scope", scope)
	}
	if t.credentials.Username != "" && t.credentials.Password != "" {
		q.Add("account", t.credentials.Username)
		req.SetBasicAuth(t.credentials.Username, t.credentials.Password)
	}
	req.URL.RawQuery = q.Encode()
	return req, nil
}

// refresh exchanges an identity token (P-146). A new one in the answer is handed to
// docker's store of credentials, which for a push keeps nothing: the next exchange is
// of the same again.
func (t *tokenAuth) refresh(realm *url.URL, service string, scopes []string) (*http.Request, error) {
	form := url.Values{
		"scope":         {strings.Join(scopes, " ")},
		"service":       {service},
		"client_id":     {"docker"},
		"grant_type":    {"refresh_token"},
		"refresh_token": {t.credentials.IdentityToken},
	}
	req, err := http.NewRequest(http.MethodPost, realm.String(), strings.NewReader(form.Encode())) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// decode reads the answer of a token service, as much of it as the era knows: a
// field that is not looked at may hold anything.
func (t *tokenAuth) decode(body io.Reader) (answer tokenResponse, err error) {
	body = io.LimitReader(body, errorLimit) // a token that never ends must not fill the memory
	if t.rules.AccessToken {
		err = json.NewDecoder(body).Decode(&answer)
		answer.Token = cmp.Or(answer.AccessToken, answer.Token)
		return answer, err
	}
	type tokenResponse struct {
		Token string `json:"token"`
	}
	var old tokenResponse
	err = json.NewDecoder(body).Decode(&old)
	answer.Token = old.Token
	return answer, err
}

// A tokenResponse is what a token service answers. The name of the type shows in
// the texts of encoding/json, and so does docker's.
type tokenResponse struct {
	Token       string     `json:"token"`
	AccessToken string     `json:"access_token"`
	ExpiresIn   int        `json:"expires_in"`
	IssuedAt    *time.Time `json:"issued_at"`
}

// A tokenStatusError is an answer of a token service that is none (P-142).
type tokenStatusError struct {
	url    *url.URL
	status int
	said   error // what the answer says, where the era reads it (P-144)
}

func (e *tokenStatusError) Error() string {
	if e.said != nil {
		return e.said.Error()
	}
	return fmt.Sprintf("token auth attempt for registry: %s request failed with status: %d %s", e.url, e.status, http.StatusText(e.status))
}

// Unwrap gives what the answer says.
func (e *tokenStatusError) Unwrap() error { return e.said }
