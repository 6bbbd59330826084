package scenarios

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// A seenPush is one push as it was seen. The judge reads this and nothing else.
type seenPush struct {
	step   int    // index of the step
	seen   int    // how many exchanges there were when it had ended
	part   string // "expect" or "steps[1].expect": where the judge's words point
	expect Expect
	era    pusher.Era
	login  *Login

	repository string   // without the host
	tags       []string // that were to be pushed, in no order
	registry   []string // addresses of the scenario's hosts; the first is pushed to
	realms     []string // addresses that the registry's guard may send the client to

	trace     []seen // what the client sent and got, in order
	late      []seen // what began after the outcome was reported
	events    []pusher.Event
	log       string // the client's log
	err       error  // what the push ended with
	cancelled bool   // the bench cancelled it
	hung      bool   // the scenario's time limit ended it
	via       pusher.Version
	published []pusher.Published
	leftovers []string      // files and connections that outlived the push
	start     time.Duration // of the scenario's own time
	end       time.Duration

	before, after registryState
	cache         map[string]string // layer → entry of the digest cache after the push
	contents      *contents
	firings       []firing
	foreign       *foreignSeen // of a client that is a program of others; nil else
}

// succeeded reports whether the client said that it pushed.
func (p *seenPush) succeeded() bool { return p.err == nil }

// ending is what the client said last.
func (p *seenPush) ending() string {
	switch {
	case p.hung:
		return "it hung until the time limit"
	case p.cancelled:
		return ResultCancelled
	case p.err != nil:
		return p.err.Error()
	}
	return ResultPushed
}

// A seen is an exchange with what it was about.
type seen struct {
	wire.Exchange
	content digest.Digest // of the layer that it carries or asks for; "" when unknown
	layer   string        // "layer1", "config", "manifest"; "" when it is none
	// actor is the layer on whose behalf a client that sends several at once asked
	// it; "" when nobody knows.
	actor string
}

// reached reports whether the request got as far as HTTP.
func (e seen) reached() bool {
	switch e.Failure {
	case wire.FailureRefused, wire.FailureDNS, wire.FailureTLS:
		return e.Response.Status != 0
	default:
		return e.Route.Op != wire.OpEvent
	}
}

// succeeded reports whether it was answered with one of the statuses that mean
// success to docker.
func (e seen) succeeded() bool { return e.Response.Status >= 200 && e.Response.Status < 400 }

// A firing is one time that a fault struck.
type firing struct {
	fault string
	op    wire.Op
	seq   int  // of the exchange; 0 when it belongs to none
	done  bool // the registry did what was asked
	tag   string
}

// A registryState is what a registry holds at one moment, as its own API shows it.
type registryState struct {
	tags    map[string]tagState // "repository:tag"
	blobs   map[digest.Digest]blobState
	images  map[string]string // V1: image ID → complete, incomplete, absent
	uploads int               // open sessions; -1 when unknown
	// referrers are how many manifests are known to refer to the image's subject: by the
	// registry's list, or by the one under the fallback tag.
	referrers int
}

// A tagState is what a tag names.
type tagState struct {
	found     bool
	digest    digest.Digest // of the manifest's bytes, or "" over V1
	image     string        // V1: the image's ID
	format    string        // "schema1", "schema2", "oci", "list", "index", "v1"
	layers    []digest.Digest
	foreign   []bool        // of layers: it lives elsewhere
	images    []string      // schema 1 and V1: image IDs, base first
	payload   digest.Digest // of a schema 1 payload
	signed    string        // of schema 1: "valid" or what is wrong with it
	empty     int           // layers without content, of schema 1
	broken    string        // what is missing behind it; "" when it is whole
	parts     []tagState    // of a list or an index: what it names, in order
	statement bool          // part of an index that is no image
}

// A blobState is what a registry shows of a blob.
type blobState struct {
	present bool
	intact  bool
}

// same reports whether two states of a tag are one.
func (t tagState) same(u tagState) bool {
	if t.payload != "" && t.payload == u.payload {
		return true // signed anew
	}
	return t.found == u.found && t.digest == u.digest && t.image == u.image
}
