// Package metadata keeps what dockers since 1.10 remember of the layers that they
// pushed: under which digest a registry knows a layer, and in which repository
// (P-355).
//
// A store is one directory, or for eras that are nobody's one file (see OpenJournal):
//
//	v2metadata-by-diffid/<algorithm>/<hex>  a JSON list of entries, oldest first
//	diffid-by-digest/<algorithm>/<hex>      the diff ID of a digest
package metadata

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
)

// limit is how many entries of a layer are kept; the oldest are dropped (P-355).
const limit = 50

// An Entry says that a repository had a layer under a digest.
type Entry struct {
	Digest           digest.Digest
	SourceRepository string // with its registry: "docker.io/library/ubuntu"; "" is anywhere
	// HMAC ties the entry to the credentials with which it was learned, in hex;
	// "" in dockers before 1.13 (P-362).
	HMAC string `json:",omitempty"`
}

// A Key is what entries are tied to; nil ties to nothing (P-362).
type Key []byte

// Sign is the entry tied to a key.
func (k Key) Sign(e Entry) Entry {
	e.HMAC = ""
	if len(k) > 0 {
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(e.Digest))
		mac.Write([]byte(e.SourceRepository))
		e.HMAC = hex.EncodeToString(mac.Sum(nil))
	}
	return e
}

// Matches tells whether an entry is tied to the key. An entry without HMAC and no
// key match (P-362).
func (k Key) Matches(e Entry) bool {
	if e.HMAC == "" || len(k) == 0 {
		return e.HMAC == "" && len(k) == 0
	}
	return hmac.Equal([]byte(k.Sign(e).HMAC), []byte(e.HMAC))
}

// A Store holds entries by diff ID. It is safe for concurrent use by this
// process.
type Store struct {
	dir     string   // "" keeps everything in memory, or in the journal
	journal *journal // nil for none; guarded by mu

	mu       sync.Mutex // guards the maps, and the files
	byDiffID map[digest.Digest][]Entry
	diffIDs  map[digest.Digest]digest.Digest // by digest
}

// InMemory makes an empty store that is gone with the process.
func InMemory() *Store {
	return &Store{byDiffID: map[digest.Digest][]Entry{}, diffIDs: map[digest.Digest]digest.Digest{}}
}

// Open opens the store in dir, which is made when something is first learned. A
// file that cannot be read counts as one that is not there, as with docker.
func Open(dir string) *Store {
	s := InMemory()
	s.dir = dir
	return s
}

// Entries are what is known of a layer, oldest first. The slice is the caller's.
func (s *Store) Entries(diffID digest.Digest) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries(diffID))
}

// Add learns an entry, or makes it the youngest.
//
// Errors: of the disk.
func (s *Store) Add(diffID digest.Digest, e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := youngest(s.entries(diffID), e)
	if s.journal != nil {
		s.byDiffID[diffID], s.diffIDs[e.Digest] = list, diffID
		return s.note(e.line(diffID))
	}
	if err := s.keep(diffID, list); err != nil {
		return err
	}
	s.diffIDs[e.Digest] = diffID
	return s.write("diffid-by-digest", e.Digest, []byte(diffID))
}

// youngest is a list with an entry as its youngest, and the oldest dropped (P-355).
func youngest(list []Entry, e Entry) []Entry {
	list = append(slices.DeleteFunc(slices.Clone(list), func(old Entry) bool { return old == e }), e)
	return list[max(len(list)-limit, 0):]
}

// Remove forgets an entry, of whichever layer its digest is.
//
// Errors: of the disk.
func (s *Store) Remove(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replay()
	diffID, ok := s.diffIDs[e.Digest]
	if !ok {
		data, err := s.read("diffid-by-digest", e.Digest)
		if err != nil {
			return nil //nolint:nilerr // nothing is known of it
		}
		diffID = digest.Digest(data)
	}
	return s.keep(diffID, slices.DeleteFunc(slices.Clone(s.entries(diffID)), func(old Entry) bool { return old == e }))
}

// Forget forgets everything about a layer.
//
// Errors: of the disk.
func (s *Store) Forget(diffID digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(diffID, nil)
}

// entries reads a list. The caller holds mu.
func (s *Store) entries(diffID digest.Digest) []Entry {
	s.replay()
	if list, ok := s.byDiffID[diffID]; ok {
		return list
	}
	data, err := s.read("v2metadata-by-diffid", diffID)
	if err != nil {
		return nil
	}
	var list []Entry
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	s.byDiffID[diffID] = list
	return list
}

// keep replaces a list. The caller holds mu.
func (s *Store) keep(diffID digest.Digest, list []Entry) error {
	if s.journal != nil {
		s.replay()
		s.byDiffID[diffID] = list
		return s.note("= " + string(diffID) + "\n" + lists(diffID, list))
	}
	if list == nil {
		list = []Entry{}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := s.write("v2metadata-by-diffid", diffID, data); err != nil {
		return err
	}
	s.byDiffID[diffID] = list
	return nil
}

func (s *Store) path(folder string, d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("metadata of %q: %w", d, err)
	}
	return filepath.Join(s.dir, folder, d.Algorithm().String(), d.Encoded()), nil
}

func (s *Store) read(folder string, d digest.Digest) ([]byte, error) {
	if s.dir == "" {
		return nil, fs.ErrNotExist
	}
	path, err := s.path(folder, d)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// write replaces a file.
func (s *Store) write(folder string, d digest.Digest, data []byte) error {
	path, err := s.path(folder, d)
	if err != nil || s.dir == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, data)
}

// replace replaces a file in one step.
func replace(path string, data []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = draft.Write(data)
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}
