package pusher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// v1BodyLimit is how much of an answer's body is read: far above any registry's,
// and short of what would hurt.
const v1BodyLimit = 16 << 20

// errV1Login is the index's 401. It carries no code on the stream (P-424).
var errV1Login = errors.New("Authentication is required.") //nolint:staticcheck,revive // docker's words

// unauthorized is what a 401 of the index means: since docker 1.10 an error that
// has V2's code (P-380).
func (s *v1Session) unauthorized() error {
	if s.job.Era.V1.Lean {
		return s.job.Era.Errors.Codes.New("UNAUTHORIZED", nil)
	}
	return errV1Login
}

// putImageList tells the index which images the repository is made of and
// returns the endpoints that take them (P-423, P-424).
//
// Errors: errV1Login or its code; *HTTPError; docker's when no endpoint is named; net/http's.
func (s *v1Session) putImageList(ctx context.Context, entries []v1Entry) ([]string, error) {
	resp, err := s.putIndex(ctx, "", entries, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // what counts was read
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return nil, s.unauthorized()
	case http.StatusOK, http.StatusCreated:
	default:
		return nil, v1Status(resp, fmt.Sprintf("Error: Status %d trying to push repository %s", resp.StatusCode, s.job.Name.Remote))
	}
	if resp.Header.Get("X-Docker-Endpoints") == "" {
		return nil, errors.New("Index response didn't contain any endpoints") //nolint:staticcheck,revive // docker's words
	}
	scheme, _, _ := strings.Cut(s.index, "://")
	var endpoints []string
	for _, line := range resp.Header["X-Docker-Endpoints"] {
		for host := range strings.SplitSeq(line, ",") {
			endpoints = append(endpoints, scheme+"://"+strings.TrimSpace(host)+"/v1/")
		}
	}
	return endpoints, nil
}

// putChecksumList tells the index that all is there. The list is empty: checksums
// never reach it (P-430).
//
// Errors: as putImageList's.
func (s *v1Session) putChecksumList(ctx context.Context, endpoints []string) error {
	resp, err := s.putIndex(ctx, "images", []v1Entry{}, endpoints)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // what counts was read
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return s.unauthorized()
	case http.StatusNoContent:
		return nil
	}
	return v1Status(resp, fmt.Sprintf("Error: Status %d trying to push checksums %s", resp.StatusCode, s.job.Name.Remote))
}

// putIndex sends a list to the index, again and again for as long as the answer
// is a redirect that net/http does not follow (P-233). The caller closes the
// answer's body.
func (s *v1Session) putIndex(ctx context.Context, suffix string, entries []v1Entry, endpoints []string) (*http.Response, error) {
	body, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	header := http.Header{
		"Content-type":   {"application/json"}, // spelled like this on the wire
		"X-Docker-Token": {"true"},
	}
	if endpoints != nil {
		header["X-Docker-Endpoints"] = endpoints
	}
	url := s.index + "repositories/" + s.job.Name.Remote + "/" + suffix
	for range v1MaxRedirects {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = header
		resp, err := s.client.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode >= 400 {
			return resp, nil
		}
		_ = resp.Body.Close()
		url = resp.Header.Get("Location")
	}
	return nil, fmt.Errorf("image list: redirected %d times, last to %q; docker would go on for ever", v1MaxRedirects, url)
}

// v1Status is the error of an answer that docker quotes: the text, and the body.
func v1Status(resp *http.Response, text string) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, v1BodyLimit)) // docker quotes what it got
	return &HTTPError{Code: resp.StatusCode, Message: fmt.Sprintf("%s: %q", text, body)}
}
