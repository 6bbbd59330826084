package pusher

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
)

// A v1Session is the requests of one V1 push to one index: their cookies, their
// authorization, and how redirects are followed. It is safe for concurrent use.
type v1Session struct {
	job    *Job
	index  string // "http://127.0.0.1:5000/v1/"
	client *http.Client
}

// newV1Session pings an index that speaks TLS and is not docker.io's own; what it
// answers decides how the session authorizes (P-160 to P-164). No other index is
// asked anything.
//
// Errors: the ping's, which leaves the next endpoint a chance.
func newV1Session(ctx context.Context, job *Job) (*v1Session, error) {
	url := strings.TrimSuffix(job.Endpoint.URL, "/")
	s := &v1Session{job: job, index: url + "/v1/"}
	auth := &v1Auth{next: job.Transport, credentials: job.Credentials}
	if strings.HasPrefix(url, "https://") && url != officialV1 {
		ping := v1Ping{client: &http.Client{Transport: job.Transport, CheckRedirect: v1Redirect}, url: url}
		run := ping.run
		if job.Era.V1.PingsV1Only {
			run = ping.v1
		}
		standalone, err := run(ctx)
		if err != nil {
			return nil, err
		}
		auth.always = standalone
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	s.client = &http.Client{Transport: auth, CheckRedirect: v1Redirect, Jar: jar}
	return s, nil
}

// close ends what the session's connections still hold.
func (s *v1Session) close() { s.client.CloseIdleConnections() }

// A v1Ping asks a registry what it is (P-162).
type v1Ping struct {
	client *http.Client
	url    string // without a path
}

// run asks over V2 first and reports whether the registry is a standalone one.
func (p v1Ping) run(ctx context.Context) (standalone bool, err error) {
	standalone, errV2 := p.v2(ctx)
	if errV2 == nil || ctx.Err() != nil {
		return standalone, errV2
	}
	standalone, errV1 := p.v1(ctx)
	if errV1 == nil || ctx.Err() != nil {
		return standalone, errV1
	}
	return false, v1PingError{url: p.url, v2: errV2, v1: errV1}
}

// v2 demands the version header, and takes 200 for a registry that asks nobody.
func (p v1Ping) v2(ctx context.Context) (standalone bool, err error) {
	resp, err := p.get(ctx, "/v2/")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is read
	if !hasV2Header(resp.Header) {
		return false, fmt.Errorf("%s/v2/ does not appear to be a v2 registry endpoint", p.url)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	}
	return false, fmt.Errorf("v2 registry endpoint returned status %d: %q", resp.StatusCode, http.StatusText(resp.StatusCode))
}

// hasV2Header looks for registry/2.0 among all values of the version header.
func hasV2Header(h http.Header) bool {
	for _, line := range h.Values(versionHeader) {
		for version := range strings.FieldsSeq(line) {
			if version == "registry/2.0" {
				return true
			}
		}
	}
	return false
}

// v1 takes any HTTP answer for a registry, and a standalone one unless the
// answer says otherwise.
func (p v1Ping) v1(ctx context.Context) (standalone bool, err error) {
	resp, err := p.get(ctx, "/v1/_ping")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // what counts was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, v1BodyLimit))
	if err != nil {
		return false, fmt.Errorf("error while reading the http response: %w", err)
	}
	info := struct {
		Standalone bool `json:"standalone"`
	}{Standalone: true}
	_ = json.Unmarshal(body, &info) // what is no JSON says nothing
	switch header := resp.Header.Get("X-Docker-Registry-Standalone"); {
	case strings.EqualFold(header, "true") || header == "1":
		return true, nil
	case header != "":
		return false, nil
	}
	return info.Standalone, nil
}

func (p v1Ping) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return nil, err
	}
	return p.client.Do(req)
}

// A v1PingError says that a registry answered neither ping.
type v1PingError struct {
	url    string
	v2, v1 error
}

// Error is docker's text. The 0 in it stands for a version that was not found out.
func (e v1PingError) Error() string {
	return fmt.Sprintf("unable to ping registry endpoint %s/v0/\nv2 ping attempt failed with error: %s\n v1 ping attempt failed with error: %s", e.url, e.v2, e.v1)
}

// Unwrap gives both reasons to errors.Is and errors.As.
func (e v1PingError) Unwrap() []error { return []error{e.v2, e.v1} }

// v1MaxRedirects is where a push gives up. Docker never does (P-590); a test
// bench must.
const v1MaxRedirects = 100

// v1Redirect is how docker follows a redirect: with all headers when both sides
// are docker's own, with all but the authorization otherwise. net/http has
// copied them once already, so they go out twice.
func v1Redirect(req *http.Request, via []*http.Request) error {
	if len(via) > v1MaxRedirects {
		return fmt.Errorf("redirected %d times; docker would go on for ever", v1MaxRedirects)
	}
	if v1Trusted(req) && v1Trusted(via[0]) {
		req.Header = via[0].Header
		return nil
	}
	for name, values := range via[0].Header {
		if name == "Authorization" {
			continue
		}
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
	return nil
}

// v1Trusted tells a request to docker's own hosts over TLS.
func v1Trusted(req *http.Request) bool {
	if req.URL.Scheme != "https" {
		return false
	}
	host, _, _ := strings.Cut(req.Host, ":")
	for _, trusted := range [...]string{"docker.com", "docker.io"} {
		if host == trusted || strings.HasSuffix(host, "."+trusted) {
			return true
		}
	}
	return false
}
