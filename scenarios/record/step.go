package record

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// Complete fills in a step what follows from its exchanges, and scrubs it. hosts
// are the addresses that the word HOST stands for, secrets what must be hidden
// although nothing on the wire tells that it is secret.
func Complete(step *recording.Step, hosts, secrets []string) {
	recording.NewScrubber(hosts, secrets).Step(step)
	step.UsedV1, step.Requests, step.Sequence = false, 0, nil
	for _, e := range step.Exchanges {
		step.Sequence = append(step.Sequence, brief(e))
		if e.Event != "" {
			continue
		}
		step.Requests++
		step.UsedV1 = step.UsedV1 || strings.HasPrefix(e.Path, "/v1/")
	}
	if step.Faults == nil {
		step.Faults = []recording.Fault{}
	}
	if step.Sequence == nil {
		step.Sequence = []string{}
	}
}

// brief is an exchange on one line, as a person reads it.
func brief(e recording.Exchange) string {
	if e.Event != "" {
		return e.String()
	}
	line := e.Method + " " + shortHex(strings.ReplaceAll(e.Path, recording.State, "S")) + " -> "
	if e.Status == 0 {
		line += "no answer"
	} else {
		line += fmt.Sprint(e.Status)
	}
	if e.Rule != "" {
		line += " {rule " + e.Rule + "}"
	}
	return line
}

// shortHex puts a D in the place of every 64 hex digits.
func shortHex(path string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for path != "" {
		n := len(path) - len(strings.TrimLeft(path, hex))
		switch {
		case n == 64:
			b.WriteByte('D')
		case n > 0:
			b.WriteString(path[:n])
		default:
			n = 1
			b.WriteByte(path[0])
		}
		path = path[n:]
	}
	return b.String()
}
