package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// TestManners: no more requests and bytes than allowed, and no faster.
func TestManners(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	m := Options{Clock: v, MaxRequests: 4, MaxBytes: 100, Rate: 2}.manners()
	began := v.Now()
	for range 3 {
		require.NoError(t, m.take(t.Context(), 30))
	}
	require.Equal(t, time.Second, v.Now().Sub(began))
	require.ErrorIs(t, m.take(t.Context(), 30), errBudget, "bytes")
	require.NoError(t, m.take(t.Context(), 0))
	require.ErrorIs(t, m.take(t.Context(), 0), errBudget, "requests")
	requests, bytes := m.spent()
	require.Equal(t, []int64{4, 90}, []int64{requests, bytes})
}

// TestGuessable: counters are, UUIDs and states are not.
func TestGuessable(t *testing.T) {
	t.Parallel()
	for want, lists := range map[bool][][]string{
		true:  {{"/u/1", "/u/2", "/u/3"}, {"/u/998", "/u/999", "/u/1000"}, {"/u/same", "/u/same"}, {"/u/00017a?x=1", "/u/00017b?x=1"}},
		false: {{"/u/5b2d1f0c-6a", "/u/91e07c4d-11"}, {"/u/1?_state=qQ8xYz1", "/u/2?_state=Lm30PrT"}},
	} {
		for _, list := range lists {
			require.Equal(t, want, guessable(list), list)
		}
	}
}
