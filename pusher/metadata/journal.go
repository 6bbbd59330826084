package metadata

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A journal is a file with a line for each change of a store: one write, where two
// files a layer are what a docker has.
//
//   - DIFF-ID DIGEST HMAC|- REPOSITORY   an entry was added, or became the youngest
//     = DIFF-ID                            everything about a layer was forgotten
type journal struct {
	path string
	read bool
	torn bool     // its last line was cut off
	file *os.File // nil before the first change, and after one that failed
	err  error    // the first of a change
}

// OpenJournal opens the store in a file, which is made when something is first learned.
// It is for eras that are nobody's: dockers have Open. A line that cannot be read counts
// as one that is not there. Close it.
func OpenJournal(path string) *Store {
	s := InMemory()
	s.journal = &journal{path: path}
	return s
}

// Close ends the use of a store's files. A store of Open or InMemory has none open.
//
// Errors: of the disk, also the first that a change met.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	err := s.journal.err
	s.journal.err = nil
	if s.journal.file != nil {
		err = errors.Join(err, s.journal.file.Close())
		s.journal.file = nil
	}
	return err
}

// replay reads the journal, once. The caller holds mu.
func (s *Store) replay() {
	j := s.journal
	if j == nil || j.read {
		return
	}
	j.read = true
	file, err := os.Open(j.path)
	if err != nil {
		return
	}
	defer file.Close() // read only
	lines, entries := 0, 0
	for r := bufio.NewReader(file); err == nil; {
		var line string
		line, err = r.ReadString('\n')
		if line != "" {
			lines++
			j.torn = err != nil
			s.apply(strings.Fields(line))
		}
	}
	for _, list := range s.byDiffID {
		entries += len(list)
	}
	if lines > 1000 && lines > 4*entries {
		_ = s.rewrite() // a journal that stays long is no harm
	}
}

// apply makes the change of one line.
func (s *Store) apply(words []string) {
	switch {
	case len(words) == 5 && words[0] == "+":
		e := Entry{Digest: digest.Digest(words[2]), SourceRepository: words[4]}
		if words[3] != "-" {
			e.HMAC = words[3]
		}
		d := digest.Digest(words[1])
		s.byDiffID[d] = youngest(s.byDiffID[d], e)
		s.diffIDs[e.Digest] = d
	case len(words) == 2 && words[0] == "=":
		delete(s.byDiffID, digest.Digest(words[1]))
	}
}

// line is the change that adds an entry; "" for one that no line can hold.
func (e Entry) line(d digest.Digest) string {
	mac := e.HMAC
	if mac == "" {
		mac = "-"
	}
	if line := fmt.Sprintf("+ %s %s %s %s\n", d, e.Digest, mac, e.SourceRepository); len(strings.Fields(line)) == 5 {
		return line
	}
	return ""
}

// lists are the lines that leave a layer with a list.
func lists(d digest.Digest, list []Entry) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.line(d))
	}
	return b.String()
}

// note adds lines to the journal. The caller holds mu.
func (s *Store) note(text string) error {
	err := s.journal.add(text)
	if s.journal.err == nil {
		s.journal.err = err
	}
	return err
}

func (j *journal) add(text string) error {
	if j.file == nil {
		if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		j.file = f
		if j.torn {
			text, j.torn = "\n"+text, false
		}
	}
	n, err := j.file.WriteString(text)
	if err != nil {
		j.torn = n > 0
		_ = j.file.Close()
		j.file = nil
	}
	return err
}

// rewrite writes the journal anew, without what is no longer so. The caller holds mu.
func (s *Store) rewrite() error {
	var b strings.Builder
	for d, list := range s.byDiffID {
		b.WriteString(lists(d, list))
	}
	return replace(s.journal.path, []byte(b.String()))
}
