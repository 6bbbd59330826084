package fakeregistry

import (
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// Names of internal/wire that appear in this package's API.
type (
	// An Op is one operation of the registry protocols.
	Op = wire.Op
	// A Pattern selects requests by operation and, optionally, by answer.
	Pattern = wire.Pattern
	// An Exchange is one request and what came back.
	Exchange = wire.Exchange
	// A Trace is exchanges in the order in which they began.
	Trace = wire.Trace
)

// A Fault disturbs some of the requests that On selects. It is data; counting
// and chance belong to the server's injector. NewFault makes one from the
// catalogue; an Effect of one's own needs no catalogue.
//
// On one request, faults get along by the Class of their effects: those that
// slow it down, and those that happen beside it, all strike; of those that break
// its connection the first in the list strikes, and of those that change its
// answer the first. A fault that was due and came second is due again at the
// next request that it matches. From the wire inwards they take hold in the
// order slow down, break, beside, answer.
type Fault struct {
	Name   string // of its Kind: "reset"
	On     Match
	When   Trigger
	Effect Effect
	// Source is where it was written ("fallback.yaml:9:5"), for messages; may be "".
	Source string
}

// A Match selects requests. Empty fields match everything.
type Match struct {
	// Ops are operations, or globs over them. One with an answer part selects by
	// what the registry answered: such a fault strikes after the registry did what
	// was asked, and can only change or lose the answer.
	Ops  []wire.Pattern
	Host string // the request's Host, or the address dialled, with or without its port
	Repo string // a repository, or a glob over names as path.Match has it
	Tag  string
	// Digest is of the blob or manifest that the request names, or of the content
	// that an upload begins with where the server knows it: see Config.Contents.
	Digest digest.Digest
	// MediaType is the request's Content-Type without parameters, or one of the
	// words schema1, schema2, list, oci, index.
	MediaType string
	Header    string // "Name" or "Name: value", where * stands for anything
	Path      string // regular expression
	Method    string
}

// A Trigger says which of the matching requests a fault strikes. The zero
// Trigger is every one. All that is set must hold.
type Trigger struct {
	Nth    int     // only the nth matching request, from 1
	Times  int     // at most so many
	Every  int     // each nth
	Chance float64 // 0 < p <= 1; 0 is certainty
	// Per is the scope of the counts: "run" (""), "connection", "digest", "repository".
	// A server that has seen more than 4096 of them may count one anew that it has not
	// seen since; so it does with the streams of Chance, which are by digest.
	Per string
	// AfterEvent is an operation, with or without an answer ("upload.put@201"), or
	// the name of an event or fault ("restart"). Requests before the first of them
	// has ended do not count.
	AfterEvent string
	Until      string // likewise: nothing counts after it has ended
	Optional   bool   // need not fire
}

// An Effect is what happens instead of, before, or after next. It holds no state.
// It may be called from many goroutines at once.
type Effect interface {
	Disturb(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// A Class says how an effect gets along with others on one request: see Fault.
type Class int

// The classes.
const (
	ClassAnswer Class = iota // changes or replaces the answer; an Effect that does not say is of this class
	ClassBreak               // breaks the connection
	ClassPace                // slows things down
	ClassBeside              // something happens beside the request, which goes on
)

// A Classed effect is not of ClassAnswer.
type Classed interface {
	Effect
	Class() Class
}

// A Firing is one time that a fault struck.
type Firing struct {
	Fault string
	Index int // of the fault in the list
	Op    wire.Op
	// Link is the client's end of the connection; "" when there was none: an event,
	// a refused connection.
	Link string
	At   time.Time
	// Done says whether the registry did what was asked before or although the
	// fault struck: commit-lost and respond look alike on the wire and differ here.
	Done bool
	// Digest is what the request was about, as far as it was known; "" when it was not.
	Digest digest.Digest
	// Nth says which it was, from 1, of the requests of Op, and of Digest where that
	// is known, that the fault selected: a fault of this name with this Trigger.Nth
	// strikes the same request of the same course.
	Nth int
	// Again says that it struck because an earlier firing told it to go on for a
	// while, not because it was due.
	Again bool
}

// A Seam is where a kind of fault takes hold.
type Seam int

// The seams. In front of a registry of somebody else's only the first two exist.
const (
	SeamConn    Seam = iota + 1 // before HTTP: connections, TLS
	SeamRequest                 // after the request was parsed
	SeamStorage                 // inside the registry
)

// String is one word.
func (s Seam) String() string { return [...]string{"", "conn", "request", "storage"}[s] }

// A Kind is one entry of the catalogue of faults. explain, completion, the
// scenario decoder and the documentation are made from it.
type Kind struct {
	Name   string
	Layer  string   // "tcp", "headers", "auth", …
	Where  []string // where it usually strikes, as patterns; also its default place
	Params []Param
	Seam   Seam
	Doc    string // the real failure it stands for, one or two sentences
	// New makes the effect from decoded arguments. Every Param has an entry in
	// Args: the value given, or its default. See Make.
	New func(Args) (Effect, error)
}

// A Param is one parameter of a fault.
type Param struct {
	Name    string
	Type    ParamType
	Default any      // of the Go type that ParamType names; nil when there is none
	Values  []string // of an enumeration; of a status, those usual
	Doc     string
	// Low and High are the least and the greatest value, in the unit of Type; both
	// zero are those of the type. See Bounds.
	Low, High int64
	Ends      bool      // of a time: ∞ is not taken
	Form      ParamForm // of a text
}

// A ParamType says how a parameter is written and which Go type it decodes to.
type ParamType int

// The parameter types.
const (
	ParamString   ParamType = iota + 1 // string
	ParamInt                           // int64
	ParamSize                          // int64, bytes: "1MiB", "64 KiB", 4096
	ParamDuration                      // time.Duration: "5s"; "∞" is a negative duration
	ParamRate                          // int64, bytes per second: "30KiB/s"
	ParamBool                          // bool
	ParamEnum                          // string, one of Values
	ParamStatus                        // int64, 200 to 599
	ParamStrings                       // []string
	ParamMap                           // map[string]string
	ParamDigests                       // []digest.Digest: one or several digests or, in scenarios, content names
)

// Args are a fault's parameters, decoded.
type Args map[string]any
