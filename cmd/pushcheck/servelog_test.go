package main

import (
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestTheLogOfServeCommandsNoTerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := &exchangeLog{w: &out, ready: true}
	log.show(wire.Exchange{Seq: 1, Route: wire.Route{Op: wire.OpOther, Repository: "a\x1b[2J", Tag: "v\n#2 forged"}})
	got := out.String()
	if strings.Count(got, "\n") != 1 || strings.ContainsRune(got, '\x1b') || !strings.Contains(got, `a\x1b[2J:v\n#2 forged`) {
		t.Errorf("the log is %q", got)
	}
}
