package pusher

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// A Pusher pushes one job to one endpoint in one protocol version. It never
// decides whether another endpoint may try.
//
// What it published before an error is returned beside the error.
//
// Errors: a *StageError says which stage was reached; any other error counts as
// one after which nothing else may be tried. When ctx ended, any error.
type Pusher interface {
	Push(ctx context.Context, job *Job) ([]Published, error)
}

// A Job is one push as one endpoint sees it. It belongs to one Pusher at a time
// and is read only.
type Job struct {
	Era      Era
	Endpoint Endpoint
	Name     Name

	Tag string // as asked; "" is every tag
	// Tags is the local map of the repository: tag or digest reference → layer ID.
	Tags     map[string]string
	TagOrder []string // see Options.TagOrder
	Images   *image.Store

	Credentials Credentials
	// Transport sends requests to this endpoint: one connection each, with the
	// era's User-Agent and the X-Meta-* headers added, recorded, and without a
	// time limit. It does not authorize.
	Transport http.RoundTripper
	meta      http.Header // what Transport adds
	recorder  *wire.Recorder

	TrustKey libtrust.PrivateKey
	TempDir  string
	Clock    clock.Clock
	Log      *slog.Logger // never nil

	// Report tells the user. It may be called from any goroutine.
	Report func(Event)
	// Lock takes the repository's name in the client's pool (P-181).
	Lock func() (unlock func(), err error)

	platform     *v1.Platform // that was asked for; nil is none in particular
	allowForeign bool         // layers that live elsewhere are uploaded
	allowSchema1 bool
	concurrency  int   // uploads at once; 0 is the era's own
	chunk        int64 // bytes; 0 sends blobs whole
	metadata     *metadata.Store
	transfers    *transfers              // the client's
	retain       func() (release func()) // keeps Transport usable
}

// tagNames is every tag of the repository without the digest references, in the
// order in which they are pushed (P-184).
func (j *Job) tagNames() []string {
	var names []string
	for _, tag := range j.TagOrder {
		if _, ok := j.Tags[tag]; ok && !isDigestReference(tag) && !slices.Contains(names, tag) {
			names = append(names, tag)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(j.Tags)) {
		if !isDigestReference(tag) && !slices.Contains(names, tag) {
			names = append(names, tag)
		}
	}
	return names
}

// isDigestReference tells an entry of the local map that was pulled by digest.
func isDigestReference(tag string) bool { return strings.Contains(tag, ":") }

// remember notes that the repository has a blob that goes out as it is stored, for
// later pushes to others. This push does without, so a disk that fails is not its end.
func (j *Job) remember(ctx context.Context, d digest.Digest) {
	if err := j.metadata.Add(d, metadata.Entry{Digest: d, SourceRepository: j.Name.Canonical}); err != nil {
		j.Log.WarnContext(ctx, "where a blob is could not be remembered", "digest", d, "err", err)
	}
}

// progress tells the user of an action on a layer.
func (j *Job) progress(id, action string) {
	j.Report(Event{ID: shortID(id), Status: action, Action: true})
}

// status tells the user a line about the whole push.
func (j *Job) status(text string) { j.Report(Event{Status: text}) }

// shortID is how docker shows a layer's ID (P-035).
func shortID(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
