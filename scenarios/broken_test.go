package scenarios

import (
	"slices"
	"testing"
)

// TestEachInvariantCatchesABrokenPusherThatNoOtherCatches runs every broken pusher,
// and the era that it is made of without the mistake.
func TestEachInvariantCatchesABrokenPusherThatNoOtherCatches(t *testing.T) {
	t.Parallel()
	var of []string
	for _, b := range BrokenPushers() {
		of = append(of, b.Invariant)
		t.Run(b.Invariant+": "+b.Name, func(t *testing.T) {
			t.Parallel()
			if caught, err := b.Caught(t.Context(), false); err != nil || !slices.Equal(caught, []string{b.Invariant}) {
				t.Errorf("%s: caught by %v (%v)", b.Doc, caught, err)
			}
			if caught, err := b.Caught(t.Context(), true); err != nil || len(caught) > 0 {
				t.Errorf("without the mistake it is caught by %v (%v)", caught, err)
			}
		})
	}
	if !slices.Equal(slices.Compact(of), InvariantNames()) {
		t.Errorf("there are broken pushers for %v, want one at least for each of %v, in that order", of, InvariantNames())
	}
}
