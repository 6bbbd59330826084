package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A reportFile is a file that is written in the end and can be written: there is all
// of a report in it, or what was in it before.
type reportFile struct {
	name string   // where it will be
	file *os.File // beside it until then; the file itself where that is a pipe or a device
	own  bool     // the file itself
}

// openReport opens the file that a flag names. Whoever opened it closes it.
func openReport(flag, name string) (*reportFile, error) {
	r, err := newReportFile(name)
	if err != nil {
		if path := new(fs.PathError); errors.As(err, &path) {
			err = fmt.Errorf("%s: %w", name, path.Err) // not the name of what is beside it
		}
		return nil, broken("--"+flag+" takes a file that can be written, in a folder that exists", err)
	}
	return r, nil
}

func newReportFile(name string) (*reportFile, error) {
	mode := fs.FileMode(0o644) // a report is for everybody
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return &reportFile{name: name, file: file, own: true}, nil
		}
		_ = file.Close() // nothing was written
		mode = info.Mode().Perm()
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	r := &reportFile{name: name, file: file}
	if err := file.Chmod(mode); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// write writes all of a report, and puts it where it belongs. It may be called once.
func (r *reportFile) write(report func(io.Writer) error) error {
	if err := errors.Join(report(r.file), r.file.Close()); err != nil {
		return err
	}
	if r.own {
		return nil
	}
	return os.Rename(r.file.Name(), r.name)
}

// close takes away what was not written.
func (r *reportFile) close() {
	_ = r.file.Close() // what was written to it was checked
	if !r.own {
		_ = os.Remove(r.file.Name()) // there is none where it was written
	}
}
