package pusher

import (
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// An Era is one docker's way of pushing, as data. Each field names the rule
// behind it.
type Era struct {
	Name      string // "docker-1.8"
	UserAgent string // without pushcheck's own comment (P-212)
	Policy    Policy

	Endpoints       []EndpointRule // order for every registry but docker.io (P-060)
	PushesToMirrors bool           // docker.io's mirrors come first (P-062)
	// VersionHeader demands Docker-Distribution-Api-Version: registry/2.0 in the
	// answer to the ping, whatever its status (P-092).
	VersionHeader bool

	PingTimeout   time.Duration // of GET /v2/, redirects included (P-090)
	TokenTimeout  time.Duration // of a request to a token service (P-091)
	TokenLifetime time.Duration // from before it was fetched, whatever the service says (P-143)

	Codes errcode.Dialect // error codes that it knows (P-257)

	Stream StreamStyle
	// OutlivesCaller lets a push go on when who asked for it over the engine API is
	// gone (P-026).
	OutlivesCaller bool

	// Known are the standing invariants that this docker breaks by nature.
	Known []Deviation
}

// A StreamStyle is how an era writes its progress stream.
type StreamStyle struct {
	// StatusEnd and ProgressEnd follow a status or error object and a progress
	// object (P-031).
	StatusEnd, ProgressEnd string
	// Width is how many columns the daemon takes its terminal for; the bar needs
	// more than 110 (P-033).
	Width int
}

// A Deviation is a known breach of an invariant, with the rule that explains it.
type Deviation struct {
	Invariant string // "clean-up"
	Rule      string // "P-208"
	Because   string // one sentence
}

// Version is the docker release that the era stands for ("1.8.3"), by its
// User-Agent; the era's name where that does not say.
func (e Era) Version() string {
	product, _, _ := strings.Cut(e.UserAgent, " ")
	if _, version, ok := strings.Cut(product, "/"); ok {
		return version
	}
	return e.Name
}

// Docker18 is docker 1.8.3.
func Docker18() Era {
	return Era{
		Name:            "docker-1.8",
		UserAgent:       "docker/1.8.3 go/go1.4.2 git-commit/f4bf5c7 kernel/3.19.0 os/linux arch/amd64",
		Policy:          UntilConnected,
		Endpoints:       []EndpointRule{{"https", V2}, {"http", V2}, {"https", V1}, {"http", V1}},
		PushesToMirrors: true,
		VersionHeader:   true,
		PingTimeout:     5 * time.Second,
		TokenTimeout:    15 * time.Second,
		TokenLifetime:   60 * time.Second,
		Codes:           errcode.Docker18(),
		Stream:          StreamStyle{StatusEnd: "\n", Width: 200},
		OutlivesCaller:  true,
		Known: []Deviation{
			{"clean-up", "P-208", "an upload session that failed is never cancelled"},
			{"no-downgrade", "P-060", "an insecure registry's plain http endpoint follows whatever https answered"},
			{"expected-traffic", "P-201", "a session without a location is looked for at the address of the POST"},
			{"progress-tells-truth", "P-207", "the digest of a tag is shown before its manifest is put"},
			{"secrets-stay", "P-141", "user and password go to whichever realm the registry names"},
			{"truth", "P-230", "a redirected manifest is fetched from where it leads instead of put, and that counts"},
			{"truth", "P-222", "nothing in the answer to a manifest is read, and the manifest is not read back"},
		},
	}
}

// Eras lists the eras that there are, oldest first.
func Eras() []Era { return []Era{Docker18()} }
