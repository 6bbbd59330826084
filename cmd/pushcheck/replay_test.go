package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A recorded client is played by the era that stands for it.
func TestEraOfClient(t *testing.T) {
	t.Parallel()
	for client, want := range map[string]string{
		"docker-1.8.3": "docker-1.8", "docker-1.8": "docker-1.8", "dockerd-20.10.24": "docker-20.10",
		"docker-1.80": "", "skopeo": "", "": "",
	} {
		era, ok := eraOfClient(client)
		assert.Equal(t, want != "", ok, client)
		assert.Equal(t, want, era.Name, client)
	}
}
