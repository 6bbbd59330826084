package conformance

import (
	"strconv"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An Exchange is one request and what came back.
type Exchange = wire.Exchange

// A Word is how a check ended.
type Word string

// The words.
const (
	Pass        Word = "pass"
	Fail        Word = "fail"        // a Must is not met
	Warn        Word = "warn"        // a Should is not met
	Note        Word = "note"        // a May is not met
	Unsupported Word = "unsupported" // lawfully absent
	FellBack    Word = "fell-back"   // lawfully done another way
	Known       Word = "known"       // not met, as somebody knows who says why
	BlockedBy   Word = "blocked-by"  // another check failed, without which this one tells nothing
	Errored     Word = "error"       // it could not be seen
)

// Words are all words, in the order of reports.
func Words() []Word {
	return []Word{Pass, Fail, Warn, Note, Known, Unsupported, FellBack, BlockedBy, Errored}
}

// A Verdict is how one check ended.
type Verdict struct {
	Check     *Check
	Word      Word
	Reason    string // why it is not a pass; "" for a pass
	BlockedBy string // the ID of the check at the root of it
	Violation *Violation
	Known     *KnownDeviation // what is known of it; nil for nothing
	// Exchanges are the first forty of the check, as they were: not scrubbed.
	Exchanges wire.Trace
	Elapsed   time.Duration
	// Measured is what the check found besides, and does not judge.
	Measured []Measure
}

// A Measure is something that a check found and does not judge: a number with its
// unit, or a word.
type Measure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value,omitempty"`
	Unit  string  `json:"unit,omitempty"` // "ms", "MB/s", "requests"
	Text  string  `json:"text,omitempty"` // in place of a number
}

// String is the measure as reports show it: "push 3.2 ms".
func (m Measure) String() string {
	if m.Text != "" {
		return m.Name + " " + m.Text
	}
	return m.Name + " " + strconv.FormatFloat(m.Value, 'f', digitsOf(m.Value), 64) + " " + m.Unit
}

// digitsOf is how many digits after the point are worth showing.
func digitsOf(v float64) int {
	switch {
	case v == float64(int64(v)), v >= 100:
		return 0
	case v >= 1:
		return 1
	default:
		return 3
	}
}

// broken reports whether checks that require this one can tell nothing.
func (v *Verdict) broken() bool {
	switch v.Word {
	case Fail, Warn, Note, Known, BlockedBy, Errored, Unsupported:
		return true
	case Pass, FellBack:
	}
	return false
}

// wordOf is the word for what is not met at a level.
func wordOf(l Level) Word {
	switch l {
	case Must:
		return Fail
	case Should:
		return Warn
	default:
		return Note
	}
}
