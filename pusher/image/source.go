package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A tree is what a load reads from: an archive or a folder, with clean slash
// paths for names.
type tree interface {
	// layerFolders lists the folders <id> that have a file json, in order.
	layerFolders() ([]string, error)
	// fetch has the file in the batch. Its error is fs.ErrNotExist when there is
	// none, a *LoadError when it cannot be had.
	fetch(ctx context.Context, name string) (stagedFile, error)
}

// A source is one load: a tree, its name for people, and the batch to fill.
type source struct {
	tree
	name  string
	batch *batch
	seen  map[digest.Digest]unpacked // what examine found, by digest of the file

	wanted *Wanted  // nil is every platform
	others []string // platforms of what was left out
}

// fail is the error about an entry.
func (s *source) fail(entry, problem, advice string) error {
	return &LoadError{Source: s.name, Entry: entry, Problem: problem, Advice: advice}
}

// has tells whether there is a file of that name.
func (s *source) has(ctx context.Context, name string) (bool, error) {
	_, err := s.fetch(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// need fetches a file that has to be there; why says who needs it.
func (s *source) need(ctx context.Context, name, why string) (stagedFile, error) {
	file, err := s.fetch(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return stagedFile{}, s.fail(name, "it is missing, and "+why, adviceComplete)
	}
	return file, err
}

// refer makes a path that a document of the source names clean.
func (s *source) refer(document, name string) (string, error) {
	cleaned, ok := cleanPath(name)
	if !ok || cleaned == "." {
		return "", s.fail(document, fmt.Sprintf("it names %q, which is not a path within the archive", name), adviceRebuild)
	}
	return cleaned, nil
}

// cleanPath makes a path clean and tells whether it stays within its tree.
func cleanPath(name string) (string, bool) {
	cleaned := path.Clean(strings.TrimSuffix(name, "/"))
	inside := !strings.HasPrefix(name, "/") && !strings.Contains(name, "\\") &&
		cleaned != ".." && !strings.HasPrefix(cleaned, "../")
	return cleaned, inside
}

// document reads a JSON document and decodes it into v.
func (s *source) document(name string, file stagedFile, v any) ([]byte, error) {
	if limit := s.batch.store.bound.json; file.size > limit {
		return nil, s.fail(name, fmt.Sprintf("it has %d bytes; a JSON document here has at most %d", file.size, limit), adviceRebuild)
	}
	data, err := fs.ReadFile(s.batch.store.disk.files, file.path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, s.notJSON(name, err)
	}
	return data, nil
}

// notJSON is the error of a document that could not be decoded.
func (s *source) notJSON(name string, err error) error {
	switch text := err.Error(); { // encoding/json has no other way to tell them apart
	case text == "unexpected end of JSON input":
		return s.fail(name, "its JSON is cut off", adviceAgain)
	case strings.HasSuffix(text, "after top-level value"):
		return s.fail(name, "something follows its JSON", adviceRebuild)
	}
	problem := "it is not JSON: " + err.Error()
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) { // its own text speaks of our types
		problem = fmt.Sprintf("it is not the JSON that belongs there: %s is of type %s", cmp.Or(typ.Field, "the whole"), typ.Value)
	}
	return &LoadError{Source: s.name, Entry: name, Problem: problem, Advice: adviceRebuild}
}
