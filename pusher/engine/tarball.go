package engine

import (
	"archive/tar"
	"encoding/json"
	"io"
	"time"
)

// A tarball writes the entries of an archive, all at the same time of day, so that the
// same images give the same archive.
type tarball struct{ w *tar.Writer }

func newTarball(w io.Writer) *tarball { return &tarball{tar.NewWriter(w)} }

func savedAt() time.Time { return time.Unix(0, 0) }

func (t *tarball) dir(name string) error {
	return t.w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: savedAt()})
}

func (t *tarball) file(name string, content []byte) error {
	if err := t.head(name, int64(len(content))); err != nil {
		return err
	}
	_, err := t.w.Write(content)
	return err
}

func (t *tarball) json(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.file(name, data)
}

// stream writes a file of that many bytes, and closes what it reads.
func (t *tarball) stream(name string, size int64, open func() (io.ReadCloser, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // only read
	if err := t.head(name, size); err != nil {
		return err
	}
	_, err = io.Copy(t.w, r)
	return err
}

func (t *tarball) head(name string, size int64) error {
	return t.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: savedAt()})
}

func (t *tarball) close() error { return t.w.Close() }
