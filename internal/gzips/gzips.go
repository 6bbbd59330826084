// Package gzips lends gzip writers: making one costs more memory and time than
// compressing a small layer with it.
package gzips

import (
	"compress/gzip"
	"io"
	"sync"
)

// writers are those that nobody has. A writer that was reset writes what a new one
// would, so it does not matter who had it before.
var writers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// Writer lends a writer of the default level on w, as gzip.NewWriter makes it.
// Give it back with Return.
func Writer(w io.Writer) *gzip.Writer {
	z := writers.Get().(*gzip.Writer) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	z.Reset(w)
	return z
}

// Return takes a writer back, closed or not; it is not used afterwards.
func Return(z *gzip.Writer) {
	z.Reset(io.Discard) // keeps nobody's writer alive
	writers.Put(z)
}
