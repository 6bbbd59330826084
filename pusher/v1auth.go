package pusher

import (
	"net/http"
	"strings"
	"sync"
)

// v1Auth authorizes the requests of a V1 session (P-160, P-161, P-432).
type v1Auth struct {
	next        http.RoundTripper
	credentials Credentials
	always      bool // Basic on every request, even with nothing to tell

	mu    sync.Mutex // guards token
	token []string   // X-Docker-Token as the registry last sent it
}

// RoundTrip implements http.RoundTripper.
func (a *v1Auth) RoundTrip(req *http.Request) (*http.Response, error) {
	// net/http adds a Referer when it follows a redirect, and docker never does:
	// a redirect to a stranger is not authorized.
	if req.Header.Get("Referer") != "" && !v1Trusted(req) {
		return a.next.RoundTrip(req)
	}
	out := req.Clone(req.Context())
	if a.always {
		out.SetBasicAuth(a.credentials.Username, a.credentials.Password)
		return a.next.RoundTrip(out)
	}
	a.authorize(out)
	resp, err := a.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if token := resp.Header["X-Docker-Token"]; len(token) > 0 {
		a.mu.Lock()
		a.token = token
		a.mu.Unlock()
	}
	return resp, nil
}

// authorize sets the credentials on a request that asks for a token, over http
// as well (P-597), and the token on any other.
func (a *v1Auth) authorize(req *http.Request) {
	if req.Header.Get("Authorization") != "" {
		return
	}
	if req.Header.Get("X-Docker-Token") == "true" && a.credentials.Username != "" {
		req.SetBasicAuth(a.credentials.Username, a.credentials.Password)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.token) > 0 {
		req.Header.Set("Authorization", "Token "+strings.Join(a.token, ","))
	}
}

// CloseIdleConnections is found by http.Client.CloseIdleConnections.
func (a *v1Auth) CloseIdleConnections() {
	if c, ok := a.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
