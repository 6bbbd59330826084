package pusher

import (
	"time"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// A Format is a format of manifests.
type Format int

// The formats.
const (
	Schema1 Format = iota + 1 // signed (section 6 of the rules)
	Schema2                   // docker's, with a config (P-371)
)

// A StreamStyle is how an era writes its progress stream.
type StreamStyle struct {
	// StatusEnd and ProgressEnd follow a status or error object and a progress
	// object (P-031).
	StatusEnd, ProgressEnd string
	// Width is how many columns the daemon takes its terminal for; the bar needs
	// more than 110 (P-033).
	Width int
	// DropsTotal leaves the total out when more was done than that (P-033).
	DropsTotal bool
}

// An ArchiveForm is what an era's docker save writes.
type ArchiveForm uint8

// The forms.
const (
	ArchiveFolders  ArchiveForm = iota // a folder for each layer, and repositories: up to docker 1.9
	ArchiveManifest                    // manifest.json and the configs beside those, since 1.10
	ArchiveLayout                      // an OCI layout of plain layers, and manifest.json, since 25
	ArchiveContent                     // an OCI layout of what is stored, indexes too: with containerd's image store
)

// A NameRules is which names an era takes for a repository's. The zero value is
// docker 1.8's (P-053).
type NameRules struct {
	Labels bool // docker 1.9's: hyphens may follow one another
	// Reference takes the grammar of references (P-016) and says with this what is no
	// name: operands are the name and what is wrong with it.
	Reference string
	// Longest is what of a name that Reference reads may have 255 characters.
	Longest NameLength
}

// A NameLength is what the limit of 255 characters is on (P-053).
type NameLength uint8

// The lengths: the path after the host, since distribution/reference 0.6; before that
// the whole, in dockers up to 1.13 as it was written, in later ones with the host and the
// library that it stands for.
const (
	LengthOfPath NameLength = iota
	LengthAsWritten
	LengthWithHost
)

// Words are what an era says to its user. Each is a format with the operands
// that are named.
type Words struct {
	Refers     string // canonical name, number of tags (P-040)
	NoName     string // canonical name: nothing to push under it locally (P-046)
	NoTag      string // local name, tag, reference (P-046)
	NoDigests  string // when a digest reference is to be pushed; "" says NoTag
	NoImage    string // reference, error: a tag that points nowhere (P-046, P-185)
	NoPlatform string // local name with tag, platform asked for, those that are there; "" is ours
	InProgress string // local name; "" lets pushes of one name go on at once (P-181, P-182)

	// What is said of a layer before and after its upload (P-041, P-042); "" says
	// nothing.
	Preparing, Started, Pushed string
}

// A TokenRules is how an era deals with token services beyond what docker 1.8 did.
type TokenRules struct {
	// MinLifetime is how long a token is good for at the least, when its lifetime
	// is the service's to say (P-144).
	MinLifetime time.Duration
	AccessToken bool // access_token counts, before token (P-144)
	// Decodes reads what the service says when it refuses, as of a registry (P-144).
	Decodes       bool
	MountScope    MountScope
	Refresh       bool // identity tokens are exchanged (P-146)
	RegistryToken bool // a token that the user has is sent as it is (P-147)
}

// A MountScope is how the right to read the repository that a mount is from is
// asked for (P-145).
type MountScope int

// The ways.
const (
	MountScopeNone   MountScope = iota
	MountScopeKept              // with a token that replaces the other; the scope is asked for from then on
	MountScopeCached            // with a token that replaces the other
	MountScopeFresh             // with a token for this request alone
	MountScopeKnown             // so, unless the scope is asked for anyway
)

// An UploadStyle is how an era sends a blob.
type UploadStyle struct {
	// Buffers compresses a layer into a temporary file first (P-200); without it a
	// layer is compressed as it is sent (P-367).
	Buffers bool
	// ExactRange wants the registry to say that it has what was sent (P-204).
	ExactRange bool
	EmptyType  bool   // POST has an empty Content-Type (P-201, P-366)
	ChunkType  string // Content-Type of PATCH; "" sends none (P-202, P-366)
	// StrictStart takes 201 and 202 alone for an answer to POST (P-365).
	StrictStart bool
}

// A LayerRules is how an era makes sure that a registry has an image's layers.
type LayerRules struct {
	// Concurrency is how many layers are under way at once, over all pushes of a
	// client (P-340). 0 sends one after the other, by their V1 image IDs (P-190).
	Concurrency int
	Retry       RetryRules
	Search      SearchRules
	// KeyHost tells layers of one repository name on two registries apart, so that
	// pushes to both share nothing (P-341).
	KeyHost bool
	// KeepsFirstDigest leaves the digest cache as it is when it has an entry (P-199).
	KeepsFirstDigest bool
	// AsksOnce takes a digest that was seen before in the push for there, and says
	// nothing (P-191).
	AsksOnce bool
	Foreign  bool // layers that have URLs are left out (P-043)
	// ForeignAllowed sends them all the same, as other layers, when
	// Config.AllowNondistributable is set.
	ForeignAllowed bool
}

// A RetryRules is when and how often a layer is tried again (P-343 to P-347).
type RetryRules struct {
	Attempts int           // at most; 0 and 1 try once
	Step     time.Duration // the wait before attempt n is n-1 steps
	Singular bool          // "Retrying in 1 second" (P-043)
	// Final are refusals after which a layer is not tried again.
	Final         []errcode.ErrorCode
	FinalAuth     bool   // nor after credentials or a token that are missing, whose text then is bare (P-134)
	FinalUnknown  bool   // nor when a blob that was uploaded is not there
	FinalText     string // nor after an error with that text
	FailureStatus string // said of a layer when asking for it failed (P-043); "" says nothing
}

// A SearchRules is how an era uses what it knows of a layer from earlier pushes
// (P-356 to P-363).
type SearchRules struct {
	// FirstChecks is how many digests are asked for at first; < 0 is all.
	FirstChecks int
	FirstAny    bool // of any repository, not of the target alone
	CheckFails  bool // an answer that is neither yes nor no ends the attempt
	CheckForget bool // a digest that the target lacks is forgotten

	Order    SearchOrder    // in which repositories to mount from are tried
	Target   bool           // the target itself is one of them
	Budgets  []SearchBudget // by size, the smallest first; the last is for any size
	Fails    bool           // a mount that is refused ends the attempt
	Restarts bool           // further repositories are tried after one that opened a session
	// ForgetSession forgets a repository that opened a session instead of mounting.
	ForgetSession bool
	// KeepRefused does not forget what an anonymous user was not let to (P-363).
	KeepRefused bool
	Signs       bool // what is learned is tied to the credentials (P-362)
}

// A SearchOrder is an order of what is known of a layer.
type SearchOrder int

// The orders.
const (
	OldestFirst SearchOrder = iota
	YoungestFirst
	MostAlike // P-361
)

// A SearchBudget limits the search for a layer (P-359).
type SearchBudget struct {
	UpTo   int64 // uncompressed bytes
	Mounts int   // repositories to mount from
	Checks int   // digests to ask for in all
	Any    bool  // after the mounts, of any repository
}

// A ManifestRules is how an era puts its manifests.
type ManifestRules struct {
	// ConfigType is where the media type of a config comes from.
	ConfigType ConfigType
	// WantsDigest wants a digest in the answer, whichever (P-374).
	WantsDigest bool
	// TagInvalid stands before the error of that name (P-376).
	TagInvalid string
	// Schema1Notice is said when only schema 1 was taken (P-376). Its operand is
	// the registry.
	Schema1Notice string
	LateDigest    bool // the digest is told after the registry took it, and twice (P-207, P-038)
	KeepsDigest   bool // the local repository gets a reference by digest (P-378)
	RepairsChain  bool // parents in a schema 1 manifest are made to fit (P-221)
}

// A ConfigType says where a manifest's media type of the config comes from (P-373).
type ConfigType int

// The sources.
const (
	ConfigTypeRight    ConfigType = iota
	ConfigTypeAnswered            // the answer to the HEAD of the config
	ConfigTypeExisting            // so, when it was there before
)

// A V1Rules is how an era speaks V1 where it differs from docker 1.8 (P-045,
// P-162, P-380).
type V1Rules struct {
	PingsV1Only bool // before a session (P-162)
	// Lean says of layers alone what is done, in the words of docker since 1.10
	// (P-045).
	Lean bool
}
