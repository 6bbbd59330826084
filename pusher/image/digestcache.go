package image

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Digest reads the layer's entry of the digest cache, file graph/<id>/checksum,
// with docker 1.8's four outcomes (P-194): a digest; ErrNoDigest when there is
// none or the file cannot be read; digest.ErrDigestInvalidFormat or
// digest.ErrDigestUnsupported when it holds something else. The digest is as
// docker 1.8 parses one: a tarsum passes, upper case and any length of hex too,
// a line end does not.
func (s *Store) Digest(id string) (digest.Digest, error) {
	if !validID(id) {
		return "", ErrNoDigest
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	data, err := fs.ReadFile(s.disk.files, join("graph", id, "checksum"))
	if err != nil {
		return "", ErrNoDigest
	}
	d := digest.Digest(data)
	if err := validate18(d); err != nil {
		return "", err
	}
	return d, nil
}

// SetDigest writes the layer's entry of the digest cache, whatever d is.
//
// Errors: ErrNoLayer.
func (s *Store) SetDigest(id string, d digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.record(id); err != nil {
		return err
	}
	if err := s.disk.replace(join("graph", id, "checksum.new"), join("graph", id, "checksum"), []byte(d)); err != nil {
		return fmt.Errorf("digest cache of layer %s: %w", id, err)
	}
	return nil
}

// ForgetDigest removes the layer's entry of the digest cache, if there is one.
//
// Errors: ErrNoLayer.
func (s *Store) ForgetDigest(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.record(id); err != nil {
		return err
	}
	if err := s.disk.removeAll(join("graph", id, "checksum")); err != nil {
		return fmt.Errorf("digest cache of layer %s: %w", id, err)
	}
	return nil
}

// patterns18 are the two that docker 1.8 tries in turn. The tarsum one is not
// anchored there either.
var patterns18 = sync.OnceValue(func() [2]*regexp.Regexp {
	return [2]*regexp.Regexp{
		regexp.MustCompile(`tarsum(.[a-z0-9]+)?\+[a-zA-Z0-9]+:[A-Fa-f0-9]+`),
		regexp.MustCompile(`^[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]+$`),
	}
})

// validate18 is docker 1.8's idea of a valid digest. It is not go-digest's, which
// knows no tarsum and demands lower case and the algorithm's length.
func validate18(d digest.Digest) error {
	if d.Validate() == nil {
		return nil
	}
	patterns := patterns18()
	if patterns[0].MatchString(string(d)) {
		return nil
	}
	if !patterns[1].MatchString(string(d)) {
		return digest.ErrDigestInvalidFormat
	}
	algorithm, _, _ := strings.Cut(string(d), ":")
	switch digest.Algorithm(algorithm) {
	case digest.SHA256, digest.SHA384, digest.SHA512:
		return nil
	default:
		return digest.ErrDigestUnsupported
	}
}
