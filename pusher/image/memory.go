package image

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// A memory is a disk without a machine's directory, for stores of small images. It
// holds everything that is written to it.
type memory struct {
	mu    sync.RWMutex           // guards files
	files map[string]*memoryFile // by name, folders too; "." is always there
}

// A memoryFile is a file or a folder. Its bytes do not change once it is closed.
type memoryFile struct {
	name   string
	folder bool
	data   []byte
}

func newMemory() *memory {
	return &memory{files: map[string]*memoryFile{".": {name: ".", folder: true}}}
}

func notThere(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// Open implements fs.FS for files.
func (m *memory) Open(name string) (fs.File, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, ok := m.files[name]
	if !ok {
		return nil, notThere("open", name)
	}
	return &memoryReader{Reader: bytes.NewReader(f.data), file: f}, nil
}

// ReadDir implements fs.ReadDirFS.
func (m *memory) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if f, ok := m.files[name]; !ok || !f.folder {
		return nil, notThere("readdir", name)
	}
	var entries []fs.DirEntry
	for other, f := range m.files {
		if other != "." && path.Dir(other) == name {
			entries = append(entries, fs.FileInfoToDirEntry(f.info(other)))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// create implements changer.
func (m *memory) create(name string) (io.WriteCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.files[name]; there {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if f, ok := m.files[path.Dir(name)]; !ok || !f.folder {
		return nil, notThere("create", name)
	}
	f := &memoryFile{name: name}
	m.files[name] = f
	return &memoryWriter{file: f}, nil
}

// mkdir implements changer.
func (m *memory) mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; name != "."; name = path.Dir(name) {
		if f, ok := m.files[name]; ok && !f.folder {
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		}
		m.files[name] = &memoryFile{name: name, folder: true}
	}
	return nil
}

// rename implements changer.
func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[from]
	if !ok {
		return notThere("rename", from)
	}
	if old, there := m.files[to]; there && (old.folder || f.folder) {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	for name, f := range m.files {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == '/') {
			delete(m.files, name)
			m.files[to+rest] = f
		}
	}
	return nil
}

// removeAll implements changer.
func (m *memory) removeAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.files {
		if other == name || strings.HasPrefix(other, name+"/") {
			delete(m.files, other)
		}
	}
	return nil
}

// A memoryWriter fills a file. Nobody reads the file before it is closed.
type memoryWriter struct {
	bytes.Buffer
	file *memoryFile
}

// Close implements io.Closer.
func (w *memoryWriter) Close() error {
	w.file.data = w.Bytes()
	return nil
}

// A memoryReader reads a file.
type memoryReader struct {
	*bytes.Reader
	file *memoryFile
}

// Read implements io.Reader. A folder has no bytes.
func (r *memoryReader) Read(p []byte) (int, error) {
	if r.file.folder {
		return 0, &fs.PathError{Op: "read", Path: r.file.name, Err: fs.ErrInvalid}
	}
	return r.Reader.Read(p)
}

// Stat implements fs.File.
func (r *memoryReader) Stat() (fs.FileInfo, error) { return r.file.info(r.file.name), nil }

// Close implements fs.File.
func (r *memoryReader) Close() error { return nil }

// info describes the file under a name.
func (f *memoryFile) info(name string) fs.FileInfo {
	return memoryInfo{base: path.Base(name), folder: f.folder, size: int64(len(f.data))}
}

// A memoryInfo describes a file.
type memoryInfo struct {
	base   string
	folder bool
	size   int64
}

func (i memoryInfo) Name() string       { return i.base }
func (i memoryInfo) Size() int64        { return i.size }
func (i memoryInfo) IsDir() bool        { return i.folder }
func (i memoryInfo) ModTime() time.Time { return time.Time{} }
func (i memoryInfo) Sys() any           { return nil }
func (i memoryInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
