// Package pusher pushes local images as docker does: endpoints in order, a
// protocol per version, an Era (which docker) that says how, and a Policy that
// says what a failure means for the next endpoint.
package pusher

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/docker/libtrust"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A Config says who pushes, what there is to push, and through what.
type Config struct {
	Era    Era          // required
	Images *image.Store // required; the caller closes it

	// InsecureRegistries are hosts ("registry:5000") and CIDR blocks; 127.0.0.0/8
	// always counts (P-056). Secure, when set, lists hosts that count as secure
	// whatever their address.
	InsecureRegistries []string
	Secure             []string
	Mirrors            []string // registry mirrors of docker.io (P-058, P-062)
	CertsDir           string   // docker's certs.d; "" reads none (P-057)
	V2Only             bool     // --disable-legacy-registry (P-064)

	TrustKey libtrust.PrivateKey // signs schema 1; nil makes one
	TempDir  string              // where layers are buffered; "" is the system's
	Clock    clock.Clock         // nil is the real clock
	// Recorder, when not nil, sees every exchange from the client's side.
	Recorder *wire.Recorder
	// Dial opens connections; nil is a net.Dialer with docker's limits.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  *slog.Logger // decisions: try, skip, stop; nil discards
}

// A Client pushes. It holds what is shared between pushes: the pool of names
// being pushed (P-181). It is safe for concurrent use.
type Client struct{ config Config }

// New makes a client. It opens nothing.
func New(c Config) (*Client, error) { return nil, errors.ErrUnsupported }

// Options are the settings of one push.
type Options struct {
	Credentials Credentials
	Meta        http.Header // X-Meta-* headers to add to every request (P-012)
	// Progress is called for every event in order, one call at a time; nil
	// discards. It runs on the push's goroutine: a slow one slows the push.
	Progress func(Event)
}

// Credentials are what a user typed, or a token that stands for it.
type Credentials struct {
	Username, Password string
	IdentityToken      string // docker 1.11 and later (P-146)
	RegistryToken      string // docker 1.10 and later (P-147)
}

// Push pushes repository:tag, or every tag when tag is "". The repository is
// the local name and says where to ("127.0.0.1:5000/lib/app").
//
// The Result is never nil. Errors: ctx's error when ctx ended; *FailedError with
// every attempt's reason; errors of the local state and of the name, as docker
// words them. No goroutine, connection or temporary file outlives the call.
func (c *Client) Push(ctx context.Context, repository, tag string, o Options) (*Result, error) {
	return &Result{}, errors.ErrUnsupported
}

// A Result is what a push did.
type Result struct {
	Via       Version     // protocol of the endpoint that took it; 0 when none did
	Published []Published // in order
	Attempts  []Attempt   // every endpoint that was considered, in order
}

// A Published is one tag that the registry accepted.
type Published struct {
	Tag    string
	Digest string // of the manifest; "" over V1
	Size   int64  // of the manifest's payload, bytes
}

// A Version is a generation of the registry protocol.
type Version int

// The protocol generations.
const (
	V1 Version = 1
	V2 Version = 2
)

// An Endpoint is an address and a version at which a push may be tried.
type Endpoint struct {
	URL      string // "https://127.0.0.1:5000"
	Version  Version
	Mirror   bool
	Official bool // docker.io's own: no version header is demanded (P-061)
	Insecure bool // certificates are not verified (P-057)
}

// A Stage says how far an attempt got.
type Stage int

// The stages, in order.
const (
	StageConnect Stage = iota
	StageAuthorize
	StageUpload
	StagePublish
)

// An Attempt is one endpoint tried, or skipped, within a push.
type Attempt struct {
	Endpoint Endpoint
	Stage    Stage
	Skipped  bool  // the policy skipped it; Err is then the policy's reason
	Err      error // nil when it succeeded
}

// A FailedError says that no endpoint took the push. Its text is what this
// docker shows; Reasons has them all.
type FailedError struct {
	Attempts []Attempt
	Shown    error // the error that this era's user sees
}

// Error implements error with the era's own words.
func (e *FailedError) Error() string { return e.Shown.Error() }

// Unwrap gives every attempt's error to errors.Is and errors.As.
func (e *FailedError) Unwrap() []error {
	var errs []error
	for _, a := range e.Attempts {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}

// A Decision is what a Policy says about an endpoint.
type Decision int

// The decisions.
const (
	Try Decision = iota
	Skip
	Stop
)

// A Policy decides, before each endpoint, what the attempts so far mean for it.
// It is a pure function over history.
type Policy func(history []Attempt, next Endpoint) Decision

// An Era is one docker's way of pushing, as data. The rules behind each field
// are numbered in docs/eras.md.
type Era struct {
	Name      string // "docker-1.8"
	UserAgent string // without pushcheck's own comment
	Policy    Policy

	PingTimeout time.Duration // of GET /v2/ (P-090)
	// Known are the standing invariants that this docker breaks by nature.
	Known []Deviation
}

// A Deviation is a known breach of an invariant, with the rule that explains it.
type Deviation struct {
	Invariant string // "clean-up"
	Rule      string // "P-208"
	Because   string // one sentence
}

// Docker18 is docker 1.8.3.
func Docker18() Era { return Era{Name: "docker-1.8"} }

// Eras lists the eras that there are, oldest first.
func Eras() []Era { return []Era{Docker18()} }
