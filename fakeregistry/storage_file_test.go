package fakeregistry

import (
	"fmt"
	"testing"
)

// A blob in memory holds hardly more than its bytes, however they came.
func TestMemoryHeld(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, 5_000, 32 << 10, 40 << 10, 1 << 20, 1<<20 + 1, 5<<20 + 123} {
		for _, piece := range []int{64, 1 << 10, 4 << 10, 32 << 10, 2 << 20} {
			if size/piece > 10_000 {
				continue
			}
			for _, known := range []bool{true, false} {
				f := &memFile{}
				for left := size; left > 0; {
					want := int64(-1)
					n := min(left, piece)
					if known {
						want = int64(n) // a PATCH of known length
					}
					for n > 0 {
						got := min(n, len(f.next(want)))
						if err := f.grow(got); err != nil {
							t.Fatal(err)
						}
						n -= got
						left -= got
						if known {
							want = int64(n)
						}
					}
				}
				if err := f.finish(); err != nil {
					t.Fatal(err)
				}
				held := 24 * cap(f.chunks)
				for _, c := range f.chunks {
					held += cap(c)
				}
				if limit := size + size/10 + 128; held > limit {
					t.Errorf("%s: held %d, want at most %d", fmt.Sprintf("%d bytes in pieces of %d, known %t", size, piece, known), held, limit)
				}
			}
		}
	}
}
