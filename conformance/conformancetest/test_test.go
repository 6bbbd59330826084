package conformancetest_test

import (
	"net/http/httptest"
	"testing"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/conformance/conformancetest"
)

// TestOcimem is what the authors of a registry write.
func TestOcimem(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(ociserver.New(ocimem.New(), nil))
	defer server.Close()
	conformancetest.Test(t, conformance.Target{URL: server.URL}, conformance.Options{Profile: "oci-1.1", Seed: 1}, conformancetest.Known{})
}
