// Package recording reads and writes recordings: what a client sent, what it was
// answered and what it told its user, as files that a person can read.
//
// # The form, version 1
//
// A recording is a folder of scenarios, a scenario a folder of steps. The steps of
// a scenario share the client's state and are played in the order of their names,
// numbers in them counted as numbers. A step is three files:
//
//	NAME.json    what was asked of the client and how it ended: Step
//	NAME.jsonl   what was on the wire, one Exchange a line, in the order of beginning
//	NAME.stdout  what the client told its user, byte for byte
//
// Everything that differs from run to run, or must not be seen, is a word in
// capitals: HOST for the registry's address, UUID and STATE for an upload
// session's, TOKEN, COOKIE, SIG, DATE, KERNEL, EPHEMERAL; PASSWORD for a password,
// before it is encoded; in a schema 1 manifest SIGNATURE, PROTECTED, X, Y and KID,
// and then the digest of the body is VARIES(signature).
//
// The version stands in NAME.json as "format"; none means 1. A key that is not
// known there is an error, one within a fault or an exchange is kept as Unknown.
package recording

import (
	"encoding/json"
	"time"
)

// Format is the version of the form that this package writes and the newest that
// it reads.
const Format = 1

// The words that stand for what differs from run to run.
const (
	Host      = "HOST"
	Ephemeral = "EPHEMERAL"         // a client's port
	Varies    = "VARIES(signature)" // the digest of a body with a signature in it
)

// A Scenario is the steps of one folder, in the order in which they are played.
type Scenario struct {
	Name  string // of the folder
	Dir   string
	Steps []*Step
}

// A Step is one use of a client: a push, or several at once or in turn.
type Step struct {
	Format   int    `json:"format,omitempty"`
	Client   string `json:"client"` // "docker-1.8.3"
	Scenario string `json:"scenario"`
	Name     string `json:"step"`
	// Note is for people. Nothing is derived from it.
	Note  string `json:"note"`
	Input Input  `json:"input"`
	// Scheme is what the registry's port spoke, "http" or "https"; "" is not known.
	Scheme string `json:"scheme,omitempty"`

	Exit     int      `json:"exit"`    // 0 when the last push succeeded
	UsedV1   bool     `json:"used_v1"` // something was asked under /v1/
	Requests int      `json:"requests"`
	Sequence []string `json:"sequence"` // for people
	// Error is the text of the error that ended it; "" for none.
	Error  string  `json:"error"`
	Final  string  `json:"final"` // for people
	Faults []Fault `json:"faults"`

	Exchanges []Exchange `json:"-"` // NAME.jsonl
	Stream    []byte     `json:"-"` // NAME.stdout
	Path      string     `json:"-"` // of NAME.json
	// Unreadable is why a step that Find came upon could not be read; the rest is
	// not to be relied on then. Nil otherwise.
	Unreadable error `json:"-"`
}

// An Input is what was asked of the client.
type Input struct {
	Name string `json:"name,omitempty"` // of the repository, "HOST/lib/app"
	Tag  string `json:"tag,omitempty"`  // "" is every tag
	User string `json:"user,omitempty"`
	Pass string `json:"pass,omitempty"`
	// Meta is a header that the caller of the API wants on every request,
	// "Foo=bar" for X-Meta-Foo: bar.
	Meta   string `json:"meta,omitempty"`
	Secure bool   `json:"secure,omitempty"` // the registry does not count as insecure
	V2Only bool   `json:"v2only,omitempty"` // --disable-legacy-registry
	Repeat Count  `json:"repeat,omitempty"` // pushes one after the other; 0 is one
	// Concurrent is how many pushes begin at once; 0 is one.
	Concurrent Count    `json:"concurrent,omitempty"`
	Argv       []string `json:"argv,omitempty"` // of a client that was run as a command
}

// A Fault is what the recording proxy did to some requests. An exchange names the
// one that struck it; what it did shows in the exchange, but for the delay.
type Fault struct {
	Name    string `json:"name"`
	DelayMS int    `json:"delay_ms,omitempty"` // before the answer
	// Unknown are the other members, which nothing here needs.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Delay is how long the answers are held back that the fault strikes.
func (f Fault) Delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// Events that are no request. Any other is unknown.
const (
	EventPlainHello = "tls-client-hello-on-plain-port" // an https attempt at a plain port
	EventNoRequest  = "conn-without-request"           // a connection that asked nothing
)

// An Exchange is one request and what came back, or an event.
type Exchange struct {
	Seq   int    `json:"seq"`
	Conn  int    `json:"conn"` // number of the TCP connection
	Event string `json:"event,omitempty"`

	Method     string   `json:"method,omitempty"`
	Path       string   `json:"path,omitempty"` // with the query
	Proto      string   `json:"proto,omitempty"`
	ReqHeaders []string `json:"req_headers,omitempty"` // "Name: value", in wire order
	ReqLen     int64    `json:"req_len"`               // body bytes, without chunk framing
	ReqSHA256  string   `json:"req_sha256,omitempty"`  // hex, or Varies; "" when there was no body or it was cut off
	ReqBody    string   `json:"req_body,omitempty"`

	Rule        string   `json:"rule,omitempty"`         // name of the fault that struck
	Status      int      `json:"status,omitempty"`       // 0 when there was no answer
	RespHeaders []string `json:"resp_headers,omitempty"` // sorted
	// RespLen is negative where the body had to be changed to be kept.
	RespLen    int64  `json:"resp_len"`
	RespSHA256 string `json:"resp_sha256,omitempty"`
	RespBody   string `json:"resp_body,omitempty"`
	// Err is what the proxy did or saw: "recorder reset the connection after …".
	Err string `json:"err,omitempty"`

	// Unknown are members that are not known here, by name.
	Unknown map[string]json.RawMessage `json:"-"`
}

// String is the request or the event, as messages name it.
func (e Exchange) String() string {
	if e.Event != "" {
		return "[" + e.Event + "]"
	}
	return e.Method + " " + e.Path
}

// Delay is how long the answer to e was held back.
func (s *Step) Delay(e Exchange) time.Duration {
	if e.Rule == "" {
		return 0
	}
	for _, f := range s.Faults {
		if f.Name == e.Rule {
			return f.Delay()
		}
	}
	return 0
}
