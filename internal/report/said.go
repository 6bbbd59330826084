package report

import (
	"fmt"
	"strings"
)

// How many lines of a client's output are shown: from its beginning, and its end.
const (
	saidHead = 20
	saidTail = 40
)

// said is what the client told its user, with its control characters shown and, where
// it is long, without its middle.
func (p painter) said(b *strings.Builder, r Result) {
	if len(r.Said) == 0 {
		return
	}
	fmt.Fprintf(b, "  the client said (%s)\n", lineCount(len(r.Said)))
	for i, line := range r.Said {
		left := len(r.Said) - saidHead - saidTail
		switch {
		case left > 1 && i == saidHead:
			b.WriteString("     " + p.paint(dim, "⋮ "+lineCount(left)+" left out") + "\n")
		case left > 1 && i > saidHead && i < saidHead+left:
		default:
			b.WriteString(strings.TrimRight("     "+p.paint(dim, "│")+" "+visible(line), " ") + "\n")
		}
	}
}

func lineCount(n int) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}
