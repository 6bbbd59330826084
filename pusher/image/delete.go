package image

// sweep removes blobs that nothing refers to.
func (s *Store) sweep() error { return nil }
