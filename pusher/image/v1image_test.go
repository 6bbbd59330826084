package image_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestV1Images: layers are named by their chain, the top by the config, and only the
// top's JSON says more than that (P-380). The IDs were computed with sha256sum.
func TestV1Images(t *testing.T) {
	t.Parallel()
	const config = `{"architecture":"amd64","history":[{}],"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000001","sha256:0000000000000000000000000000000000000000000000000000000000000002","sha256:0000000000000000000000000000000000000000000000000000000000000003"]}}`
	list, err := image.V1Images([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range list {
		got = append(got, string(l.V1JSON))
	}
	base, second, top := "0000000000000000000000000000000000000000000000000000000000000001", "e0213565073dd272477933ef550455db21856966e444074f1492aef0939305ac", "85fff0f8fbfa8283b20f8d114c90ecde44064bd631ae4d6f1c4a0d1a3c2fab86"
	want := []string{
		`{"id":"` + base + `"}`,
		`{"id":"` + second + `","parent":"` + base + `"}`,
		`{"architecture":"amd64","id":"` + top + `","parent":"` + second + `"}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := image.V1Images([]byte(`{"rootfs":{}}`)); err == nil {
		t.Error("an image without layers has V1 images")
	}
}
