package scenarios

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// says reports whether a foreign client's output says what was expected: an OCI code
// in its own words, or a text.
func (f *foreignSeen) says(want string) bool {
	if strings.Contains(f.output, want) {
		return true
	}
	i := slices.IndexFunc(f.errors, func(w Wording) bool { return w.Code == want })
	if i < 0 {
		return false
	}
	re, err := regexp.Compile(f.errors[i].Pattern)
	return err == nil && re.MatchString(f.output)
}

// sees reports whether an invariant can be judged of a push: what a foreign client
// showed is known only where its adapter can read it.
func (p *seenPush) sees(name string) bool {
	return p.foreign == nil || name != "progress-tells-truth" || len(p.events) > 0
}

// cannot is why the client could not do what the scenario asks; "" when it could.
func (w *world) cannot(pushes []*seenPush) string {
	for _, p := range pushes {
		if p.foreign != nil && p.foreign.cannot != "" {
			return p.foreign.name + " says that it cannot: " + p.foreign.cannot
		}
	}
	return ""
}

// words are what the client wrote, a line each.
func (f *foreignRun) words(secrets []string) []string {
	return masked(strings.Join(f.said, "\n"), secrets)
}

// recognise finds the image's layers among what a foreign client sent: one that
// keeps images unpacked compresses them anew, and their digests are its own. A blob
// is a layer when what it unpacks to is.
func (w *world) recognise(ctx context.Context, p *seenPush) {
	storage := w.hosts[0].registry.Storage()
	if storage == nil {
		return
	}
	known := *w.contents
	known.layers = slices.Clone(w.contents.layers)
	for _, d := range candidates(p.trace) {
		if ctx.Err() != nil || known.named(d) != "" {
			continue
		}
		r, size, err := storage.Blob(p.repository, d)
		if err != nil {
			continue
		}
		diff := unpacked(r)
		for i, l := range known.layers {
			if l.diffID == diff {
				known.layers[i].digest, known.layers[i].size = d, size
			}
		}
	}
	p.contents, w.contents = &known, &known
	p.trace = w.contents.annotate(wireOf(p.trace))
	p.via = viaOf(p.trace)
}

// candidates are the digests that a client uploaded, or asked for and found.
func candidates(trace []seen) []digest.Digest {
	var list []digest.Digest
	for _, e := range trace {
		upload := e.Route.Op == wire.OpUploadPut || e.Route.Op == wire.OpBlobHead || e.Route.Op == wire.OpUploadMount
		if d := e.Route.Digest; upload && d != "" && e.succeeded() && !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	return list
}

// unpacked is the digest of what a blob unpacks to; "" for one that does not.
func unpacked(r io.ReadCloser) digest.Digest {
	defer r.Close() //nolint:errcheck // only read
	plain, err := image.Decompress(r)
	if err != nil {
		return ""
	}
	defer plain.Close() //nolint:errcheck // only read
	d, err := digest.FromReader(plain)
	if err != nil {
		return ""
	}
	return d
}

func wireOf(list []seen) wire.Trace {
	trace := make(wire.Trace, len(list))
	for i, e := range list {
		trace[i] = e.Exchange
	}
	return trace
}

// limit is how long a push may take, of the scenario's own time.
func (p *seenPush) limit(s *Scenario) time.Duration {
	if p.foreign != nil {
		return p.foreign.limit
	}
	return timeout(s)
}
