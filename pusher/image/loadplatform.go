package image

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ErrNoPlatform means that a source has no image for the platform that was asked for.
var ErrNoPlatform = errors.New("no image for the platform")

// Wanted is the platform that a load is for.
type Wanted struct {
	Name string // for errors: "linux/arm64"
	// Match tells whether an image for a platform as it is written, such as
	// "linux/arm64/v8", is one; of "" nothing is known.
	Match func(platform string) bool
}

// LoadFor is LoadFrom of what is for one platform alone. An index stays what it was, but
// of its images the others are not kept.
//
// Errors: those of LoadFrom; ErrNoPlatform.
func (s *Store) LoadFor(ctx context.Context, r io.Reader, wanted Wanted) ([]Loaded, error) {
	return s.loadTar(ctx, r, "archive", &wanted)
}

// An otherPlatformError says that an image is for another platform than the wanted one.
type otherPlatformError struct{ error }

// A noPlatformError is ErrNoPlatform with words of its own.
type noPlatformError struct{ *LoadError }

// Is implements what errors.Is asks for.
func (noPlatformError) Is(target error) bool { return target == ErrNoPlatform }

// Unwrap gives errors.As the words.
func (e noPlatformError) Unwrap() error { return e.LoadError }

// check looks whether an image is for the wanted platform.
//
// Errors: *otherPlatformError.
func (s *source) check(platform string) error {
	if s.wanted == nil || s.wanted.Match(platform) {
		return nil
	}
	if platform == "" {
		platform = "one that nothing names"
	}
	if !slices.Contains(s.others, platform) {
		s.others = append(s.others, platform)
	}
	return &otherPlatformError{ErrNoPlatform}
}

// passes tells whether what an index lists may be for the wanted platform.
func (s *source) passes(d v1.Descriptor) bool {
	return d.Platform == nil || s.check(platform(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant)) == nil
}

// noPlatform is the error of a source in which nothing is for the wanted platform.
func (s *source) noPlatform() error {
	slices.Sort(s.others)
	problem := "it has none for " + s.wanted.Name
	if len(s.others) > 0 {
		problem += "; what it has is for " + strings.Join(s.others, ", ")
	}
	return noPlatformError{&LoadError{Source: s.name, Problem: problem, Advice: "ask for a platform that it has, or for none"}}
}
