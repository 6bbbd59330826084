package pusher

import "fmt"

// A Stage says how far an attempt got.
type Stage int

// The stages, in order.
const (
	StageConnect   Stage = iota // nothing that speaks the protocol was found
	StageAuthorize              // the registry answered; nothing was sent to it yet
	StageUpload                 // blobs or layers were under way
	StagePublish                // the manifest or the tag was under way, or everything was done
)

var stageText = [...]string{"connect", "authorize", "upload", "publish"}

// String is the word for the stage.
func (s Stage) String() string { return indexed(stageText[:], int(s)) }

// A Decision is what a Policy says about an endpoint.
type Decision int

// The decisions.
const (
	Try Decision = iota
	Skip
	Stop
)

var decisionText = [...]string{"try", "skip", "stop"}

// String is the word for the decision.
func (d Decision) String() string { return indexed(decisionText[:], int(d)) }

func indexed(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return fmt.Sprintf("%d", i)
	}
	return words[i]
}

// A Policy decides, before each endpoint, what the attempts so far mean for it.
// It is a pure function over history; no attempt in it succeeded.
type Policy func(history []Attempt, next Endpoint) Decision

// UntilConnected goes on to the next endpoint as long as none spoke the
// protocol: docker 1.8 and 1.9 (P-100, P-101).
func UntilConnected(history []Attempt, _ Endpoint) Decision {
	for _, a := range history {
		if !a.Skipped && a.Stage > StageConnect {
			return Stop
		}
	}
	return Try
}
