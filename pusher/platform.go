package pusher

import (
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// ParsePlatform reads a platform as people write it, "linux/arm64" or "linux/arm/v7".
//
// Errors: of the text, with the form that is wanted.
func ParsePlatform(s string) (v1.Platform, error) {
	p, err := platforms.Parse(s)
	if err != nil || strings.Count(s, "/") < 1 { // a part alone stands for a machine
		return v1.Platform{}, fmt.Errorf("%q is no platform; write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7", s)
	}
	return p, nil
}

// A PlatformError says that an image is not there for the platform that was asked
// for. Its text is the era's.
type PlatformError struct {
	Wanted  string
	Present []string // the platforms that the image is there for
	text    string
}

// Error implements error.
func (e *PlatformError) Error() string { return e.text }

// newPlatformError is the error of a job's tag.
func newPlatformError(job *Job, tag string, present []string) *PlatformError {
	name := job.familiar(tag)
	if job.Era.Words.NoPlatform == "" {
		name = job.reference(tag)
	}
	return job.Era.NewPlatformError(name, *job.platform, present)
}

// NewPlatformError words an era's error about an image that is not there for a platform:
// name is local, with the tag. Of several platforms that are there, none is the wanted
// one.
func (e Era) NewPlatformError(name string, wanted v1.Platform, present []string) *PlatformError {
	words := e.Words.NoPlatform
	if words == "" {
		words = "%[1]s is not there for %[2]s; it is there for %[3]s"
	}
	p := &PlatformError{Wanted: platforms.FormatAll(wanted), Present: present}
	p.text = fmt.Sprintf(words, name, p.Wanted, orNone(present))
	return p
}

// orNone lists platforms for people.
func orNone(present []string) string {
	if len(present) == 0 {
		return "none that is known"
	}
	return strings.Join(present, ", ")
}

// familiar is a tag as docker's own errors name it.
func (j *Job) familiar(tag string) string { return j.Name.Local + ":" + tag }

// PlatformMatches tells whether a platform as it is written ("linux/arm64/v8") is the
// one that is wanted, by containerd's own comparison: what may be left out is.
func PlatformMatches(want v1.Platform, written string) bool {
	got, err := platforms.Parse(written)
	return err == nil && platforms.OnlyStrict(want).Match(got)
}

// checkPlatform looks whether an image out of a graph, by its tag and its top layer, is
// for the platform that was asked for: a graph has an image for one platform alone.
//
// Errors: *PlatformError.
func (j *Job) checkPlatform(tag, id string) error {
	if j.platform == nil {
		return nil
	}
	origins, err := j.Images.Origins(id)
	if err != nil {
		return err
	}
	var present []string
	for _, o := range origins {
		if PlatformMatches(*j.platform, platformOf(o)) {
			return nil
		}
		present = append(present, platformOf(o))
	}
	return newPlatformError(j, tag, present[:min(len(present), 1)])
}

// lookPlatform is checkPlatform before anything is told, for the eras that look then.
//
// Errors: *PlatformError.
func (j *Job) lookPlatform() error {
	if j.Era.Way != WayGraph || j.platform == nil || j.Tag == "" {
		return nil
	}
	tags, err := j.Images.Tags(j.Name.Local)
	id, ok := tags[j.Tag]
	if err != nil || !ok {
		return nil //nolint:nilerr // the push itself says so, in its own words
	}
	return j.checkPlatform(j.Tag, id)
}

// usualPlatform is that of an image which says none.
const usualPlatform = "linux/amd64"

func platformOf(o image.Origin) string {
	if o.Platform == "" {
		return usualPlatform
	}
	return o.Platform
}
