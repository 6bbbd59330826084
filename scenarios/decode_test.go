package scenarios_test

import (
	"testing"

	"github.com/pushcheck/pushcheck/scenarios"
)

func TestX(t *testing.T) {
	src := "scenario: x\npush: a/b:v1\nexpct: {}\nfaults:\n  - reset: upload.patch\n    afer: 1MiB\n  - rset\n  - delay: {opp: upload.start, op: upload.strat}\n    by: 5\nexpect: {result: pushd, wire: [token: 200, {ping: 200, token: 3}, upload.put: 999, a: {status: 2}], count: {any: x}, waive: {truht: a}, cache: {layer3: known}}\n"
	_, err := scenarios.Decode("x.yaml", []byte(src))
	t.Log("\n" + err.Error())
}
