package pusher_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestVirtualTime: on virtual time a slow registry costs nothing: a ping of 7 s
// makes docker 1.8 go on to V1 after 5 s (P-503), a token expires between two
// blobs, and a PATCH may take a day (P-504). With a recorder and without.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	for name, recorded := range map[string]bool{"recorded": true, "not recorded": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clock.NewVirtual(time.Time{})
			config := pusher.Config{Clock: c}
			if recorded {
				config.Recorder = wire.NewRecorder(c, nil)
			}
			testVirtualTime(t, c, config)
		})
	}
}

func testVirtualTime(t *testing.T, c *clock.Virtual, config pusher.Config) {
	t.Helper()
	g := startRegistry(t)
	hold := func(r *http.Request, d time.Duration) { _ = c.Hold(r.Context(), r.RemoteAddr, d) }
	repository := g.host() + "/a"
	config.Images, _ = storeWith(t, image.Recipe{Layers: []int64{0, 0}}, repository+":t")
	client := newClient(t, config)

	g.fault = answerTo("GET", "/v2/", 1, func(_ http.ResponseWriter, r *http.Request) bool {
		hold(r, 7*time.Second)
		return false
	})
	begin := c.Now()
	result, err := client.Push(t.Context(), repository, "t", pusher.Options{})
	if err == nil || len(result.Attempts) != 4 {
		t.Errorf("attempts %+v, error %v", result.Attempts, err)
	}
	if got := c.Now().Sub(begin); got != 5*time.Second {
		t.Errorf("the ping took %s, want 5s", got)
	}

	g.fault = answerTo("PATCH", "/blobs/uploads/", 2, func(_ http.ResponseWriter, r *http.Request) bool {
		hold(r, 24*time.Hour)
		return false
	})
	begin = c.Now()
	if _, err := client.Push(t.Context(), repository, "t", pusher.Options{}); err != nil {
		t.Errorf("a slow upload: %v", err)
	}
	if got := c.Now().Sub(begin); got != 24*time.Hour {
		t.Errorf("the upload took %s, want 24h", got)
	}
}
