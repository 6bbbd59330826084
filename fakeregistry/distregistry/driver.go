package distregistry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A driver is distribution's view of a Storage: paths of its layout, read and
// written as the blobs, manifests, tags and upload sessions that they stand for.
// Unlike distribution's own in-memory driver it never moves or copies a blob.
type driver struct{ app *app }

var _ storagedriver.StorageDriver = (*driver)(nil)

// Name implements storagedriver.StorageDriver.
func (d *driver) Name() string { return driverName }

func (d *driver) storage() *fakeregistry.Storage { return d.app.storage.Load() }

// failure is an error of the storage in distribution's terms.
func failure(path string, err error) error {
	if errors.Is(err, fakeregistry.ErrNotStored) {
		return notFound(path)
	}
	return err
}

func notFound(path string) error {
	return storagedriver.PathNotFoundError{Path: path, DriverName: driverName}
}

// GetContent implements storagedriver.StorageDriver.
func (d *driver) GetContent(ctx context.Context, path string) ([]byte, error) {
	p := parsePlace(path)
	link, err := digest.Digest(""), error(nil)
	switch p.kind {
	case layerLink:
		link, err = d.storage().Linked(ctx, p.repository, p.digest)
	case revisionLink:
		link = p.digest
		_, err = d.storage().LinkedManifest(ctx, p.repository, p.digest)
	case tagCurrent:
		link, err = d.storage().Tagged(ctx, p.repository, p.tag)
	case uploadNote:
		u, err := d.storage().Upload(ctx, p.repository, p.upload)
		if err != nil {
			return nil, failure(path, err)
		}
		if note := u.Note(p.note); note != nil {
			return note, nil
		}
		return nil, notFound(path)
	default:
		r, err := d.Reader(ctx, path, 0)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	if err != nil {
		return nil, failure(path, err)
	}
	return []byte(link), nil
}

// PutContent implements storagedriver.StorageDriver.
func (d *driver) PutContent(ctx context.Context, path string, content []byte) error {
	p := parsePlace(path)
	s := d.storage()
	switch p.kind {
	case blobData:
		return s.PutContent(ctx, p.digest, content)
	case layerLink:
		return s.Link(ctx, p.repository, p.digest, digest.Digest(content))
	case revisionLink:
		return s.LinkManifest(ctx, p.repository, p.digest, fakeregistry.ManifestInfo{})
	case tagCurrent:
		return s.Tag(ctx, p.repository, p.tag, digest.Digest(content))
	case tagHistory:
		return nil // nobody asks for it
	case uploadNote:
		return d.putNote(ctx, p, content)
	default:
		return fmt.Errorf("%s: distribution is not known to write %s", driverName, path)
	}
}

// putNote keeps a small file of an upload session. The first one starts it.
func (d *driver) putNote(ctx context.Context, p place, content []byte) error {
	s := d.storage()
	u, err := s.Upload(ctx, p.repository, p.upload)
	if errors.Is(err, fakeregistry.ErrNotStored) && p.note == "startedat" {
		u, err = s.Begin(ctx, p.repository, p.upload, false)
	}
	if err != nil {
		return err
	}
	u.SetNote(p.note, content)
	return nil
}

// Reader implements storagedriver.StorageDriver.
func (d *driver) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, storagedriver.InvalidOffsetError{Path: path, Offset: offset, DriverName: driverName}
	}
	p := parsePlace(path)
	var r io.ReadSeekCloser
	var err error
	switch p.kind {
	case blobData:
		r, _, err = d.storage().OpenContent(ctx, p.digest)
	case uploadData:
		var u *fakeregistry.Upload
		if u, err = d.storage().Upload(ctx, p.repository, p.upload); err == nil {
			r, err = u.Open()
		}
	case layerLink, revisionLink, tagCurrent, uploadNote:
		var b []byte
		if b, err = d.GetContent(ctx, path); err == nil {
			r = readSeekNopCloser{bytes.NewReader(b)}
		}
	default:
		return nil, notFound(path)
	}
	if err != nil {
		return nil, failure(path, err)
	}
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

type readSeekNopCloser struct{ *bytes.Reader }

func (readSeekNopCloser) Close() error { return nil }

// Writer implements storagedriver.StorageDriver. Only upload sessions are
// written.
func (d *driver) Writer(ctx context.Context, path string, appending bool) (storagedriver.FileWriter, error) {
	p := parsePlace(path)
	if p.kind != uploadData {
		return nil, fmt.Errorf("%s: distribution is not known to append to %s", driverName, path)
	}
	u, err := d.storage().Upload(ctx, p.repository, p.upload)
	if err != nil {
		return nil, failure(path, err)
	}
	if !appending && u.Size() > 0 {
		return nil, fmt.Errorf("%s: distribution is not known to overwrite %s", driverName, path)
	}
	return &writer{ctx: ctx, upload: u}, nil
}

// Stat implements storagedriver.StorageDriver.
func (d *driver) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	p := parsePlace(path)
	var size int64
	var err error
	switch p.kind {
	case blobData:
		size, err = d.storage().StatContent(ctx, p.digest)
	case uploadData:
		var u *fakeregistry.Upload
		if u, err = d.storage().Upload(ctx, p.repository, p.upload); err == nil {
			size = u.Size()
		}
	case layerLink, revisionLink, tagCurrent, uploadNote:
		var b []byte
		b, err = d.GetContent(ctx, path)
		size = int64(len(b))
	default:
		var children []string
		children, err = d.List(ctx, path)
		if err == nil && len(children) == 0 && path != "/" {
			err = notFound(path)
		}
		if err == nil {
			return folder(path), nil
		}
	}
	if err != nil {
		return nil, failure(path, err)
	}
	return fileInfo(path, size, false), nil
}

func folder(path string) storagedriver.FileInfo { return fileInfo(path, 0, true) }

func fileInfo(path string, size int64, dir bool) storagedriver.FileInfo {
	return storagedriver.FileInfoInternal{FileInfoFields: storagedriver.FileInfoFields{
		Path: path, Size: size, IsDir: dir, ModTime: time.Time{},
	}}
}

// List implements storagedriver.StorageDriver for what distribution lists: a
// repository's tags and an upload session's saved digest states.
func (d *driver) List(ctx context.Context, path string) ([]string, error) {
	p := parsePlace(path)
	var names []string
	switch p.kind {
	case tagList:
		tags, err := d.storage().Tags(ctx, p.repository)
		if err != nil {
			return nil, failure(path, err)
		}
		names = tags
	case uploadNote, uploadEntry:
		u, err := d.storage().Upload(ctx, p.repository, p.upload)
		if err != nil {
			return nil, failure(path, err)
		}
		for _, note := range u.Notes() {
			if name, ok := strings.CutPrefix(note, p.note+"/"); ok {
				names = append(names, name)
			}
		}
		if names == nil {
			return nil, notFound(path)
		}
	default:
		return nil, notFound(path)
	}
	for i := range names {
		names[i] = path + "/" + names[i]
	}
	return names, nil
}

// Move implements storagedriver.StorageDriver: an upload session's bytes become a
// blob's.
func (d *driver) Move(ctx context.Context, from, to string) error {
	source, target := parsePlace(from), parsePlace(to)
	if source.kind != uploadData || target.kind != blobData {
		return fmt.Errorf("%s: distribution is not known to move %s to %s", driverName, from, to)
	}
	u, err := d.storage().Upload(ctx, source.repository, source.upload)
	if err != nil {
		return failure(from, err)
	}
	return u.Keep(ctx, target.digest)
}

// Delete implements storagedriver.StorageDriver.
func (d *driver) Delete(ctx context.Context, path string) error {
	p := parsePlace(path)
	var err error
	switch p.kind {
	case layerLink:
		err = d.storage().Unlink(ctx, p.repository, p.digest)
	case revisionLink:
		err = d.storage().UnlinkManifest(ctx, p.repository, p.digest)
	case tagEntry:
		err = d.storage().Untag(ctx, p.repository, p.tag)
	case uploadEntry:
		var u *fakeregistry.Upload
		if u, err = d.storage().Upload(ctx, p.repository, p.upload); err == nil {
			u.Cancel()
		}
	default:
		return fmt.Errorf("%s: distribution is not known to delete %s", driverName, path)
	}
	return failure(path, err)
}

// RedirectURL implements storagedriver.StorageDriver: nobody else has the bytes.
func (d *driver) RedirectURL(*http.Request, string) (string, error) { return "", nil }

// Walk implements storagedriver.StorageDriver for what distribution walks: tags,
// and the repositories of the catalogue. As with distribution's own drivers, a
// folder that is not there is an error only for a walk from its beginning.
func (d *driver) Walk(ctx context.Context, path string, f storagedriver.WalkFn, options ...func(*storagedriver.WalkOptions)) error {
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	var found []string
	switch p := parsePlace(path); p.kind {
	case tagList:
		var err error
		if found, err = d.List(ctx, path); err != nil {
			if errors.As(err, &storagedriver.PathNotFoundError{}) && strings.HasPrefix(o.StartAfterHint, path+"/") {
				return nil
			}
			return err
		}
	case repositories:
		for _, name := range d.storage().Repositories() {
			if len(d.storage().Manifests(name)) > 0 || len(d.storage().TagMap(name)) > 0 {
				found = append(found, path+"/"+name+"/_manifests")
			}
		}
		slices.SortFunc(found, func(a, b string) int {
			return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
		})
	default:
		return notFound(path)
	}
	for _, one := range found {
		switch err := f(folder(one)); {
		case errors.Is(err, storagedriver.ErrFilledBuffer):
			return nil
		case err != nil && !errors.Is(err, storagedriver.ErrSkipDir):
			return err
		}
	}
	return nil
}

// A writer appends to an upload session on behalf of one request.
type writer struct {
	ctx    context.Context //nolint:containedctx // distribution's interface gives none to Write
	upload *fakeregistry.Upload
	done   bool // committed, cancelled or closed
}

var _ storagedriver.FileWriter = (*writer)(nil)

var errWriterDone = errors.New(driverName + ": already closed")

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, errWriterDone
	}
	return w.upload.Write(w.ctx, p)
}

// Size is how many bytes the session holds.
func (w *writer) Size() int64 { return w.upload.Size() }

// Close ends the request's part; the session goes on.
func (w *writer) Close() error {
	if w.done {
		return errWriterDone
	}
	w.done = true
	return nil
}

// Cancel implements storagedriver.FileWriter. The session goes when distribution
// deletes its folder: not when Cancel fails, as it does after every Commit, so
// that a session outlives a digest that did not match. Distribution's own drivers
// have that in common.
func (w *writer) Cancel(context.Context) error {
	if w.done {
		return errWriterDone
	}
	w.done = true
	return nil
}

// Commit implements storagedriver.FileWriter. What was written is already there.
func (w *writer) Commit(context.Context) error {
	if w.done {
		return errWriterDone
	}
	return nil
}
