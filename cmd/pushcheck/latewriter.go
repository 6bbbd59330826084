package main

import (
	"io"
	"sync"
	"time"
)

// lateness is how long a lateWriter keeps text back at most.
const lateness = 50 * time.Millisecond

// A lateWriter writes what comes close together in one go: a line of its own for each
// of hundreds of small layers costs more than to send one. flush must be called at the
// end. It is safe for concurrent use.
type lateWriter struct {
	w io.Writer

	mu   sync.Mutex // guards everything below, and w
	text []byte     // not written yet
}

// Write implements io.Writer. An error of the writer below changes nothing about a
// push: what main gives commands to write to remembers it, and run tells it in the end.
func (l *lateWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) == 0 {
		time.AfterFunc(lateness, l.flush)
	}
	l.text = append(l.text, p...)
	return len(p), nil
}

// flush writes what is left.
func (l *lateWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) > 0 {
		_, _ = l.w.Write(l.text)
		l.text = l.text[:0]
	}
}
