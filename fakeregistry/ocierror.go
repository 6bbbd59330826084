package fakeregistry

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// A Code is an error code of the V2 protocol (OCI distribution-spec 1.1, "Error
// Codes"; those it does not list are distribution's).
type Code string

// The codes, each with the status and message that distribution gives it (P-325,
// P-326).
const (
	CodeUnknown             Code = "UNKNOWN"
	CodeUnsupported         Code = "UNSUPPORTED"
	CodeUnauthorized        Code = "UNAUTHORIZED"
	CodeDenied              Code = "DENIED"
	CodeUnavailable         Code = "UNAVAILABLE"
	CodeTooManyRequests     Code = "TOOMANYREQUESTS"
	CodeDigestInvalid       Code = "DIGEST_INVALID"
	CodeSizeInvalid         Code = "SIZE_INVALID"
	CodeRangeInvalid        Code = "RANGE_INVALID"
	CodeNameInvalid         Code = "NAME_INVALID"
	CodeTagInvalid          Code = "TAG_INVALID"
	CodeNameUnknown         Code = "NAME_UNKNOWN"
	CodeManifestUnknown     Code = "MANIFEST_UNKNOWN"
	CodeManifestInvalid     Code = "MANIFEST_INVALID"
	CodeManifestUnverified  Code = "MANIFEST_UNVERIFIED"
	CodeManifestBlobUnknown Code = "MANIFEST_BLOB_UNKNOWN"
	CodeBlobUnknown         Code = "BLOB_UNKNOWN"
	CodeBlobUploadUnknown   Code = "BLOB_UPLOAD_UNKNOWN"
	CodeBlobUploadInvalid   Code = "BLOB_UPLOAD_INVALID"
	CodePaginationInvalid   Code = "PAGINATION_NUMBER_INVALID"
)

var codes = [...]struct {
	code    Code
	status  int
	message string
}{
	{CodeUnknown, 500, "unknown error"},
	{CodeUnsupported, 405, "The operation is unsupported."},
	{CodeUnauthorized, 401, "authentication required"},
	{CodeDenied, 403, "requested access to the resource is denied"},
	{CodeUnavailable, 503, "service unavailable"},
	{CodeTooManyRequests, 429, "too many requests"},
	{CodeDigestInvalid, 400, "provided digest did not match uploaded content"},
	{CodeSizeInvalid, 400, "provided length did not match content length"},
	{CodeRangeInvalid, 416, "invalid content range"},
	{CodeNameInvalid, 400, "invalid repository name"},
	{CodeTagInvalid, 400, "manifest tag did not match URI"},
	{CodeNameUnknown, 404, "repository name not known to registry"},
	{CodeManifestUnknown, 404, "manifest unknown"},
	{CodeManifestInvalid, 400, "manifest invalid"},
	{CodeManifestUnverified, 400, "manifest failed signature verification"},
	{CodeManifestBlobUnknown, 400, "blob unknown to registry"},
	{CodeBlobUnknown, 404, "blob unknown to registry"},
	{CodeBlobUploadUnknown, 404, "blob upload unknown to registry"},
	{CodeBlobUploadInvalid, 404, "blob upload invalid"},
	{CodePaginationInvalid, 400, "invalid number of results requested"},
}

// Codes lists every code, in the order of the documentation.
func Codes() []Code {
	list := make([]Code, len(codes))
	for i, c := range codes {
		list[i] = c.code
	}
	return list
}

// Status is the HTTP status that goes with the code; 500 for one that is not in
// Codes.
func (c Code) Status() int {
	for _, known := range codes {
		if known.code == c {
			return known.status
		}
	}
	return http.StatusInternalServerError
}

// Message is the code's usual message, "" for one that is not in Codes.
func (c Code) Message() string {
	for _, known := range codes {
		if known.code == c {
			return known.message
		}
	}
	return ""
}

// An Error is one entry of the V2 protocol's error envelope. Errors are equal
// for errors.Is when their codes are.
type Error struct {
	Code    Code
	Message string // "" is the code's usual one
	// Detail is encoded as JSON; an error becomes its text; nil is left out.
	Detail any
	Status int // 0 is the code's usual one
}

// Error is the code in words and the message, as docker prints it (P-251).
func (e *Error) Error() string {
	return strings.ToLower(strings.ReplaceAll(string(e.Code), "_", " ")) + ": " + e.message()
}

// Is compares codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error) //nolint:errorlint // errors.Is unwraps for us
	return ok && t.Code == e.Code
}

func (e *Error) message() string {
	if e.Message == "" {
		return e.Code.Message()
	}
	return e.Message
}

// With returns an error of the code with a detail.
func (c Code) With(detail any) *Error { return &Error{Code: c, Detail: detail} }

// Errors are several entries of one envelope; the first decides the status.
type Errors []error

func (e Errors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	var b strings.Builder
	b.WriteString("errors:\n")
	for _, one := range e {
		b.WriteString(one.Error() + "\n")
	}
	return b.String()
}

// Unwrap lists the errors.
func (e Errors) Unwrap() []error { return e }

type errorEntry struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

type errorEnvelope struct {
	Errors []errorEntry `json:"errors"`
}

// WriteError answers with err in the V2 protocol's envelope. An error that is
// neither *Error nor Errors becomes UNKNOWN with its text as detail; err nil is
// answered by an empty list and 500.
func WriteError(w http.ResponseWriter, err error) {
	var list Errors
	if !errors.As(err, &list) && err != nil {
		list = Errors{err}
	}
	status := http.StatusInternalServerError
	entries := make([]errorEntry, 0, len(list))
	for i, one := range list {
		var e *Error
		if !errors.As(one, &e) {
			e = CodeUnknown.With(one)
		}
		entry := errorEntry{Code: e.Code, Message: e.message(), Detail: e.Detail}
		if detail, ok := e.Detail.(error); ok {
			entry.Detail = detail.Error()
		}
		entries = append(entries, entry)
		if i > 0 {
			continue
		}
		if status = e.Status; status == 0 {
			status = e.Code.Status()
		}
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(errorEnvelope{entries}); err != nil {
		b.Reset()
		b.WriteString(`{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}` + "\n")
	}
	h := w.Header()
	h.Del("Content-Length") // of an answer that was not given after all
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
