package conformance

import (
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
	BlockedBy   Word = "blocked-by"  // another check failed, without which this one tells nothing
	Errored     Word = "error"       // it could not be seen
)

// Words are all words, in the order of reports.
func Words() []Word {
	return []Word{Pass, Fail, Warn, Note, Unsupported, FellBack, BlockedBy, Errored}
}

// A Verdict is how one check ended.
type Verdict struct {
	Check     *Check
	Word      Word
	Reason    string // why it is not a pass; "" for a pass
	BlockedBy string // the ID of the check at the root of it
	Violation *Violation
	// Exchanges are the first forty of the check, as they were: not scrubbed.
	Exchanges wire.Trace
	Elapsed   time.Duration
}

// broken reports whether checks that require this one can tell nothing.
func (v *Verdict) broken() bool {
	switch v.Word {
	case Fail, Warn, Note, BlockedBy, Errored, Unsupported:
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
