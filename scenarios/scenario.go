package scenarios

import (
	"io/fs"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// Names of other packages' types that appear in scenarios.
type (
	// Position is a place in a file.
	Position = report.Position
	// Result is how one scenario ended.
	Result = report.Result
	// Pattern selects exchanges by operation and answer.
	Pattern = wire.Pattern
)

// FormatVersion is the number of the file format that this version reads: a file
// that says no format is of the first.
const FormatVersion = 1

// A Scenario is one run of a file: a case of it, with one client and one set of
// matrix values. It is data: it has no behaviour, and a Runner does not change
// it. The zero value of every field is the format's default, so that a Scenario
// written in Go needs a Title, an ID and Steps only.
type Scenario struct {
	ID       string   // "auth/basic/wrong-password", with "@client" when a file names several
	Title    string   // the sentence that is true when it passes
	Name     string   // what finds it again: Load(fsys, Name)
	Position Position // of the sentence; zero when made in Go

	Registries []Registry // the first is pushed to; none is one "v2"
	Image      Image
	Client     Client
	CaseClient bool // that the client is of a case of the file, not of all of it
	Steps      []Step
	Faults     []Fault // in force from the first step on
	Expect     Expect  // about the last push
	Probes     []Probe

	Runs int    // how many seeds; 0 is 1
	Seed uint64 // the first of them; 0 is 1

	Tests   string // who is to blame: "client" (""), "registry"
	Level   string // "must" (""), "should", "may"
	Spec    string // the clause it tests
	Known   []Known
	See     []string // links: "moby/moby#33558"
	Labels  []string
	Needs   []string      // abilities without which it is skipped
	Timeout time.Duration // of the scenario's own time; 0 is an hour
	Cleanup bool          // delete what was pushed

	// Files and Path are where it was read, for the files that it names; nil when
	// made in Go.
	Files fs.FS
	Path  string
	// As is the client that was put in the place of the file's, by its name; "" is
	// none. The command that runs it again says so.
	As string
	// Flags are further flags without which `pushcheck run` would not run it as it was
	// run, quoted for a shell, such as "--allow-exec"; "" is none.
	Flags string
	// Unset names the environment variables that the file uses, that are not set
	// and that have no default: such a scenario is skipped.
	Unset []string
	// Positions says where each part stands, by the part's name
	// ("expect.wire[3]", "faults[1]", counted from 1); nil when made in Go.
	Positions map[string]Position
	// Lines are the file's lines, for excerpts; nil when made in Go.
	Lines []string
}

// The kinds of Registry.
const (
	KindV2       = "v2"       // distribution v3 in process, behind the schema 1 front
	KindFake     = "fake"     // our own V2
	KindV1       = "v1"       // our own V1; GET /v2/ is a plain 404
	KindBoth     = "v1+v2"    // our own V1 and V2 on one host
	KindExternal = "external" // somebody else's, at URL
	KindProgram  = "program"  // started with Run
)

// A Registry is one host.
type Registry struct {
	Kind     string              // "" is KindV2
	Auth     string              // "" is none; "basic", "bearer"
	Users    map[string]string   // name → password; nil with Auth is alice with a password made for the run
	TLS      bool                // speak TLS, with a certificate of a CA made for the run
	Accepts  []string            // manifest formats; nil accepts all that the kind knows
	Has      map[string][]string // repository → content that is there before the first step
	Delete   bool                // blobs and manifests may be deleted
	ReadOnly bool
	Style    string         // of V1: "standalone" (""), or "index", which wants users and gives out tokens
	Quirks   map[string]any // of KindFake: name → bool, int64 or string
	// Ornery makes a KindFake lawful and difficult: names of fakeregistry.OddityList,
	// or none for those that the seed chooses. nil is not ornery.
	Ornery []string

	URL string // of KindExternal: "https://registry.example:5000"
	// Aliases are further addresses by which a registry at URL names itself.
	Aliases []string
	// User and Password are what the bench itself asks a registry at URL with, for
	// what is expected of it; a client without a Login of its own gets them too.
	User, Password string
	CA             string // of KindExternal: a file with the certificates to trust, PEM, beside the scenario's; "" trusts the system's
	CAPEM          []byte // the same, where the scenario is made in Go
	Insecure       bool   // of KindExternal: its certificate is not checked
	Run            []string
}

// An Image is what there is to push. The zero value is two layers of 64 KiB and
// 1 KiB, made up from the seed.
type Image struct {
	Layers    []int64 // sizes in bytes, bottom first; 0 is a layer without changes
	Media     string  // "docker" (""), "oci"
	Identical [][]int // groups of layer numbers, from 1, that share one content
	Foreign   []int   // numbers of layers that live at a URL of their own
	// Platforms make the image one for each, behind an index: "linux/arm64". The
	// first has the layers that tests speak of, unless the client names another.
	Platforms   []string
	Missing     []string          // those of Platforms that the index names and the client has not
	Annotations map[string]string // of each manifest and of the index; OCI
	Subject     string            // name of a made-up manifest that the image refers to; OCI
	File        string            // an archive or layout, instead of Layers
	// Tags is the local map: tag → number of its top layer, 0 being the image's own.
	// nil tags what the steps push; empty leaves the repository unknown.
	Tags map[string]int
}

// A Client is who pushes. The zero value is docker-1.8.
type Client struct {
	Name     string   // shown and, where a file names several, in the ID; "" is Era, Adapter or Run[0]
	Era      string   // "" is docker-1.8, unless Adapter or Run is set
	Adapter  string   // a foreign client
	Run      []string // a program of the scenario's own and its arguments, with the variables of adapters
	Login    *Login
	Cache    map[string]string // layer → "known", "absent", "wrong", "garbage", or the text of its entry
	Secure   bool              // the registry's address is not in an insecure block
	Trust    bool              // the registry's CA is in certs.d
	V2Only   bool              // --disable-legacy-registry
	Meta     map[string]string // X-Meta-* headers
	TrustKey string            // "generated" ("")

	Platform string // pushed of an index, or held by a docker that has no indexes; "" is what the era does
	Foreign  bool   // --allow-nondistributable-artifacts

	Concurrency int
	Chunk       int64         // bytes; 0 is the era's own
	Clock       time.Duration // how far the client's clock is ahead
}

// A Login is what a user typed.
type Login struct{ User, Password string }

// The verbs of a Step.
const (
	VerbPush    = "push"
	VerbDelete  = "delete"
	VerbRestart = "restart"
	VerbWait    = "wait"
	VerbCancel  = "cancel"
)

// A Step is one thing that happens, after the one before has ended.
type Step struct {
	Verb   string        // "" is push
	Push   string        // push and cancel: "team/app:v1"; without a tag every tag is pushed
	At     Pattern       // cancel: once such an exchange has ended; the zero Pattern uses Wait
	Wait   time.Duration // wait and restart: for how long; cancel: after how much
	Delete Deletion
	Faults []Fault // in force during this step only, before the scenario's own
	Expect *Expect // about this push; nil expects that it succeeds, for the last push Scenario.Expect
}

// A Deletion removes something behind everybody's back.
type Deletion struct {
	Blob string // content name or digest; "" when Tag is deleted
	Tag  string
	From string // repository
}

// A Fault is one disturbance, before content names are digests and host names addresses.
type Fault struct {
	Name     string            // of the catalogue; "" when AnyOf is set
	AnyOf    []string          // one of these each time, drawn from the seed
	Where    Where             // zero is the fault's usual place
	Args     fakeregistry.Args // as given, decoded; the rest takes its defaults
	When     fakeregistry.Trigger
	EachNth  bool // nth: each
	Note     string
	Position Position
}

// A Where selects requests. Empty fields select all.
type Where struct {
	Ops                                    []Pattern
	Host, Repo, Tag, Digest, Media, Client string
	Header, Path, Method                   string
	Attempt                                int
}

// A Probe is a request that the bench itself makes while the client pushes.
type Probe struct {
	Before, After Pattern // the moment: exactly one is set; the first match counts
	Op            wire.Op // blob.head, blob.get, manifest.head or manifest.get
	Content       string  // content name, tag or digest
	Status        int
	Body          string // content name whose bytes must come back; "" compares nothing
}

// A Known is an accepted failure with its reason.
type Known struct {
	Client  string   // whose failure
	Fails   []string // parts of expect and names of invariants: each fails, and any other failure still counts
	Because string
	See     string
}
