package fakeregistry

import (
	"maps"
	"slices"
)

// SetNote keeps a few bytes beside the session under a name, for whoever drives
// it; nil removes them.
func (u *Upload) SetNote(name string, b []byte) {
	u.note.Lock()
	defer u.note.Unlock()
	if b == nil {
		delete(u.notes, name)
		return
	}
	if u.notes == nil {
		u.notes = map[string][]byte{}
	}
	u.notes[name] = append([]byte(nil), b...)
}

// Notes lists the names that SetNote was given, in order.
func (u *Upload) Notes() []string {
	u.note.Lock()
	defer u.note.Unlock()
	return slices.Sorted(maps.Keys(u.notes))
}

// Note is what SetNote kept; nil when there is nothing.
func (u *Upload) Note(name string) []byte {
	u.note.Lock()
	defer u.note.Unlock()
	return u.notes[name]
}
