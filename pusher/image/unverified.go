package image

import (
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
)

// OpenUnverified opens bytes that the store keeps under their digest, for those
// who verify them themselves and may want to begin in the middle. The caller closes
// it.
//
// Errors: ErrNoBlob.
func (s *Store) OpenUnverified(d digest.Digest) (io.ReadSeekCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, err := s.openBlobFile(d)
	if err != nil {
		return nil, err
	}
	file, ok := f.(io.ReadSeekCloser)
	if !ok {
		_ = f.Close()
		return nil, fmt.Errorf("blob %s: it cannot be read from its middle", d)
	}
	return file, nil
}
