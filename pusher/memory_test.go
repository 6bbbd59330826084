package pusher_test

import (
	"runtime"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestMemory: a layer costs the same memory whatever its size. It is not
// parallel: it counts every allocation of the process.
func TestMemory(t *testing.T) { //nolint:paralleltest // see above
	allocated := func(size int64) int64 {
		g := startRegistry(t)
		name := g.host() + "/a"
		store, _ := storeWith(t, image.Recipe{Layers: []int64{size}}, name+":t")
		client := newClient(t, pusher.Config{Images: store})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := client.Push(t.Context(), name, "t", pusher.Options{}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	small := allocated(4 << 10)
	large := allocated(8 << 20)
	if more := large - small; more > 1<<20 {
		t.Errorf("8 MiB cost %d bytes more than 4 KiB did (%d)", more, small)
	}
}
