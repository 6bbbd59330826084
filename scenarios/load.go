package scenarios

import (
	"io/fs"
)

// A Loader reads scenario files. Its zero value knows no environment.
type Loader struct {
	// Files holds the user's files; nil holds none, so that names are those of
	// built-in scenarios. Dir makes one of a folder on disk.
	Files fs.FS
	// Env looks up ${NAME} in a file; nil finds nothing.
	Env func(name string) (value string, ok bool)
}

// Load reads the files that names stand for (see Find) and returns their
// scenarios in the order of the names, each once. No names are all built-in ones.
//
// Errors: *Errors with every problem of every file; *NotFoundError for a name
// that stands for nothing; an error of reading.
func (l *Loader) Load(names ...string) ([]*Scenario, error) { return nil, fs.ErrNotExist }

// Load is Loader.Load without an environment.
func Load(files fs.FS, names ...string) ([]*Scenario, error) {
	return (&Loader{Files: files}).Load(names...)
}

// Dir is the files below dir, "" being the working directory. Unlike os.DirFS it
// also opens absolute names and names with "..", as a person types them.
func Dir(dir string) fs.FS { return nil }
