package pusher

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// An authTransport adds Authorization to requests for which the ping found
// challenges. It is a round tripper so that its errors get net/http's words
// around them, as docker's do (P-134).
type authTransport struct {
	next http.RoundTripper
	// challenges by the URL that the ping ended at, up to and including /v2/
	// (P-093, P-131).
	challenges map[string][]challenge
	ports      bool          // a default port is the same as none (P-131)
	handlers   []authHandler // in order; a later one replaces an earlier one's header (P-132)
}

// authorizedClient answers the challenges of a ping with the job's credentials.
// scope is what tokens are asked for; "" asks for none (P-140).
func authorizedClient(job *Job, challenges map[string][]challenge, scope string) *http.Client {
	return &http.Client{Transport: &authTransport{
		next:       job.Transport,
		challenges: challenges,
		ports:      job.Era.DefaultPorts,
		handlers:   authHandlers(job, scope),
	}}
}

// authHandlers are the handlers of a job in their order. A token that the user
// has excludes every other way (P-147).
func authHandlers(job *Job, scope string) []authHandler {
	if job.Era.Token.RegistryToken && job.Credentials.RegistryToken != "" {
		return []authHandler{existingToken(job.Credentials.RegistryToken)}
	}
	return []authHandler{newTokenAuth(job, scope), basicAuth{job.Credentials}}
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
	list := t.challenges[pinged.String()]
	for key, found := range t.challenges {
		if t.ports && withPort(key) == withPort(pinged.String()) {
			list = found
		}
	}
	for _, h := range t.handlers {
		for _, c := range list {
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

// withPort writes the port of an URL out, and its scheme and host in lower case.
func withPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Port() == "" {
		switch u.Scheme {
		case "http":
			u.Host += ":80"
		case "https":
			u.Host += ":443"
		}
	}
	return u.String()
}

// An existingToken is a bearer token that the user has (P-147).
type existingToken string

func (existingToken) scheme() string { return "bearer" }

func (t existingToken) authorize(req *http.Request, _ map[string]string) error {
	req.Header.Set("Authorization", "Bearer "+string(t))
	return nil
}

// The errors of handlers that dockers tell from others (P-134).
var (
	errNoBasic = errors.New("no basic auth credentials")
	errNoToken = errors.New("authorization server did not include a token in the response")
)

// basicAuth sends what the user typed (P-133).
type basicAuth struct{ credentials Credentials }

func (basicAuth) scheme() string { return "basic" }

func (b basicAuth) authorize(req *http.Request, _ map[string]string) error {
	if b.credentials.Username == "" || b.credentials.Password == "" {
		return errNoBasic
	}
	req.SetBasicAuth(b.credentials.Username, b.credentials.Password)
	return nil
}
