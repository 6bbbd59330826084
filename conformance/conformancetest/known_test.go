package conformancetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
)

// TestNobodys: what is known of a check that there is not is a slip.
func TestNobodys(t *testing.T) {
	t.Parallel()
	known := Known{"mono-01": "so", "mono-99": "a slip", "": "another"}
	require.Equal(t, []string{"", "mono-99"}, nobodys(known, conformance.Options{}))
	require.Equal(t, []string{"", "mono-01", "mono-99"}, nobodys(known, conformance.Options{Checks: []*conformance.Check{}}))
}
