package pusher

import (
	"context"
	"io"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/gzips"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A bufferedLayer is a layer as it goes on the wire, in a file of its own.
type bufferedLayer struct {
	file   *os.File
	size   int64 // of the gzip bytes
	digest digest.Digest
}

func (b *bufferedLayer) remove() {
	_ = b.file.Close()
	_ = os.Remove(b.file.Name())
}

// buffer compresses a layer into a temporary file, which stands at its start.
// The caller removes it.
func (r *repository) buffer(ctx context.Context, layer image.Layer) (*bufferedLayer, error) {
	tar, err := r.job.Images.OpenTar(layer.ID)
	if err != nil {
		return nil, err
	}
	defer tar.Close() //nolint:errcheck // read only
	file, err := os.CreateTemp(r.job.TempDir, "pushcheck-layer-")
	if err != nil {
		return nil, err
	}
	b := &bufferedLayer{file: file}
	if err := b.fill(untilDone{ctx, tar}); err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

// fill compresses tar into the file and goes back to its start.
func (b *bufferedLayer) fill(tar io.Reader) error {
	sum := digest.SHA256.Digester()
	zip := gzips.Writer(io.MultiWriter(b.file, sum.Hash()))
	defer gzips.Return(zip)
	if _, err := io.Copy(zip, tar); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	size, err := b.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	b.size, b.digest = size, sum.Digest()
	_, err = b.file.Seek(0, io.SeekStart)
	return err
}

// untilDone is a reader that fails once its context ended. It lives no longer
// than the call that made it.
type untilDone struct {
	ctx context.Context //nolint:containedctx // io.Reader has no place for it
	in  io.Reader
}

// Read implements io.Reader.
func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.in.Read(p)
}
