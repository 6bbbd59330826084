package image

// OpenHooked is Open with a hook that is asked before each change on disk.
func OpenHooked(dir string, hook func(op, path string) error) (*Store, error) {
	return open(dir, disk{hook: hook})
}

// Bound lowers the bounds of loads.
func (s *Store) Bound(json int64, entries int, free, ratio int64) {
	s.bound = bounds{json: json, entries: entries, free: free, archiveRatio: ratio, layerRatio: ratio}
}
