package scenarios

import (
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A blobSum is what a gzip stream of a tar comes to.
type blobSum struct {
	digest digest.Digest
	size   int64
}

// A sumCache remembers blobSums by the digest of the tar. Hundreds of scenarios push
// the same few made-up layers, and compressing is most of what they cost.
type sumCache struct {
	mu   sync.Mutex // guards sums
	sums map[digest.Digest]blobSum
}

// maxSums bounds a cache; past that it begins anew.
const maxSums = 4096

// blobSums is the process's own: what it holds depends on content alone, so that
// runs cannot influence each other through it.
var blobSums = sumCache{sums: map[digest.Digest]blobSum{}}

// of gives the digest and size of the blob that a client makes of a layer.
func (c *sumCache) of(store *image.Store, l image.Layer) (blobSum, error) {
	c.mu.Lock()
	known, ok := c.sums[l.DiffID]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	sum, size, err := gzipped(store, l.ID, -1)
	if err != nil {
		return blobSum{}, err
	}
	made := blobSum{digest.NewDigest(digest.SHA256, sum), size}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sums) >= maxSums {
		clear(c.sums)
	}
	c.sums[l.DiffID] = made
	return made, nil
}
