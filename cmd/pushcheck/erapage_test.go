package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher"
)

// TestErasAreInTheirPage: the end-to-end tests make the page; here it is noticed that
// it lacks an era.
func TestErasAreInTheirPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/eras-registries.md")
	require.NoError(t, err)
	for _, era := range pusher.Eras() {
		assert.Contains(t, string(page), "| `"+era.Name+"` |", "run the end-to-end test TestE2EErasAndRegistries with -update")
	}
}
