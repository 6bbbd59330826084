package image

import (
	"context"
	"fmt"
	"io/fs"
	"os"
)

// A folder is the tree of a folder on disk. What is fetched from it is copied
// into the batch, once.
type folder struct {
	source string
	root   *os.Root
	batch  *batch
	files  map[string]stagedFile
}

// layerFolders implements tree.
func (f *folder) layerFolders() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if !validID(entry.Name()) {
			continue
		}
		if _, err := f.root.Stat(entry.Name() + "/json"); err == nil {
			ids = append(ids, entry.Name())
		}
	}
	return ids, nil
}

// fetch implements tree. os.Root follows links within the folder, no others.
func (f *folder) fetch(ctx context.Context, name string) (stagedFile, error) {
	if file, ok := f.files[name]; ok {
		return file, nil
	}
	info, err := f.root.Stat(name)
	if err != nil {
		return stagedFile{}, f.explain(name, err)
	}
	if !info.Mode().IsRegular() {
		return stagedFile{}, &LoadError{
			Source: f.source, Entry: name, Advice: adviceRebuild,
			Problem: fmt.Sprintf("it is not a file: its mode is %s", info.Mode()),
		}
	}
	r, err := f.root.Open(name)
	if err != nil {
		return stagedFile{}, f.explain(name, err)
	}
	defer func() { _ = r.Close() }()
	file, err := f.batch.spool(ctx, r)
	if err != nil {
		return stagedFile{}, fmt.Errorf("%s: %s: %w", f.source, name, err)
	}
	f.files[name] = file
	return file, nil
}

func (f *folder) explain(name string, err error) error {
	if os.IsNotExist(err) {
		return fs.ErrNotExist
	}
	return &LoadError{Source: f.source, Entry: name, Problem: "it cannot be read", Advice: "make it a file within the folder that you may read", Err: err}
}
