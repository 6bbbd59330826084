package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An AnswerError is an answer that best could not go on from.
type AnswerError struct {
	Request string // "PUT http://127.0.0.1:5000/v2/lib/app/manifests/v1"
	Code    int    // HTTP status
	Codes   []string
	Text    string // of the registry, shortened; "" when it said nothing
	Tries   int    // how often it was asked
}

// Error implements error.
func (e *AnswerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d %s", e.Request, e.Code, http.StatusText(e.Code))
	if len(e.Codes) > 0 {
		b.WriteString(": " + strings.Join(e.Codes, ", "))
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (asked %d times)", e.Tries)
	}
	return b.String()
}

// A bestError is an error of the connection or of what was expected of it.
type bestError struct {
	request string
	err     error
}

func (e *bestError) Error() string { return e.request + ": " + e.err.Error() }

func (e *bestError) Unwrap() error { return e.err }

// The errors after which best does not try again.
var (
	errOften = errors.New("it was sent 6 times in this push and is given up")
	errLocal = errors.New("the local image cannot be read")
)

// finalCodes are refusals that asking again does not change.
var finalCodes = []string{"DENIED", "UNSUPPORTED", "NAME_INVALID", "MANIFEST_UNVERIFIED"}

// An answer is what came back, with its body at hand.
type answer struct {
	status  int
	header  http.Header
	body    []byte // at most bestErrorBody bytes
	request string
	address string // what answered, after redirects
	codes   []string
	text    string
	tries   int
	// renewed says that a new token is at hand and the request, which had a body
	// that cannot be sent twice, was not repeated.
	renewed bool
}

func (a *answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// has tells whether the registry named one of the codes.
func (a *answer) has(codes ...string) bool {
	return slices.ContainsFunc(a.codes, func(c string) bool { return slices.Contains(codes, c) })
}

// passing tells whether the same request may be answered better later.
func (a *answer) passing() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return a.status >= 500 || !a.has(finalCodes...)
	}
	return false
}

// err is the answer as an error.
func (a *answer) err() error {
	return &AnswerError{Request: a.request, Code: a.status, Codes: a.codes, Text: a.text, Tries: a.tries}
}

// read takes the registry's own words out of the body.
func (a *answer) read() {
	if a.status < 400 {
		return
	}
	var said struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(a.body, &said) != nil {
		a.text = shortened(string(a.body))
		return
	}
	var texts []string
	for _, e := range said.Errors {
		if code := shortened(e.Code); code != "" && !slices.Contains(a.codes, code) {
			a.codes = append(a.codes, code)
		}
		if e.Message != "" {
			texts = append(texts, e.Message)
		}
	}
	a.text = shortened(strings.Join(texts, "; "))
}

// shortened is one line of at most 200 printable characters.
func shortened(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}

// retryAfter reads Retry-After in both of its forms (RFC 9110, section 10.2.3).
// now is for answers without a date of their own.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(value); err == nil {
		return min(time.Duration(max(n, 0)), 1<<30) * time.Second, n > 0
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if said, err := http.ParseTime(h.Get("Date")); err == nil {
		now = said
	}
	wait := date.Sub(now)
	return wait, wait > 0
}
