package tarsum_test

import (
	"archive/tar"
	"crypto/sha256"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/tarsum"
)

// The base layer does not compress and is larger than any buffer, so that every
// boundary of a write shows in the bytes: they are docker 1.8.3's all the same.
func TestLargeLayerAsDocker(t *testing.T) {
	t.Parallel()
	const (
		images   = "../../pusher/image/testdata/docker-1.8.3/"
		checksum = "tarsum+sha256:044a2471460a4c5cf629c8573469b7b40cc9566fc2af87bc928a7269c113d8de"
		payload  = digest.Digest("sha256:fc79156a421d40ab00e8c00e3357982676d7586f2d2197dcf7dadc2b9f44756d")
		length   = 1049195
	)
	key, err := os.ReadFile(images + "v1/b1b1b1b1b1b1.json")
	require.NoError(t, err)
	archive, err := os.Open(images + "app.tar")
	require.NoError(t, err)
	defer archive.Close() //nolint:errcheck // read only
	layer := tar.NewReader(archive)
	for {
		head, err := layer.Next()
		require.NoError(t, err, "the archive has no base layer")
		if head.Name == strings.Repeat("b1", 32)+"/layer.tar" {
			break
		}
	}
	r := tarsum.NewReader(layer)
	h := sha256.New()
	h.Write(key)
	h.Write([]byte("\n"))
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 32<<10))
	require.NoError(t, err)
	require.EqualValues(t, length, n)
	require.Equal(t, checksum, r.Sum(key))
	require.Equal(t, payload, digest.NewDigest(digest.SHA256, h))
}
