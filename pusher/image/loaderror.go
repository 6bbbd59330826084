package image

import (
	"archive/tar"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A LoadError says what is wrong with an archive or a layout.
type LoadError struct {
	Source  string // as the caller named it: "app.tar"; "archive" for a stream
	Entry   string // path in the source; "" when it is about the whole
	Problem string // what was found, and what was expected
	Advice  string // how to go on
	Err     error  // the cause; may be nil
}

// Error implements error.
func (e *LoadError) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Entry != "" {
		b.WriteString(": " + e.Entry)
	}
	b.WriteString(": " + e.Problem)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// What to do about what a load found.
const (
	adviceAgain    = "copy or save it again"
	adviceForms    = "give a docker save archive, or an OCI layout as a folder or a tar"
	adviceRebuild  = "the tool that wrote it has to write it anew"
	adviceImage    = "this one cannot be pushed as an image"
	adviceComplete = "save the image again with everything it needs"
)

// broken is the error for bytes of an archive that cannot be read. Errors of ctx
// and of the machine (no space, no permission) pass as they are.
func broken(err error) (problem, advice string, known bool) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", "", false
	case errors.Is(err, errTrailing):
		return errTrailing.Error(), adviceAgain, true
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it is cut off", adviceAgain, true
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, new(flate.CorruptInputError)):
		return "its gzip stream is damaged", adviceAgain, true
	case isZstd(err):
		return "its zstd stream is damaged", adviceAgain, true
	case errors.Is(err, tar.ErrHeader):
		return "it is damaged: there is no tar header where one has to be", adviceAgain, true
	}
	return "", "", false
}

func isZstd(err error) bool {
	for _, known := range []error{
		zstd.ErrMagicMismatch, zstd.ErrCRCMismatch, zstd.ErrBlockTooSmall, zstd.ErrReservedBlockType,
		zstd.ErrCompressedSizeTooBig, zstd.ErrWindowSizeExceeded, zstd.ErrWindowSizeTooSmall,
		zstd.ErrFrameSizeExceeded, zstd.ErrFrameSizeMismatch, zstd.ErrUnknownDictionary,
		zstd.ErrUnexpectedBlockSize, zstd.ErrDecoderSizeExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
