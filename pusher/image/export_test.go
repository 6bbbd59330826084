package image

import "io/fs"

// Memory is where a store in memory lies, when it is to outlive the Store.
type Memory = memory

// NewMemory makes an empty one.
func NewMemory() *Memory { return newMemory() }

// OpenHooked opens a store in memory with a hook that is asked before each change.
func OpenHooked(m *Memory, hook func(op, name string) error) (*Store, error) {
	s := &Store{name: "store in memory", bound: defaultBounds, disk: disk{files: m, changes: m, hook: hook}}
	return s, s.prepare()
}

// OpenHookedAt is Open with such a hook.
func OpenHookedAt(dir string, hook func(op, name string) error) (*Store, error) {
	return open(dir, hook)
}

// Bound lowers the bounds of loads.
func (s *Store) Bound(json int64, entries int, free, ratio int64) {
	s.bound = bounds{json: json, entries: entries, free: free, archiveRatio: ratio, layerRatio: ratio}
}

// Files lists the names of all files of a store.
func (s *Store) Files() ([]string, error) {
	var names []string
	err := fs.WalkDir(s.disk.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}
