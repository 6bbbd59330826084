package pusher

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// A Way is how an era goes about a push over V2.
type Way int

// The ways.
const (
	WayGraph      Way = iota // docker's, layer by layer out of its graph
	WayContainerd            // containerd's, blob by blob as its content store has them (section 7.2 of the rules)
	WayBest                  // what the specification allows and registries bear
)

// Best is no docker but today's best practice (distribution-spec 1.1): the fewest
// requests, one connection for many of them, one PUT per blob, resumed uploads,
// tokens that are renewed in time, patience, and every byte verified. It breaks
// none of the standing invariants.
func Best() Era {
	return Era{
		Name:      "best",
		UserAgent: "pushcheck-best/1",
		Way:       WayBest,
		Policy:    untilTLS,
		Endpoints: []EndpointRule{{"https", V2}, {"http", V2}},
		Names:     NameRules{Reference: plainReference},
		Archive:   ArchiveContent,
		Errors:    ErrorRules{Codes: errcode.Docker28(), Spoken: true},
		Words: Words{
			Refers:    "The push refers to repository [%[1]s]",
			NoName:    "there is no local image %[2]s",
			NoTag:     "there is no local image %[3]s",
			NoDigests: "a digest reference cannot be pushed; push a tag",
			NoImage:   "%[1]s cannot be read: %[2]s",
			Pushed:    "Pushed",
		},
		Layers:           LayerRules{Concurrency: 4},
		Stream:           StreamStyle{StatusEnd: "\r\n", ProgressEnd: "\r\n", Width: 200, DropsTotal: true},
		KeepsConnections: true,
		HTTP2:            true,
	}
}

// untilTLS is the policy of an era that goes from https to plain HTTP only where
// no TLS connection came to be, and never from one version to another.
func untilTLS(history []Attempt, _ Endpoint) Decision {
	for _, a := range history {
		var untrusted x509.UnknownAuthorityError
		if !a.Skipped && (a.Stage > StageConnect || a.TransportOK || errors.As(a.Err, &untrusted)) {
			return Stop
		}
	}
	return Try
}

// The figures of best.
const (
	bestTries     = 4               // of a request that can be repeated, in a row
	bestRequests  = 6               // of one kind about one thing, in a push
	bestPatience  = 5 * time.Minute // the longest Retry-After that is waited for
	bestAnswer    = time.Minute     // within which an answer begins, beside the time for the body
	bestFarewell  = 10 * time.Second
	bestSlowest   = 4 << 10  // bytes a second; a slower upload is given up
	bestReckoned  = 32 << 10 // bytes a second that an upload may well take; see outlives
	bestAsks      = 1 << 20  // bytes; an authorized request with more asks whether it may send them
	bestMany      = 24       // blobs of an image; with more, the small ones save a request each
	bestErrorBody = 64 << 10 // what is read of an answer
	bestDocument  = 16 << 20 // what is read of a manifest that a registry has
)

// bestDelay is the wait before try n, from 1. It has no chance in it.
func bestDelay(n int) time.Duration {
	return min(500*time.Millisecond<<min(n-1, 6), 8*time.Second)
}

// A bestPusher pushes over V2 in the best way.
type bestPusher struct{}

// Push implements Pusher.
func (bestPusher) Push(ctx context.Context, job *Job) ([]Published, error) {
	host, err := newBestHost(job)
	if err != nil {
		return nil, at(StageConnect, err)
	}
	p := &bestPush{job: job, host: host, done: newBestMemory()}
	published, err := p.tags(ctx)
	if err == nil {
		return published, nil
	}
	staged := &StageError{Stage: p.stage(), Err: err}
	host.mu.Lock()
	defer host.mu.Unlock()
	staged.ConfirmedV2, staged.TransportOK = host.reached, host.linked
	return published, staged
}

// stage is how far an attempt that failed got.
func (p *bestPush) stage() Stage {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	switch {
	case !p.host.reached:
		return StageConnect
	case p.publishing:
		return StagePublish
	}
	return StageUpload
}

// pusher is what pushes over V2 in this way.
func (w Way) pusher() Pusher {
	switch w {
	case WayBest:
		return bestPusher{}
	case WayContainerd:
		return c8dPusher{}
	case WayGraph:
	}
	return v2Pusher{}
}
