// Package report is one model of what a run found, and the writers that show it:
// text for people, JSON for programs, JUnit for CI.
package report

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An Outcome is how one scenario or check ended.
type Outcome int

// The outcomes. Fail says "I found a problem", Broken "I could not look".
const (
	Pass Outcome = iota
	Warn
	Known // failed as a known deviation says
	Skipped
	Fail
	Broken
)

var outcomeText = [...]string{"pass", "warn", "known", "skip", "fail", "broken"}

// String is the outcome's word in every report.
func (o Outcome) String() string { return outcomeText[o] }

// A Position is a place in a file: what a message points at. Line and Column
// count from 1; Column counts characters.
type Position struct {
	File         string
	Line, Column int
	Length       int // characters to underline; 0 underlines one
}

// A Result is one scenario, with one client and one seed, run once.
type Result struct {
	ID       string // "auth/basic/wrong-password", with "@client" when a file names several
	Title    string // the sentence that is true when it passes
	Position Position
	Client   string
	Seed     uint64
	Outcome  Outcome
	Because  string // why it was skipped, is known, or is broken
	Need     string // what a skipped one lacks, in a word: "docker", "resume"; may be ""
	Failures []Failure
	// Trace is the wire as it was: not scrubbed, with the faults that struck.
	Trace wire.Trace
	// LastPush is the Seq in Trace of the first exchange of the last push; 0 when there
	// was none.
	LastPush int
	// Names are what the scenario calls its content: digest → "layer1", "config". A
	// V1 image ID counts as the digest "sha256:<id>".
	Names map[digest.Digest]string
	// Invariants are the standing invariants that were checked, in order.
	Invariants []Invariant
	Fired      []Count // how often each declared fault struck
	Ending     string  // what the client said last: "pushed" or its error
	// Said is what the client told its user, a line each, in order. It may be cut
	// short, and then says so.
	Said []string
	// Held is what the registry held when the last push had ended.
	Held    []Holding
	Elapsed time.Duration // real time
	Virtual time.Duration // the scenario's own time
	Again   string        // the command that runs it again
	// Files are what the run left for a closer look, by path.
	Files []string
	// Secrets are strings that must stand in no report; see Run.
	Secrets []string `json:"-"`
}

// A Failure is one expectation or invariant that did not hold.
type Failure struct {
	Name     string // "expect.wire[3]", "invariant truth"
	Message  string // "token after upload.put@401 did not happen"
	Note     string // beside the caret: "the push ended instead"
	Position Position
	// Source is the text of the line at Position, for the excerpt.
	Source string
	// After is the Seq of the exchange after which the expected thing was missing,
	// or the Seq of the exchange that should not be; 0 when it is about none.
	After    int
	Expected string // "token → 200": shown inside the folded wire; may be ""
}

// An Invariant is the verdict on one standing invariant.
type Invariant struct {
	Name   string
	Holds  bool
	Waived string // the reason it was waived, or the era's known deviation
	Detail string // what broke it
}

// A Holding is one thing that a registry was asked for after a push.
type Holding struct {
	What string // "team/app:v1", "layer1", "open uploads"
	Is   string // "schema2 3f2c…, whole", "intact", "absent", "0"
}

// A Count says how often a fault struck.
type Count struct {
	Fault string
	Times int
}
