package pusher

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// The errors of the blob protocol that have no code on the wire (P-260).
var (
	ErrBlobUnknown       = errors.New("unknown blob")
	ErrBlobUploadUnknown = errors.New("blob upload unknown")
)

// A StatusError is an answer outside 400 to 499 that was not a success (P-256).
type StatusError struct {
	Code   int
	Status string // as the registry worded it: "503 Service Unavailable"
}

// Error implements error.
func (e *StatusError) Error() string { return "Received unexpected HTTP status: " + e.Status }

// A ResponseError is an answer of 400 to 499 whose body is not a list of errors
// (P-252).
type ResponseError struct {
	Code int    // HTTP status
	Body []byte // as received
	Err  error  // encoding/json's
}

// Error implements error.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("Error parsing HTTP response: %s: %q", e.Err, e.Body)
}

// Unwrap gives encoding/json's error.
func (e *ResponseError) Unwrap() error { return e.Err }

// success is what docker 1.8 takes for one, redirects that were not followed
// included (P-201).
func success(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode <= 399 }

// responseError is the error of an answer that was not a success (P-250 to
// P-256). It reads the body only where docker does.
func responseError(resp *http.Response, codes errcode.Dialect) error {
	if resp.StatusCode < 400 || resp.StatusCode > 499 {
		return &StatusError{Code: resp.StatusCode, Status: resp.Status}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	list, err := codes.Decode(body)
	if err == nil {
		return list
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return codes.New("UNAUTHORIZED", body) // P-253
	}
	return &ResponseError{Code: resp.StatusCode, Body: body, Err: err}
}
