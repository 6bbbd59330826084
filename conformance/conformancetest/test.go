// Package conformancetest runs the checks of package conformance as Go tests, for
// those who write a registry.
package conformancetest

import (
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/conformance"
)

// Known are deviations that a registry has for a reason: check ID → reason. One
// that is not there any more fails the test.
type Known map[string]string

// Test runs checks against a registry, each a subtest called after its ID. What
// breaks a MUST fails it, and so does what could not be seen; what breaks a
// SHOULD or MAY is logged. known may be nil.
//
// The registry must answer at target.URL until Test returns.
func Test(t *testing.T, target conformance.Target, o conformance.Options, known Known) {
	t.Helper()
	report, err := conformance.Run(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Verdicts {
		t.Run(v.Check.ID, func(t *testing.T) {
			t.Helper()
			reason, expected := known[v.Check.ID]
			broken := v.Violation != nil || v.Word == conformance.BlockedBy || v.Word == conformance.Errored
			switch {
			case expected && !broken:
				t.Errorf("is known to deviate (%s) and does not any more", reason)
			case expected:
				t.Log("known: " + reason)
			case v.Word == conformance.Fail:
				t.Error(told(v))
			case v.Word == conformance.Errored:
				t.Error("could not be seen: " + v.Reason)
			case v.Word != conformance.Pass:
				t.Logf("%s: %s", v.Word, v.Reason)
			}
		})
	}
}

// told is all that helps with a violation.
func told(v conformance.Verdict) string {
	var b strings.Builder
	b.WriteString(v.Check.Doc + "\n  " + v.Reason + "\n  hurts " + v.Check.Hurts + "\n  " + v.Check.Link())
	if v.Violation != nil && v.Violation.Curl != "" {
		b.WriteString("\n  try " + strings.ReplaceAll(v.Violation.Curl, "\n", "\n      "))
	}
	return b.String()
}
