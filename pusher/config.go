package pusher

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/docker/libtrust"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
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
	// Mirrors are registry mirrors of docker.io, "http(s)://host" (P-058, P-062).
	Mirrors  []string
	CertsDir string // docker's certs.d; "" reads none (P-057)
	V2Only   bool   // --disable-legacy-registry (P-064)

	TrustKey libtrust.PrivateKey // signs schema 1; nil makes one
	// AllowSchema1 lets an era that has schema 1 for tests alone push it, as
	// DOCKER_ALLOW_SCHEMA1_PUSH_DONOTUSE does (P-375).
	AllowSchema1 bool
	// Metadata is what is known of layers from earlier pushes, for dockers since
	// 1.10 (P-355); nil knows nothing at first and forgets with the client.
	Metadata *metadata.Store
	// MaxConcurrentUploads is --max-concurrent-uploads; 0 is the era's own (P-340).
	MaxConcurrentUploads int
	// ChunkSize is how many bytes of a blob the era best sends in one request at
	// most; 0 sends a blob whole.
	ChunkSize int64
	// AllowNondistributable uploads layers that live elsewhere all the same, as
	// --allow-nondistributable-artifacts does for an era that has it (P-043).
	AllowNondistributable bool
	TempDir               string      // where layers are buffered; "" is the system's
	Clock                 clock.Clock // nil is the real clock
	// Recorder, when not nil, sees every exchange from the client's side.
	Recorder *wire.Recorder
	// Through, when not nil, is what every request passes before the Recorder sees
	// it, for a bench that wants a client to make mistakes. It is called once for
	// each endpoint that is tried.
	Through func(next http.RoundTripper) http.RoundTripper
	// Dial opens connections; nil is a net.Dialer. Docker's limit of 30 s on it is
	// counted on Clock (P-090): when it ends ctx, Dial returns.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Resolve looks a registry's host up for the insecure decision (P-056); nil is
	// the system's resolver.
	Resolve func(ctx context.Context, host string) ([]net.IP, error)
	Log     *slog.Logger // decisions: try, skip, stop; nil discards
}

// Options are the settings of one push.
type Options struct {
	Credentials Credentials
	Meta        http.Header // X-Meta-* headers to add to every request (P-012)
	// Platform is what the image is to be for, as ParsePlatform gives it; nil pushes
	// what the tag stands for, be it an index. The eras of the graph have an image for
	// one platform alone, and look whether it is that one (P-017).
	Platform *v1.Platform
	// TagOrder is the order in which the tags go when every tag is pushed. Docker's
	// own order is a map's, that is random (P-184). Tags that it does not name
	// come after those that it does, sorted; nil sorts all.
	TagOrder []string
	// Progress is called for every event in order, one call at a time; nil
	// discards. A slow one slows the push. Docker tells everything this way,
	// the error that ends the push included, once the name was good: an error
	// before the first event is the caller's alone to tell (P-022).
	Progress func(Event)
}

// Credentials are what a user typed, or a token that stands for it.
type Credentials struct {
	Username, Password string
	IdentityToken      string // docker 1.11 and later (P-146)
	RegistryToken      string // docker 1.10 and later (P-147)
}

// LogValue keeps secrets out of logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String is the user's name only.
func (c Credentials) String() string {
	if c == (Credentials{}) {
		return "anonymous"
	}
	return "user " + c.Username
}

// GoString is String, so that %#v shows no secret either.
func (c Credentials) GoString() string { return c.String() }

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

// An Attempt is one endpoint tried, or skipped, within a push.
type Attempt struct {
	Endpoint Endpoint
	Stage    Stage // how far it got; StagePublish when Err is nil
	Skipped  bool  // the policy skipped it; Err is nil then
	Err      error // nil when it succeeded
	// ConfirmedV2 says that the registry showed that it speaks V2: by the version
	// header in the answer to the ping, or by taking a layer (P-106).
	ConfirmedV2 bool
	TransportOK bool // the ping was answered, whatever it said (P-107)
}
