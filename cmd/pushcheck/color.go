package main

// A color is what --color says: "auto", "always" or "never".
type color string

// check refuses what is none of them.
func (c color) check() error {
	if c != "auto" && c != "always" && c != "never" {
		return usage("", "--color is auto, always or never, not %q", string(c))
	}
	return nil
}

// on reports whether a stream is written in colours: with auto that is a terminal's, where
// NO_COLOR is not set.
func (c color) on(isTerminal bool, o outside) bool {
	if c != "auto" {
		return c == "always"
	}
	_, without := o.env("NO_COLOR")
	return isTerminal && !without
}
