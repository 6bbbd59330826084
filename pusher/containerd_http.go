package pusher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// A c8dHost is a registry as containerd speaks to it: authorized when it asks for
// that, and asked again at once (P-398). It is safe for concurrent use.
type c8dHost struct {
	job  *Job
	root *url.URL
	http *http.Client

	mu    sync.Mutex // guards everything below
	spoke bool       // something was answered
	// handler answers the challenge that was seen last, which has params; nil before
	// the first.
	handler authHandler
	params  map[string]string
}

func newC8dHost(job *Job) *c8dHost {
	root, _ := url.Parse(job.Endpoint.URL) // made of a scheme and a host
	return &c8dHost{job: job, root: root, http: &http.Client{Transport: job.Transport}}
}

func (h *c8dHost) answered() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.spoke
}

func (h *c8dHost) at(path string) string {
	return h.job.Endpoint.URL + "/v2/" + h.job.Name.Remote + path
}

// A c8dRequest is one that can be sent again.
type c8dRequest struct {
	method, address string
	header          http.Header
	body            func() (io.ReadCloser, error) // nil is none
	size            int64
}

// do sends a request, and again as P-398 has it: 401 with an authorization, 408
// and 429 as it is, 500, 503 and 504 once; six times at the most.
func (h *c8dHost) do(ctx context.Context, r c8dRequest) (*http.Response, error) {
	var before []int
	for {
		resp, err := h.once(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("failed to do request: %w", err)
		}
		again, err := h.again(ctx, resp, before)
		if err == nil && r.method == http.MethodHead && resp.StatusCode == http.StatusMethodNotAllowed && strings.Contains(r.address, "/manifests/") {
			r.method, again = http.MethodGet, true
		}
		if !again || len(before) >= 5 {
			return resp, err
		}
		before = append(before, resp.StatusCode)
		_ = resp.Body.Close()
	}
}

// again decides over an answer.
//
// Errors: of the authorization.
func (h *c8dHost) again(ctx context.Context, resp *http.Response, before []int) (bool, error) {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return h.challenge(ctx, resp, len(before) > 0 && before[len(before)-1] == http.StatusUnauthorized)
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true, nil
	case http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return len(before) == 0 || before[len(before)-1] != resp.StatusCode, nil
	}
	return false, nil
}

// challenge takes what a 401 asks for. A challenge that says why the authorization
// was wrong is not answered again.
func (h *c8dHost) challenge(_ context.Context, resp *http.Response, repeated bool) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range challengesOf(resp) {
		switch c.scheme {
		case "bearer":
			said := c.params["error"] != ""
			if repeated && said {
				return false, nil
			}
			if h.handler == nil || said { // else the one that there is, whose token may be another by now
				h.handler, h.params = newTokenAuth(h.job, "repository:"+h.job.Name.Remote+":pull,push"), c.params
			}
			return true, nil
		case "basic":
			if h.job.Credentials.Username == "" || repeated {
				return false, nil
			}
			h.handler, h.params = basicAuth{h.job.Credentials}, c.params
			return true, nil
		}
	}
	return false, nil
}

// once sends a request. Elsewhere than at the registry it is bare (P-395).
func (h *c8dHost) once(ctx context.Context, r c8dRequest) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.address, nil)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	if r.body != nil {
		body, err := r.body()
		if err != nil {
			return nil, err
		}
		req.Body, req.ContentLength = &closingBody{ReadCloser: body, closed: done}, r.size
	} else {
		close(done)
	}
	defer func() { <-done }()
	for name, values := range r.header {
		req.Header[name] = values
	}
	h.mu.Lock()
	handler, params := h.handler, h.params
	h.mu.Unlock()
	if handler != nil && req.URL.Scheme == h.root.Scheme && req.URL.Host == h.root.Host {
		if err := handler.authorize(req, params); err != nil {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, fmt.Errorf("failed to authorize: %w", err)
		}
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.spoke = true
	h.mu.Unlock()
	return resp, nil
}

// refusal is the error of an answer, rebuilt from the registry's list (P-400).
func (h *c8dHost) refusal(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	list, err := h.job.Era.Errors.Codes.Decode(body)
	if err == nil && len(list) > 0 {
		for i, e := range list {
			if code, bare := e.(errcode.ErrorCode); bare { //nolint:errorlint // an element, not a wrapped one
				list[i] = errcode.Spoken(code)
			}
		}
		return list
	}
	text := fmt.Sprintf("unexpected status from %s request to %s: %s", resp.Request.Method, resp.Request.URL.Redacted(), resp.Status)
	return &StatusError{Code: resp.StatusCode, Status: resp.Status, text: text}
}

// bytesBody is a small body that can be sent again.
func bytesBody(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

var errNoHost = errors.New("no Host in request URL")

// location is where an upload goes, as containerd reads it (P-395).
func (h *c8dHost) location(said string) (string, error) {
	switch {
	case strings.HasPrefix(said, "/"):
		said = h.root.Scheme + "://" + h.root.Host + said
	case !strings.Contains(said, "://"):
		said = h.root.Scheme + "://" + said
	}
	u, err := url.Parse(said)
	if err != nil {
		return "", fmt.Errorf("unable to parse location %q: %w", said, err)
	}
	if u.Host == "" {
		return "", fmt.Errorf("failed to do request: %s: %w", u.Redacted(), errNoHost)
	}
	return u.String(), nil
}
