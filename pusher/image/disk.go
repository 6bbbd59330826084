package image

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// A disk is what a store's files lie on: read as an fs.FS, changed through here
// alone. Names are slash paths below the store's directory. hook, when not nil, is
// asked before each change and stops it with its error: so tests kill a store
// between any two changes.
type disk struct {
	files   fs.FS
	changes changer
	hook    func(op, name string) error
}

// A changer changes files.
type changer interface {
	// create makes a file that is not there, for writing.
	create(name string) (io.WriteCloser, error)
	// mkdir makes a folder and those above it, where they are not there.
	mkdir(name string) error
	// rename moves a file, over another, or a folder, to where nothing is.
	rename(from, to string) error
	// removeAll removes a file or a folder with all in it, if it is there.
	removeAll(name string) error
}

func (d disk) ask(op, name string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(op, name)
}

func (d disk) create(name string) (io.WriteCloser, error) {
	if err := d.ask("create", name); err != nil {
		return nil, err
	}
	return d.changes.create(name)
}

func (d disk) mkdir(name string) error {
	if err := d.ask("mkdir", name); err != nil {
		return err
	}
	return d.changes.mkdir(name)
}

func (d disk) rename(from, to string) error {
	if err := d.ask("rename", to); err != nil {
		return err
	}
	return d.changes.rename(from, to)
}

func (d disk) removeAll(name string) error {
	if err := d.ask("remove", name); err != nil {
		return err
	}
	return d.changes.removeAll(name)
}

func (d disk) write(name string, data []byte) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (d disk) writeJSON(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return d.write(name, data)
}

// replace puts data at name in one step, over what is there. draft is a name that
// nobody else uses; what a killed process left there goes.
func (d disk) replace(draft, name string, data []byte) error {
	if err := d.removeAll(draft); err != nil {
		return err
	}
	if err := d.write(draft, data); err != nil {
		return err
	}
	return d.rename(draft, name)
}

// exists tells whether there is something of that name.
func (d disk) exists(name string) (bool, error) {
	_, err := fs.Stat(d.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// A directory is the changer of a directory of the machine.
type directory string

func (d directory) path(name string) string {
	return filepath.Join(string(d), filepath.FromSlash(name))
}

func (d directory) create(name string) (io.WriteCloser, error) {
	return os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func (d directory) mkdir(name string) error { return os.MkdirAll(d.path(name), 0o700) }

func (d directory) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d directory) removeAll(name string) error { return os.RemoveAll(d.path(name)) }

// join is a name in a folder.
func join(elements ...string) string { return path.Join(elements...) }
