package scenarios

import "slices"

// InvariantNames lists the standing invariants in the order of every report.
func InvariantNames() []string {
	return []string{
		"truth", "no-half-tag", "blobs-first", "secrets-stay", "no-downgrade", "bounded", "patience",
		"no-double-count", "clean-up", "quiet-end", "progress-tells-truth", "fired", "expected-traffic",
	}
}

func knownInvariant(name string) bool { return slices.Contains(InvariantNames(), name) }
