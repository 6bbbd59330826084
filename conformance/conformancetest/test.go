// Package conformancetest runs the checks of package conformance as Go tests, for
// those who write a registry.
package conformancetest

import (
	"maps"
	"slices"
	"testing"

	"github.com/pushcheck/pushcheck/conformance"
)

// Known are deviations that a registry has for a reason: check ID → reason. One
// that is not there any more fails the test.
type Known map[string]string

// Test runs checks against a registry, each a subtest called after its ID. What
// breaks a MUST fails it, and so does what could not be seen; what breaks a
// SHOULD or MAY is logged. known may be nil, and may name checks that are not chosen.
//
// The registry must answer at target.URL until Test returns.
func Test(t *testing.T, target conformance.Target, o conformance.Options, known Known) {
	t.Helper()
	for _, id := range nobodys(known, o) {
		t.Errorf("something is known of %q, and no check is called so", id)
	}
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
			case v.Word == conformance.Fail, v.Word == conformance.Errored:
				t.Error(report.Detail(v.Check.ID))
			case v.Word != conformance.Pass:
				t.Log(report.Detail(v.Check.ID))
			}
		})
	}
}

// nobodys are the names in known that no check has.
func nobodys(known Known, o conformance.Options) []string {
	all := o.Checks
	if all == nil {
		all = conformance.Checks()
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(id string) bool {
		return slices.ContainsFunc(all, func(c *conformance.Check) bool { return c.ID == id })
	})
}
