package main

import "os"

// A scratch is a folder for what a push puts aside, made when it is first needed.
type scratch struct {
	path string // "" before that
}

// dir is the folder.
func (s *scratch) dir() (string, error) {
	if s.path == "" {
		path, err := os.MkdirTemp("", "pushcheck-")
		if err != nil {
			return "", broken("", err)
		}
		s.path = path
	}
	return s.path, nil
}

// remove removes it with all in it.
func (s *scratch) remove() {
	if s.path != "" {
		_ = os.RemoveAll(s.path)
	}
}
