package scenarios

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Loader reads scenario files. Its zero value knows no files but the built-in
// ones and no environment.
type Loader struct {
	// Files holds the user's files; nil holds none. Dir makes one of a folder on
	// disk.
	Files fs.FS
	// Env looks up ${NAME} in a file; nil finds nothing.
	Env func(name string) (value string, ok bool)
	// Clients are names of foreign clients that a file may name, beside those that
	// the format knows: those of the user's own adapters.
	Clients []string
}

// Load reads the files that names stand for (see Find) and returns their
// scenarios in the order of the names, each once. No names are all built-in ones.
//
// Errors: *Errors with every problem of every file; *NotFoundError for a name
// that stands for nothing; an error of reading.
func (l *Loader) Load(names ...string) ([]*Scenario, error) {
	if len(names) == 0 {
		names = []string{"all"}
	}
	var list []*Scenario
	problems := &Errors{}
	seen := map[string]bool{}
	for _, name := range names {
		sources, err := Find(l.Files, name)
		if err != nil {
			return nil, err
		}
		found := 0
		for _, src := range sources {
			made, err := l.read(src, problems)
			if err != nil {
				return nil, err
			}
			found += len(made)
			for _, s := range made {
				if !seen[s.Name] {
					seen[s.Name] = true
					list = append(list, s)
				}
			}
		}
		if found == 0 && len(problems.Problems) == 0 {
			return nil, &NotFoundError{Name: name}
		}
	}
	if len(problems.Problems) > 0 {
		problems.Problems = sortProblems(problems.Problems)
		return nil, problems
	}
	distinguish(list)
	return list, nil
}

// Load is Loader.Load without an environment.
func Load(files fs.FS, names ...string) ([]*Scenario, error) {
	return (&Loader{Files: files}).Load(names...)
}

// read decodes one source. What is wrong with it is added to problems.
func (l *Loader) read(src Source, problems *Errors) ([]*Scenario, error) {
	info, err := fs.Stat(src.Files, src.Path)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	if !info.Mode().IsRegular() { // opening it could wait, and reading it never end
		problems.Problems = append(problems.Problems, Problem{
			Position: Position{File: src.file(nil).name}, Message: "this is not a regular file; a scenario is one",
		})
		return nil, nil
	}
	text, err := readBounded(src)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	from := src.file(l.Env)
	from.clients = l.Clients
	list, err := decodeFile(from, text)
	if err != nil {
		if wrong, ok := err.(*Errors); ok { //nolint:errorlint // decodeFile returns nothing else
			problems.Problems = append(problems.Problems, wrong.Problems...)
			return nil, nil
		}
		return nil, err
	}
	var chosen []*Scenario
	var suffixes []string
	for _, s := range list {
		s.Files, s.Path = src.Files, src.Path
		suffix := strings.TrimPrefix(s.ID, src.file(nil).id)
		suffixes = append(suffixes, strings.TrimPrefix(suffix, "/"))
		if chooses(src.Only, suffix) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, &NotFoundError{Name: src.file(nil).id + "/" + src.Only, Near: suffixes}
	}
	return chosen, nil
}

// readBounded reads a source, and of one that is too long only enough to tell.
func readBounded(src Source) ([]byte, error) {
	f, err := src.Files.Open(src.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// chooses reports whether only, the end of a name, stands for a scenario whose ID
// goes on with suffix after its file's.
func chooses(only, suffix string) bool {
	if only == "" {
		return true
	}
	suffix = strings.TrimPrefix(suffix, "/")
	rest, ok := strings.CutPrefix(suffix, only)
	return ok && (rest == "" || rest[0] == '/' || rest[0] == '@' || rest[0] == ',')
}

// file is what the decoder is told of a source.
func (s Source) file(env func(string) (string, bool)) file {
	if s.Builtin {
		id := idOf(s.Path)
		return file{name: "scenarios/library/" + s.Path, id: id, find: id, env: env}
	}
	return file{name: s.Path, id: idOf(s.Path), find: strings.TrimSuffix(strings.TrimSuffix(s.Path, ".yaml"), ".yml"), env: env}
}

// distinguish gives scenarios of different files that share an ID their whole
// names: reports must not mix them up.
func distinguish(list []*Scenario) {
	count := map[string]int{}
	for _, s := range list {
		count[s.ID]++
	}
	for _, s := range list {
		if count[s.ID] > 1 {
			s.ID = s.Name
		}
	}
}

// Dir is the files below dir, "" being the working directory. Unlike os.DirFS it
// also opens absolute names and names with "..", as a person types them.
func Dir(dir string) fs.FS { return dirFS(dir) }

type dirFS string

func (d dirFS) path(name string) string {
	name = filepath.FromSlash(name)
	if d == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(string(d), name)
}

// Open implements fs.FS.
func (d dirFS) Open(name string) (fs.File, error) { return os.Open(d.path(name)) }

// Stat implements fs.StatFS.
func (d dirFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(d.path(name)) }

// ReadFile implements fs.ReadFileFS.
func (d dirFS) ReadFile(name string) ([]byte, error) { return os.ReadFile(d.path(name)) }

// ReadDir implements fs.ReadDirFS.
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(d.path(name)) }

// Sub implements fs.SubFS.
func (d dirFS) Sub(name string) (fs.FS, error) { return dirFS(d.path(name)), nil }

// List is every built-in scenario, in order.
func List() []*Scenario {
	list, err := Load(nil)
	if err != nil {
		return nil // a test loads the library: it cannot be wrong
	}
	return slices.Clip(list)
}
