package image

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A disk does everything that changes the store on disk. hook, when not nil, is
// asked before each change and stops it with its error: so tests kill a store
// between any two changes.
type disk struct {
	hook func(op, path string) error
}

func (d disk) ask(op, path string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(op, path)
}

func (d disk) rename(from, to string) error {
	if err := d.ask("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (d disk) removeAll(path string) error {
	if err := d.ask("remove", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// create makes a new file for writing, which must not be there.
func (d disk) create(path string) (*os.File, error) {
	if err := d.ask("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

func (d disk) mkdir(path string) error {
	if err := d.ask("mkdir", path); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o700)
}

// mkdirTemp makes a new folder below dir.
func (d disk) mkdirTemp(dir, pattern string) (string, error) {
	if err := d.ask("mkdir", filepath.Join(dir, pattern)); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, pattern)
}

func (d disk) write(path string, data []byte) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (d disk) writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return d.write(path, data)
}

// replace puts data at path in one step, over what is there. draft is a path on
// the same file system that nobody else uses.
func (d disk) replace(draft, path string, data []byte) error {
	if err := d.write(draft, data); err != nil {
		return err
	}
	return d.rename(draft, path)
}

// exists tells whether there is something at path.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
