package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/scenarios/library"
)

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
// name ("fallback.yaml", "auth-basic.yaml"), a folder of the library ("auth"), or "all",
// which leaves out the folder "clients": it is about programs of others. A name may
// go on with a case: "auth/auth-basic/wrong-password". files may be nil.
//
// A place never stands for the library: neither a folder that is there and has no
// scenario, nor ".", nor a glob that does not begin with a folder of the library.
//
// Errors: *NotFoundError; an error of reading.
func Find(files fs.FS, name string) ([]Source, error) {
	slashed := strings.ReplaceAll(name, `\`, "/")
	if slashed == "" {
		return nil, &NotFoundError{}
	}
	var own []Source
	if files != nil {
		var err error
		if own, err = findIn(files, slashed, false); err != nil {
			return nil, err
		}
	}
	if len(own) > 0 && own[0].Only == "" {
		return own, nil
	}
	switch {
	case len(own) == 0 && isPlace(files, slashed):
		return nil, &NotFoundError{Name: name, Place: true}
	case slashed == "all":
		slashed = "."
	}
	list, err := findIn(library.Files, path.Clean(strings.TrimPrefix(slashed, "scenarios/library/")), true)
	switch {
	case err != nil:
		return nil, err
	case len(own) > 0 && (len(list) == 0 || list[0].Only != ""): // a case of a file, unless a built-in is called so
		return own, nil
	case len(list) > 0:
		return list, nil
	}
	if list := builtinByBase(slashed); len(list) > 0 {
		return list, nil
	}
	return nil, &NotFoundError{Name: name, Near: nearBuiltin(slashed)}
}

// findIn looks for name in one place. Nothing there is no error.
func findIn(files fs.FS, name string, builtin bool) ([]Source, error) {
	name = path.Clean(strings.TrimSuffix(name, "..."))
	if strings.ContainsAny(name, "*?[") {
		return findGlob(files, name, builtin)
	}
	info, err := fs.Stat(files, name)
	switch {
	case err == nil && info.IsDir():
		return findBelow(files, name, builtin)
	case err == nil:
		return []Source{{Files: files, Path: name, Builtin: builtin}}, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !isNotDir(err):
		return nil, fmt.Errorf("find scenario %s: %w", name, err)
	}
	return findCase(files, name, builtin), nil
}

// isPlace reports whether name is about a place, not about a built-in scenario.
func isPlace(files fs.FS, name string) bool {
	name = path.Clean(strings.TrimSuffix(name, "..."))
	first, _, _ := strings.Cut(name, "/")
	if name == "." || strings.ContainsAny(first, "*?[") {
		return true
	}
	if files == nil {
		return false
	}
	info, err := fs.Stat(files, name)
	return err == nil && info.IsDir()
}

// isNotDir says that a part of a path is a file: the name then goes on with a case.
func isNotDir(err error) bool { return strings.Contains(err.Error(), "not a directory") }

func findGlob(files fs.FS, pattern string, builtin bool) ([]Source, error) {
	matches, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, fmt.Errorf("find scenarios %s: %w", pattern, err)
	}
	var list []Source
	for _, m := range matches {
		info, err := fs.Stat(files, m)
		if err != nil {
			return nil, fmt.Errorf("find scenarios %s: %w", pattern, err)
		}
		if !info.IsDir() {
			if isScenario(m) {
				list = append(list, Source{Files: files, Path: m, Builtin: builtin})
			}
			continue
		}
		below, err := findBelow(files, m, builtin)
		if err != nil {
			return nil, err
		}
		list = append(list, below...)
	}
	return list, nil
}

// foreignFolder is the folder of the library that is about clients of others. It
// is not of the whole library: who wants it names it.
const foreignFolder = "clients"

// findBelow lists the scenario files of a folder and all below it, by path.
// Hidden folders and the bench's own settings are left out.
func findBelow(files fs.FS, root string, builtin bool) ([]Source, error) {
	var list []Source
	err := fs.WalkDir(files, root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(p)
		if entry.IsDir() {
			if p != root && (strings.HasPrefix(base, ".") || builtin && p == foreignFolder) {
				return fs.SkipDir
			}
			return nil
		}
		if isScenario(p) {
			list = append(list, Source{Files: files, Path: p, Builtin: builtin})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find scenarios below %s: %w", root, err)
	}
	return list, nil
}

func isScenario(p string) bool {
	base := path.Base(p)
	ext := path.Ext(base)
	return (ext == ".yaml" || ext == ".yml") && base != "pushcheck.yaml" && !strings.HasPrefix(base, ".")
}

// findCase looks for a file that name without an end of it stands for:
// "auth/basic/wrong-password" is a case of auth/basic.yaml, "clients@skopeo" a
// client of clients.yaml.
func findCase(files fs.FS, name string, builtin bool) []Source {
	for end := len(name); end > 0; end = strings.LastIndexAny(name[:end], "/@") {
		for _, ext := range []string{".yaml", ".yml", ""} {
			p := name[:end] + ext
			if ext == "" && !isScenario(p) {
				continue
			}
			if info, err := fs.Stat(files, p); err == nil && !info.IsDir() {
				return []Source{{Files: files, Path: p, Builtin: builtin, Only: strings.TrimPrefix(name[end:], "/")}}
			}
		}
	}
	return nil
}

// builtinByBase finds built-in files by their base name ("basic", "auth-basic"), a
// case after it.
func builtinByBase(name string) []Source {
	var list []Source
	for _, p := range builtinPaths() {
		id := strings.TrimSuffix(p, ".yaml")
		shorts := []string{path.Base(id), strings.ReplaceAll(id, "/", "-")}
		if strings.HasPrefix(id, foreignFolder+"/") {
			shorts = shorts[1:] // what they are called alone is often the name of one of our own
		}
		for _, short := range shorts {
			rest, ok := strings.CutPrefix(name, short)
			rest = strings.TrimPrefix(rest, ".yaml")
			if ok && (rest == "" || rest[0] == '/' || rest[0] == '@') {
				list = append(list, Source{Files: library.Files, Path: p, Builtin: true, Only: strings.TrimPrefix(rest, "/")})
				break
			}
		}
	}
	return list
}

// builtinPaths lists the files of the library.
func builtinPaths() []string {
	var paths []string
	for _, root := range []string{".", foreignFolder} {
		sources, err := findBelow(library.Files, root, true)
		if err != nil {
			return nil // the library is part of the program
		}
		for _, s := range sources {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// nearBuiltin names built-in scenarios that look like name.
func nearBuiltin(name string) []string {
	var ids, bases []string
	byBase := map[string]string{}
	for _, p := range builtinPaths() {
		id := strings.TrimSuffix(p, ".yaml")
		ids = append(ids, id)
		bases = append(bases, path.Base(id))
		byBase[path.Base(id)] = id
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".yml")
	found := near(name, ids)
	for _, base := range near(path.Base(name), bases) {
		if id := byBase[base]; !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	return found
}

// A NotFoundError says that a name stands for no scenario.
type NotFoundError struct {
	Name  string
	Near  []string // names that look like it, best first
	Place bool     // whether it is a folder or glob, which has no scenario
}

// Error names what was looked for, where, and what is near.
func (e *NotFoundError) Error() string {
	switch {
	case e.Name == "":
		return "the name of a scenario is empty"
	case e.Place:
		return "no scenario in " + shownPlace(e.Name)
	}
	text := e.Name + ": no such file, folder or built-in scenario"
	switch len(e.Near) {
	case 0:
		return text + `; "pushcheck list" shows the built-in ones`
	case 1:
		return text + "; did you mean " + e.Near[0] + "?"
	}
	return text + "; did you mean one of " + strings.Join(e.Near, ", ") + "?"
}

// shownPlace is a folder or glob as nobody takes it for a scenario: "./auth".
func shownPlace(name string) string {
	if strings.HasPrefix(name, ".") || path.IsAbs(name) || strings.ContainsAny(name, `\:`) {
		return name
	}
	return "./" + name
}
