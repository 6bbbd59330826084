package pusher

import (
	"context"
	"sync"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// eachAtOnce does something for each blob, under a context that says which: see
// LayerOf.
//
// Errors: see atOnce.
func (j *Job) eachAtOnce(ctx context.Context, list []*bestBlob, do func(context.Context, *bestBlob) error) error {
	return atOnce(ctx, j, list, func(ctx context.Context, b *bestBlob) error {
		return do(withLayer(ctx, shortID(b.Digest.Encoded())), b)
	})
}

// eachImageAtOnce does something for each image, under a context that names its manifest
// as LayerOf names a layer.
//
// Errors: see atOnce.
func (j *Job) eachImageAtOnce(ctx context.Context, list []*bestImage, do func(context.Context, *bestImage) error) error {
	return atOnce(ctx, j, list, func(ctx context.Context, img *bestImage) error {
		return do(withLayer(ctx, shortID(img.manifest.digest.Encoded())), img)
	})
}

// atOnce does something for each of a list, as many at once as the job or else its
// era allows. The first that fails ends the others.
//
// Errors: ctx's error when that ended; the first one's.
func atOnce[T any](ctx context.Context, j *Job, list []T, do func(context.Context, T) error) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	n := j.concurrency
	if n <= 0 {
		n = max(j.Era.Layers.Concurrency, 1)
	}
	var mu sync.Mutex // guards first and next
	var first error
	next := 0
	take := func() (T, bool) {
		mu.Lock()
		defer mu.Unlock()
		if own.Err() != nil || next == len(list) {
			var none T
			return none, false
		}
		next++
		return list[next-1], true
	}
	group := clock.NewGroup(j.Clock)
	for range min(n, len(list)) {
		group.Go(func() {
			for b, ok := take(); ok; b, ok = take() {
				err := do(own, b)
				mu.Lock()
				if err != nil && first == nil {
					first = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return first
}
