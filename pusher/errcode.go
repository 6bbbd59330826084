package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// The errors of the blob protocol that have no code on the wire (P-260).
var (
	ErrBlobUnknown       = errors.New("unknown blob")
	ErrBlobUploadUnknown = errors.New("blob upload unknown")
)

// errNoErrors is docker's word for a body that lists no errors (P-254).
var errNoErrors = errors.New("no error details found in HTTP response body")

// An ErrorRules is how an era reads what a registry refuses with.
type ErrorRules struct {
	Codes  errcode.Dialect // that it knows (P-257)
	Spoken bool            // a bare code is said in words (P-251)
	// EmptyLists takes a body without errors for an empty list of them (P-254).
	EmptyLists bool
	// Details are the codes, by status, of a body with details and nothing else;
	// other statuses have UNKNOWN. nil does not look for them (P-255).
	Details map[int]errcode.ErrorCode
	// Challenges reads errors from WWW-Authenticate too (P-258).
	Challenges bool
	// PlainBodies takes a body that is not said to be JSON for the message, with
	// the code of Details (P-259).
	PlainBodies bool
	// Unread is what is said of a body that cannot be read: status, error, body
	// (P-252). Unexpected is said of other statuses: the status line (P-256).
	Unread, Unexpected string
	// NoLength is said of an answer to HEAD without length: its URL; "" says what
	// reading nothing as a number gives (P-196).
	NoLength string
}

// A StatusError is an answer outside 400 to 499 that was not a success (P-256).
type StatusError struct {
	Code   int
	Status string // as the registry worded it: "503 Service Unavailable"
	text   string
}

// Error implements error.
func (e *StatusError) Error() string { return e.text }

// A ResponseError is an answer of 400 to 499 whose body is not a list of errors
// (P-252).
type ResponseError struct {
	Code int    // HTTP status
	Body []byte // as received
	Err  error  // encoding/json's
	text string
}

// Error implements error.
func (e *ResponseError) Error() string { return e.text }

// Unwrap gives encoding/json's error.
func (e *ResponseError) Unwrap() error { return e.Err }

// success is what docker takes for one, redirects that were not followed included
// (P-201).
func success(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode <= 399 }

// responseError is the error of an answer that was not a success (P-250 to
// P-259). It reads the body only where docker does.
func responseError(resp *http.Response, rules ErrorRules) error {
	if resp.StatusCode < 400 || resp.StatusCode > 499 {
		return &StatusError{Code: resp.StatusCode, Status: resp.Status, text: fmt.Sprintf(rules.Unexpected, resp.Status)}
	}
	if rules.Challenges {
		if refused, ok := challengeError(resp, rules); ok {
			rest := rules.bodyError(resp)
			var list errcode.Errors
			if !errors.As(rest, &list) {
				list = errcode.Errors{rest}
			}
			return append(errcode.Errors{refused}, list...)
		}
	}
	err := rules.bodyError(resp)
	var unread *ResponseError
	if errors.As(err, &unread) && resp.StatusCode == http.StatusUnauthorized {
		return rules.Codes.New("UNAUTHORIZED", unread.Body) // P-253
	}
	return err
}

// challengeError is the error that a challenge names.
func challengeError(resp *http.Response, rules ErrorRules) (error, bool) { //nolint:revive // the error is the result
	for _, c := range challengesOf(resp) {
		var refused errcode.Error
		switch {
		case c.scheme != "bearer":
			continue
		case c.params["error"] == "invalid_token":
			refused = rules.Codes.New("UNAUTHORIZED", nil)
		case c.params["error"] == "insufficient_scope":
			refused = rules.Codes.New("DENIED", nil)
		default:
			continue
		}
		if text := c.params["error_description"]; text != "" {
			refused.Message = text
		}
		return refused, true
	}
	return nil, false
}

// errorLimit is how much of an error's body is read. Docker reads all of it; no
// registry's error is so long, and one that never ends must not fill the memory.
const errorLimit = 1 << 20

// bodyError reads the error from a body.
func (r ErrorRules) bodyError(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, errorLimit))
	if err != nil {
		return err
	}
	if r.PlainBodies {
		if err := r.plainError(resp, body); err != nil {
			return err
		}
	}
	var details struct {
		Details string `json:"details"`
	}
	if r.Details != nil && json.Unmarshal(body, &details) == nil && details.Details != "" {
		return r.saying(resp.StatusCode, details.Details)
	}
	list, err := r.Codes.Decode(body)
	if err == nil && len(list) == 0 && !r.EmptyLists {
		err = errNoErrors
	}
	if err != nil {
		return &ResponseError{Code: resp.StatusCode, Body: body, Err: err, text: fmt.Sprintf(r.Unread, resp.StatusCode, err, body)}
	}
	for i, e := range list {
		if code, bare := e.(errcode.ErrorCode); bare && r.Spoken { //nolint:errorlint // an element, not a wrapped one
			list[i] = errcode.Spoken(code)
		}
	}
	return list
}

// plainError is the error of a body that is not said to be JSON; nil when it is.
func (r ErrorRules) plainError(resp *http.Response, body []byte) error {
	said := resp.Header.Get("Content-Type")
	if said == "" {
		return r.saying(resp.StatusCode, string(body))
	}
	media, _, err := mime.ParseMediaType(said)
	switch {
	case err != nil:
		return fmt.Errorf("failed parsing content-type: %w", err)
	case media != "application/json" && media != "application/vnd.api+json":
		return r.saying(resp.StatusCode, string(body))
	}
	return nil
}

// saying is the error of a status with a message of its own.
func (r ErrorRules) saying(status int, message string) error {
	code, ok := r.Details[status]
	if !ok {
		code = errcode.Unknown
	}
	return errcode.Error{Code: code, Message: message}
}
