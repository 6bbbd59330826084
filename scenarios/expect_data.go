package scenarios

import (
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// The results that Expect.Result names.
const (
	ResultPushed    = "pushed"
	ResultFailed    = "failed"
	ResultCancelled = "cancelled"
	ResultTruthful  = "truthful" // whatever happened, told as it was
)

// An Expect is what must be seen of one push. Its zero value expects that the
// push succeeds.
type Expect struct {
	Result string // "" is pushed
	Error  string // OCI code in capitals, or a part of the text
	Exit   *int
	Via    string        // "v1", "v2"; "" is either
	Within time.Duration // at most so much of the scenario's own time; 0 is unlimited

	Wire    []Event // in this order, others may lie between
	Exactly []Event // in this order, and nothing else; nil expects nothing
	Never   []Event
	Count   []Count

	Registry *State
	Progress *Progress
	Cache    map[string]string // layer → "known", "absent", or the text of its entry
	Waive    map[string]string // invariant → reason
}

// An Event is one exchange that is expected, or a group of events. Empty fields
// match everything.
type Event struct {
	Each     string  // "layers": Wire once for each layer, in any order
	Wire     []Event // of Each
	AnyOrder []Event // all of these, in any order

	Op     Pattern // with the expected answer, if any
	Digest string  // content name or digest
	Repo   string
	Tag    string
	Media  string // "schema1", "schema2", "oci", or a media type
	Host   string
	Bytes  *Range            // of the request's body
	From   *Range            // first byte, of Content-Range
	Range  string            // of the answer: "0-1048575", or "0-1048575..1572863"
	Gap    *Range            // time since the matched event before ended, nanoseconds
	Auth   string            // "none", "basic", "bearer", "token"
	Header map[string]string // of the request: name → value, AnyValue or Absent
	// AnswerHeader is the same of the answer; in a value * stands for anything.
	AnswerHeader map[string]string
	AnswerBody   string // stands in the answer, of which the beginning is kept where it is text or JSON
}

// Values of Event.Header and AnswerHeader: the header is there, whatever it holds; it is not there.
const (
	AnyValue = "*"
	Absent   = "-"
)

// A Count is how many exchanges match.
type Count struct {
	Event Event
	Times Range
}

// A Range is a number that lies between two others, both included.
type Range struct{ Min, Max int64 }

// A State is what the registry must hold in the end.
type State struct {
	Tags      map[string]string // tag, or repository:tag → pushed, absent, unchanged, schema1, schema2, oci, broken
	Blobs     map[string]string // content name or digest → intact, present, absent
	Uploads   *Range            // open sessions
	Referrers *Range            // manifests that refer to the subject of the image, by whichever list there is
	Schema1   *Schema1State
	V1        map[string]string // layer, or "image" for all of them → complete, incomplete, absent
}

// A Schema1State is about the signed manifest that the pushed tag names.
type Schema1State struct {
	Signature   string // "valid", "invalid"; "" is either
	Layers      *Range
	EmptyLayers *Range
}

// A Progress is what the client showed.
type Progress struct {
	Layers map[string][]string // layer → beginnings of what was shown of it, in order, others may lie between
	Lines  []string            // the same for lines about the whole push
	Never  []string            // beginnings that no line has
}

// probeOps are the operations that a Probe may ask.
var probeOps = []wire.Op{wire.OpBlobHead, wire.OpBlobGet, wire.OpManifestHead, wire.OpManifestGet}
