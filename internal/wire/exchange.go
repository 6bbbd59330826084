package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
)

// An Exchange is one request and what came back, as seen from where it was
// recorded. It is a value: nothing in it is shared with the running push.
type Exchange struct {
	Seq int // order in which requests began, from 1
	// Until is the Seq of the youngest exchange that had begun when this one ended:
	// those between ran beside it. 0 while it is open. Not part of a trace's text form.
	Until int
	Conn  int // number of the connection in the trace, from 1; 0 when none was opened
	// Link is the client's end of the connection ("127.0.0.1:40312"). It is the same
	// on both sides and ties a client-side exchange to a server-side one. It is
	// not part of a trace's text form.
	Link     string
	Route    Route
	Request  Request
	Response Response
	Fault    string        // names of the faults that struck, comma-separated; "" for none
	Failure  Failure       // why there is no (complete) answer; FailureNone when there is one
	Err      string        // the error as the recording side saw it; "" for none
	At       time.Duration // when it began, since the trace began, by the trace's clock
	Elapsed  time.Duration // how long it took, by the trace's clock
	// Open says that the exchange was still under way when the trace was taken.
	Open bool
}

// Event is what the bench did, for an exchange of OpEvent; "" for others.
func (e Exchange) Event() string {
	if e.Route.Op != OpEvent {
		return ""
	}
	return e.Request.Target
}

// clone shares nothing with e.
func (e Exchange) clone() Exchange {
	e.Request.Header, e.Response.Header = e.Request.Header.Clone(), e.Response.Header.Clone()
	e.Request.Body.Head, e.Response.Body.Head = bytes.Clone(e.Request.Body.Head), bytes.Clone(e.Response.Body.Head)
	return e
}

// A Route says what a request is, parsed once from method and URL. See ParseRoute.
type Route struct {
	Op         Op
	Repository string        // "library/hello"; "" where the operation has none
	Digest     digest.Digest // of a blob, or of a manifest addressed by digest; also ?digest= and ?mount=
	Tag        string        // of a manifest or a V1 tag
	Session    string        // an upload session, as the path names it
	From       string        // ?from= of a mount
	ImageID    string        // V1
}

// A Request is the asking half of an exchange.
type Request struct {
	Method string
	Scheme string // "http" or "https"
	Host   string
	Target string // path and query as sent
	Header http.Header
	Body   Body
}

// A Response is the answering half of an exchange. Status is 0 when none came.
type Response struct {
	Status int
	Header http.Header
	Body   Body
}

// A Body is what is kept of a request or response body: never the whole.
type Body struct {
	Length int64         // bytes that passed the recorder
	Digest digest.Digest // of those bytes; "" when Length is 0
	Head   []byte        // at most HeadLimit bytes from the start, kept for JSON and text only
	// Cut says that the recording side stopped reading before the end: it closed
	// the body early, or did not look at it.
	Cut bool
}

// HeadLimit is how many bytes of a textual body an exchange keeps.
const HeadLimit = 4096

// A Failure names why an exchange has no complete answer.
type Failure int

// The failures, as a recorder tells them apart. Which one a broken connection
// shows as can depend on the kernel; see Exchange.Err for the exact words.
const (
	FailureNone      Failure = iota
	FailureRefused           // nobody listened
	FailureReset             // the connection was reset
	FailureClosed            // the connection was closed early: EOF, unexpected EOF, broken pipe
	FailureTimeout           // a time limit ended it
	FailureTLS               // the TLS handshake did not succeed
	FailureDNS               // the host's name could not be resolved
	FailureCancelled         // the caller gave up
	FailureOther             // anything else, such as a malformed answer
)

var failureText = [...]string{"", "refused", "reset", "closed", "timeout", "tls", "dns", "cancelled", "other"}

// String is the word that scenario files use, "" for FailureNone.
func (f Failure) String() string {
	if f < 0 || int(f) >= len(failureText) {
		return FailureOther.String()
	}
	return failureText[f]
}

func parseFailure(s string) (Failure, bool) {
	for i, t := range failureText {
		if t != "" && t == s {
			return Failure(i), true
		}
	}
	return FailureNone, false
}

// FailureNames are the words for how an exchange can fail, as an answer in a
// Pattern has them. The slice is the caller's.
func FailureNames() []string { return append([]string(nil), failureText[1:]...) }

// Answer is the status in digits, or the failure's word when there is none.
func (e Exchange) Answer() string {
	if e.Response.Status == 0 {
		return e.Failure.String()
	}
	return strconv.Itoa(e.Response.Status)
}

// A Trace is the exchanges of one run in the order in which they began.
type Trace []Exchange
