package engine_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// Pushes, loads, tags, deletes and lists at once: each ends as it would alone or
// says what was missing, and the store is whole afterwards.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	r := registry(t, fakeregistry.Config{})
	b := loaded(t)
	app := archive(t)
	var all sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprintf("%s/lib/app%d", r.Host(), i)
		all.Go(func() {
			for range 3 {
				assert.Equal(t, 200, b.do("POST", "/images/load", bytes.NewReader(app)).status)
				tagged := b.do("POST", "/images/lib/app/tag?repo="+name, nil).status
				assert.Contains(t, []int{201, 404, 500}, tagged, "the image may have gone")
				pushed := b.do("POST", "/images/"+name+"/push?tag=latest", nil, "X-Registry-Auth", anybody)
				assert.Equal(t, 200, pushed.status)
				if !strings.Contains(pushed.body, "latest: digest:") {
					assert.Contains(t, pushed.body, "does not exist", "%d", tagged)
				}
				assert.Contains(t, []int{200, 404}, b.do("DELETE", "/images/"+name, nil).status)
			}
		})
		all.Go(func() {
			for range 6 {
				assert.Contains(t, []int{200, 404, 409}, b.do("DELETE", "/images/lib/app:two", nil).status)
				assert.Equal(t, 200, b.do("GET", "/images/json?all=1", nil).status)
			}
		})
	}
	all.Wait()
	require.Equal(t, 200, b.do("POST", "/images/load", bytes.NewReader(app)).status)
	whole(t, b.store)
}

// whole checks that every tag leads to a chain of layers whose content is there.
func whole(t *testing.T, s *image.Store) {
	t.Helper()
	for _, repository := range s.Repositories() {
		tags, err := s.Tags(repository)
		require.NoError(t, err)
		for tag, top := range tags {
			n := 0
			for l, err := range s.Chain(top) {
				require.NoError(t, err, "%s:%s", repository, tag)
				content, err := s.OpenTar(l.ID)
				require.NoError(t, err)
				require.NoError(t, content.Close())
				n++
			}
			assert.Positive(t, n)
		}
	}
}
