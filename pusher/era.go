package pusher

import (
	"strings"
	"time"
)

// An Era is one docker's way of pushing, as data. Each field names the rule
// behind it.
type Era struct {
	Name      string // "docker-1.8"
	UserAgent string // without pushcheck's own comment (P-212)
	Policy    Policy
	Way       Way
	// KeepsConnections sends further requests over connections that are open.
	KeepsConnections bool
	// HTTP2 offers HTTP/2 over TLS; otherwise HTTP/1.1 is all that there is.
	HTTP2 bool

	Endpoints       []EndpointRule // order for every registry but docker.io (P-060)
	PushesToMirrors bool           // docker.io's mirrors come first (P-062)
	// OfficialV1 adds docker.io's V1 endpoint after its V2 endpoint (P-061).
	OfficialV1 bool
	// VersionHeader demands Docker-Distribution-Api-Version: registry/2.0 in the
	// answer to the ping, whatever its status (P-092, P-094).
	VersionHeader bool

	PingTimeout   time.Duration // of GET /v2/, redirects included (P-090)
	TokenTimeout  time.Duration // of a request to a token service (P-091)
	TokenLifetime time.Duration // from before it was fetched, whatever the service says (P-143); 0 is Token's
	Token         TokenRules
	// DefaultPorts makes a host with its scheme's default port the same as one
	// without, where a ping's challenges are looked up (P-131).
	DefaultPorts bool

	Names  NameRules
	Errors ErrorRules
	Words  Words
	Upload UploadStyle
	Layers LayerRules
	// Manifests are the formats of a tag's manifest in the order in which they are
	// tried; the first that the registry takes is the tag's (P-375).
	Manifests []Format
	// Schema1Allowed adds schema 1 to Manifests when Config.AllowSchema1 is set.
	Schema1Allowed bool
	Manifest       ManifestRules
	V1             V1Rules

	Stream  StreamStyle
	Archive ArchiveForm // of docker save
	// OutlivesCaller lets a push go on when who asked for it over the engine API is
	// gone (P-026).
	OutlivesCaller bool

	// Known are the standing invariants that this docker breaks by nature.
	Known []Deviation
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

// Eras lists the eras that there are, oldest first.
func Eras() []Era {
	return []Era{Docker18(), Docker19(), Docker110(), Docker111(), Docker112(), Docker113(), Docker2010(), Docker28(), Containerd(), Best()}
}
