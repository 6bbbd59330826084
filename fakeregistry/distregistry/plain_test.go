package distregistry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A plainDriver is a storage driver that knows nothing of distribution's layout:
// files by path, in memory. It is what ours is compared with.
type plainDriver struct {
	mu    sync.Mutex // guards files and dirs
	files map[string][]byte
	dirs  map[string]bool // that ever had something in them
}

type plainFactory struct{}

var _ = func() bool {
	factory.Register("plain", plainFactory{})
	return true
}()

func (plainFactory) Create(context.Context, map[string]any) (storagedriver.StorageDriver, error) {
	return &plainDriver{files: map[string][]byte{}, dirs: map[string]bool{}}, nil
}

func (d *plainDriver) Name() string { return "plain" }

func (d *plainDriver) GetContent(_ context.Context, path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, ok := d.files[path]; ok {
		return b, nil
	}
	return nil, notFound(path)
}

func (d *plainDriver) put(path string, b []byte) {
	d.files[path] = b
	for i := strings.LastIndex(path, "/"); i > 0; i = strings.LastIndex(path, "/") {
		path = path[:i]
		d.dirs[path] = true
	}
}

func (d *plainDriver) PutContent(_ context.Context, path string, content []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(path, bytes.Clone(content))
	return nil
}

func (d *plainDriver) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	b, err := d.GetContent(ctx, path)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b[min(offset, int64(len(b))):])), nil
}

func (d *plainDriver) Writer(_ context.Context, path string, appending bool) (storagedriver.FileWriter, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !appending || d.files[path] == nil {
		d.put(path, []byte{})
	}
	return &plainWriter{d: d, path: path}, nil
}

func (d *plainDriver) Stat(_ context.Context, path string) (storagedriver.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, ok := d.files[path]; ok {
		return fileInfo(path, int64(len(b)), false), nil
	}
	if d.dirs[path] {
		return folder(path), nil
	}
	return nil, notFound(path)
}

func (d *plainDriver) List(_ context.Context, path string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dirs[path] {
		return nil, notFound(path)
	}
	var found []string
	add := func(p string) {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			if child := path + "/" + name; !slices.Contains(found, child) {
				found = append(found, child)
			}
		}
	}
	for p := range d.files {
		add(p)
	}
	for p := range d.dirs {
		add(p)
	}
	return found, nil
}

func (d *plainDriver) Move(_ context.Context, from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.files[from]
	if !ok {
		return notFound(from)
	}
	delete(d.files, from)
	d.put(to, b)
	return nil
}

func (d *plainDriver) Delete(_ context.Context, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := false
	for p := range d.files {
		if p == path || strings.HasPrefix(p, path+"/") {
			delete(d.files, p)
			found = true
		}
	}
	for p := range d.dirs {
		if p == path || strings.HasPrefix(p, path+"/") {
			delete(d.dirs, p)
			found = true
		}
	}
	if !found {
		return notFound(path)
	}
	return nil
}

func (d *plainDriver) RedirectURL(*http.Request, string) (string, error) { return "", nil }

func (d *plainDriver) Walk(ctx context.Context, path string, f storagedriver.WalkFn, o ...func(*storagedriver.WalkOptions)) error {
	return storagedriver.WalkFallback(ctx, d, path, f, o...)
}

type plainWriter struct {
	d    *plainDriver
	path string
	done bool
}

func (w *plainWriter) Write(p []byte) (int, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.d.files[w.path] = append(w.d.files[w.path], p...)
	return len(p), nil
}

func (w *plainWriter) Size() int64 {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return int64(len(w.d.files[w.path]))
}

func (w *plainWriter) Close() error {
	if w.done {
		return errWriterDone
	}
	w.done = true
	return nil
}

func (w *plainWriter) Cancel(context.Context) error { return w.Close() }
func (w *plainWriter) Commit(context.Context) error { return nil }

// plainDistribution is distribution over plain files, with no front.
func plainDistribution() fakeregistry.Registry {
	c := &configuration.Configuration{Storage: configuration.Storage{
		"plain":       nil,
		"delete":      {"enabled": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	return plain{handlers.NewApp(quiet{context.Background()}, c)}
}

type plain struct{ *handlers.App }

func (p plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.App.ServeHTTP(w, r.WithContext(quiet{r.Context()}))
}

func (plain) Storage() *fakeregistry.Storage { return nil }
func (p plain) Close() error                 { return p.Shutdown() }
