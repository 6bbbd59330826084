package wire_test

import (
	"testing"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// TestAMessageIsScrubbed: what an error says of a URL holds no secret of it; all else
// stays as it is.
func TestAMessageIsScrubbed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`unexpected status from PUT request to http://127.0.0.1:5000/v2/a/blobs/uploads/6f2c-aa?_state=abc%3D&digest=sha256%3A12: 400 Bad Request`: `unexpected status from PUT request to http://127.0.0.1:5000/v2/a/blobs/uploads/SESSION1?_state=STATE&digest=sha256%3A12: 400 Bad Request`,
		`Patch "https://reg.example/v2/a/blobs/uploads/0123456789?_state=x": EOF (0123456789)`:                                                     `Patch "https://reg.example/v2/a/blobs/uploads/SESSION1?_state=STATE": EOF (SESSION1)`,
		`location /v2/a/blobs/uploads/6f2c?_state=abc`:                                                                                             `location /v2/a/blobs/uploads/SESSION1?_state=STATE`,
		`Get https://alice:s3cret@auth.example/token?scope=x&access_token=abc, then it ended`:                                                      `Get https://alice:PASSWORD@auth.example/token?scope=x&access_token=TOKEN, then it ended`,
		`Put "http://127.0.0.1:1/v1/repositories/lib/app/": dial tcp 127.0.0.1:1: connect: connection refused`:                                     `Put "http://127.0.0.1:1/v1/repositories/lib/app/": dial tcp 127.0.0.1:1: connect: connection refused`,
		"/tmp/a.yaml:3:4: no key \"_state=x\"; https://docs.example/?page=2":                                                                       "/tmp/a.yaml:3:4: no key \"_state=x\"; https://docs.example/?page=2",
		"": "",
	} {
		if got := wire.ScrubMessage(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if again := wire.ScrubMessage(want); again != want {
			t.Errorf("again: %s", again)
		}
	}
}
