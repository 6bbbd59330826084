package engine

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// create answers images/create. Only fromSrc=- is here: an image of one layer
// is made of the tar in the body. A pull is not.
func (c *call) create() error {
	q := c.r.URL.Query()
	if q.Get("fromSrc") != "-" {
		return &apiError{http.StatusNotImplemented, "images/create: this engine only pushes; an image comes in by docker load, or by docker import from standard input or a file"}
	}
	var repository, tag string
	if q.Get("repo") != "" {
		var err error
		if repository, tag, err = newName(q.Get("repo"), q.Get("tag")); err != nil {
			return err
		}
	}
	spool, size, err := c.spool()
	if err != nil {
		return err
	}
	defer func() { _ = spool.Close(); _ = os.Remove(spool.Name()) }() //nolint:errcheck // a temporary file
	id, err := c.importLayer(spool, size, q.Get("message"))
	if err != nil {
		return err
	}
	if repository != "" {
		if err := c.engine.config.Images.Tag(repository, tag, id); err != nil {
			return err
		}
	}
	c.engine.events.add("import", id)
	c.w.Header().Set("Content-Type", "application/json")
	c.status = http.StatusOK
	return writeObject(c.w, map[string]string{"status": id})
}

// unpack writes the body to a file, plain, however it is compressed.
func (c *call) unpack(f io.Writer) (int64, error) {
	plain, err := image.Decompress(c.r.Body)
	if err != nil {
		return 0, notATar(err)
	}
	defer plain.Close() //nolint:errcheck // only read
	out := &fileWriter{w: f}
	size, err := io.Copy(out, plain)
	if err != nil && out.err == nil { // what came was wrong, not where it goes
		err = notATar(err)
	}
	return size, err
}

// A fileWriter remembers why writing failed.
type fileWriter struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (f *fileWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		f.err = err
	}
	return n, err
}

func notATar(err error) error {
	return &apiError{http.StatusBadRequest, fmt.Sprintf("bad parameter: import: the body is not a tar, or is cut short: %v; it may be plain, or compressed with gzip, zstd or bzip2", err)}
}

// spool keeps the body in a file, since an archive names a size before the bytes.
func (c *call) spool() (*os.File, int64, error) {
	f, err := os.CreateTemp(c.engine.config.TempDir, "import-")
	if err != nil {
		return nil, 0, err
	}
	size, err := c.unpack(f)
	if err == nil {
		err = readable(f)
	}
	if err != nil {
		_, _ = f.Close(), os.Remove(f.Name()) //nolint:errcheck // the first error counts
		return nil, 0, err
	}
	return f, size, nil
}

// readable checks that a file is a tar from beginning to end.
func readable(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	t := tar.NewReader(f)
	for {
		_, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return notATar(err)
		}
	}
}

// importLayer brings a tar into the store, as an archive of one layer.
func (c *call) importLayer(spool *os.File, size int64, message string) (string, error) {
	if message == "" {
		message = "Imported from -"
	}
	sum := sha256.New()
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.Copy(sum, spool); err != nil {
		return "", err
	}
	e := c.engine
	now := e.clock.Now().UTC().Format(time.RFC3339Nano)
	_, _ = io.WriteString(sum, now) //nolint:errcheck // a hash takes everything
	id := hex.EncodeToString(sum.Sum(nil))
	v1, err := json.Marshal(map[string]any{
		"id": id, "created": now, "comment": message, "docker_version": e.version(), "architecture": "amd64", "os": "linux", "Size": size,
		"container_config": map[string]any{}, "config": map[string]any{},
	})
	if err != nil {
		return "", err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeArchive(w, id, v1, spool, size)) }()
	_, err = e.config.Images.LoadFrom(c.r.Context(), r)
	_ = r.CloseWithError(errors.New("import ended")) //nolint:errcheck // never fails
	return id, err
}

// writeArchive writes the archive of one layer that docker save would write.
func writeArchive(w io.Writer, id string, v1 []byte, layer io.ReadSeeker, size int64) error {
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	t := newTarball(w)
	if err := t.file(id+"/VERSION", []byte("1.0")); err != nil {
		return err
	}
	if err := t.file(id+"/json", v1); err != nil {
		return err
	}
	err := t.stream(id+"/layer.tar", size, func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(layer, size)), nil })
	if err != nil {
		return err
	}
	return t.close()
}
