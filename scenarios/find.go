package scenarios

import "io/fs"

// A Source is a scenario file that a name stands for.
type Source struct {
	Files   fs.FS
	Path    string // in Files
	Builtin bool
	Only    string // the case, matrix values and client after the file's ID: "wrong-password@skopeo"; "" is all
}

// Find says which files a name stands for, in order: a file, a folder (and all
// below it; "./..." too) or a glob in files; where there is none, a built-in
// scenario by its ID ("fallback/v1-only", with or without ".yaml"), by its base
// name ("fallback.yaml"), a folder of the library ("fallback"), or "all". A name
// may go on with a case: "auth/basic/wrong-password". files may be nil.
//
// Errors: *NotFoundError; an error of reading.
func Find(files fs.FS, name string) ([]Source, error) { return nil, &NotFoundError{Name: name} }

// A NotFoundError says that a name stands for no scenario.
type NotFoundError struct {
	Name string
	Near []string // names that look like it, best first
}

// Error names what was looked for, where, and what is near.
func (e *NotFoundError) Error() string { return e.Name }
