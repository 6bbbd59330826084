// Package errcode decodes the error bodies of the V2 protocol with the words of
// docker's own client: a dialect says which codes that client knows.
package errcode

import (
	"encoding/json"
	"strings"
)

// An ErrorCode is the identifier of an error as the wire has it
// ("MANIFEST_INVALID").
type ErrorCode string

// Unknown is what every code outside a dialect becomes (P-257).
const Unknown ErrorCode = "UNKNOWN"

// Error implements error: the identifier as it is (P-251).
func (c ErrorCode) Error() string { return string(c) }

// words is the code as it stands before a message.
func (c ErrorCode) words() string { return strings.ToLower(strings.ReplaceAll(string(c), "_", " ")) }

// An Error is one error with its message. The names of this type and of its
// fields show in the texts of encoding/json, and so do docker's.
type Error struct {
	Code    ErrorCode `json:"code"`
	Message string    `json:"message"`
	Detail  any       `json:"detail,omitempty"`
}

// Error implements error (P-251).
func (e Error) Error() string { return e.Code.words() + ": " + e.Message }

// Is reports whether target is the bare code of e, so that errors.Is finds a
// code whether or not the registry sent a message with it.
func (e Error) Is(target error) bool {
	code, ok := target.(ErrorCode) //nolint:errorlint // an exact value, not a wrapped one
	return ok && code == e.Code
}

// Errors are the errors of one body, each an Error or, bare, an ErrorCode. An
// empty list is an error all the same (P-254).
type Errors []error

// Error implements error (P-251).
func (es Errors) Error() string {
	switch len(es) {
	case 0:
		return "<nil>"
	case 1:
		return es[0].Error()
	}
	var b strings.Builder
	b.WriteString("errors:\n")
	for _, e := range es {
		b.WriteString(e.Error() + "\n")
	}
	return b.String()
}

// Unwrap gives the errors to errors.Is and errors.As.
func (es Errors) Unwrap() []error { return es }

// A Dialect is the codes that a client knows, with its own message for each.
type Dialect map[ErrorCode]string

// New is the full error of a code with the dialect's own message and a detail.
func (d Dialect) New(code ErrorCode, detail any) Error {
	return Error{Code: code, Message: d[code], Detail: detail}
}

// Decode reads a body. A code outside d becomes Unknown; an error without detail
// whose message is empty or d's own becomes the bare code (P-250).
//
// Errors: encoding/json's, in its words, when the body is not of the form.
func (d Dialect) Decode(body []byte) (Errors, error) {
	var list struct{ Errors []Error }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	var es Errors
	for _, e := range list.Errors {
		if _, known := d[e.Code]; !known {
			e.Code = Unknown
		}
		if e.Detail == nil && (e.Message == "" || e.Message == d[e.Code]) {
			es = append(es, e.Code)
			continue
		}
		es = append(es, e)
	}
	return es, nil
}

// A Spoken is a bare code that is said in words, as dockers since 1.10 do (P-251).
type Spoken ErrorCode

// Error implements error.
func (c Spoken) Error() string { return ErrorCode(c).words() }

// Is reports whether target is the code itself.
func (c Spoken) Is(target error) bool {
	code, ok := target.(ErrorCode) //nolint:errorlint // an exact value, not a wrapped one
	return ok && code == ErrorCode(c)
}
