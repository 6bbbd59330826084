package fakeregistry

import (
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Fault disturbs some of the requests that On selects. It is data; counting
// and chance belong to the server's injector.
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
	Ops       []wire.Pattern // operations, or globs over them; an answer part selects by what next answered
	Host      string
	Repo      string
	Tag       string
	Digest    digest.Digest
	MediaType string
	Header    string // "Name" or "Name: value"
	Path      string // regular expression
	Method    string
}

// A Trigger says which of the matching requests a fault strikes. The zero
// Trigger is every one.
type Trigger struct {
	Nth        int     // only the nth matching request, from 1
	Times      int     // at most so many
	Every      int     // each nth
	Chance     float64 // 0 < p <= 1; 0 is certainty
	Per        string  // scope of the counts: "run" (default), "connection", "digest", "repository"
	AfterEvent string  // not before that event or operation was seen ("upload.put", "restart")
	Until      string  // not after it
	Optional   bool    // need not fire
}

// An Effect is what happens instead of, before, or after next. It holds no state.
type Effect interface {
	Disturb(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// A Firing is one time that a fault struck.
type Firing struct {
	Fault string
	Index int // of the fault in the list
	Op    wire.Op
	Link  string // the client's end of the connection
	At    time.Time
	// Done says whether the registry did what was asked before or although the
	// fault struck: commit-lost and respond look alike on the wire and differ here.
	Done bool
}

// A Seam is where a kind of fault takes hold.
type Seam int

// The seams. In front of a registry of somebody else's only the first two exist.
const (
	SeamConn    Seam = iota + 1 // before HTTP: connections, TLS
	SeamRequest                 // after the request was parsed
	SeamStorage                 // inside the registry
)

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
	// Args: the value given, or its default.
	New func(Args) (Effect, error)
}

// A Param is one parameter of a fault.
type Param struct {
	Name    string
	Type    ParamType
	Default any      // of the Go type that ParamType names; nil when there is none
	Values  []string // of an enumeration
	Doc     string
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
	ParamStatus                        // int64, 100 to 599
	ParamStrings                       // []string
	ParamMap                           // map[string]string
)

// Args are a fault's parameters, decoded.
type Args map[string]any

// Kinds is the catalogue, in the order of the documentation.
func Kinds() []Kind { return nil }

// KindOf finds an entry of the catalogue.
func KindOf(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}
