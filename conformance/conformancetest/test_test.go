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
	conformancetest.Test(t, conformance.Target{URL: server.URL}, conformance.Options{Profile: "oci-1.1", Seed: 1}, conformancetest.Known{
		"blob-06":  "a range that cannot be satisfied is answered 500",
		"mono-10":  "an upload that was closed answers 204",
		"err-04":   "an upload whose ID is none is refused with the code UNKNOWN",
		"chunk-07": "a closing PUT with a gap is answered 500",
		"mount-02": "a mount of a blob that is not there is answered 404",
		"man-18":   "a manifest whose layer is missing is answered 500",
		"tag-05":   "?n=0 is taken for no limit",
		"ref-02":   "a list of no referrers is null",
		"del-06":   "tags stay in the list when their manifest is deleted",
	})
}
