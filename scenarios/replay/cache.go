package replay

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// garbage is what a digest cache holds that is no digest.
const (
	garbageFormat    digest.Digest = "this is not a digest"
	garbageAlgorithm digest.Digest = "sha3:0000000000000000000000000000000000000000000000000000000000000000"
)

// A cacheReader follows a recorded push layer by layer and finds out what the
// digest cache held before and after: a layer that is asked for by digest had
// that digest, one that is uploaded at once had none (P-194).
type cacheReader struct {
	step  *recording.Step
	left  []recording.Exchange // requests that are neither pings nor for tokens
	start map[string]digest.Digest
	now   map[string]digest.Digest
	seen  map[string]bool // layers whose start is found out
}

// readCache gives the cache before and after a step. carried is what the steps
// before left behind; it stands for the layers that this one did not come to.
func readCache(step *recording.Step, st state, chain chainFunc, carried map[string]digest.Digest) (before, after map[string]digest.Digest) {
	r := &cacheReader{step: step, start: maps.Clone(carried), now: maps.Clone(carried), seen: map[string]bool{}}
	for _, e := range step.Exchanges {
		if op := routeOf(e.Method, e.Path).Op; e.Event == "" && op != wire.OpPing && op != wire.OpToken {
			r.left = append(r.left, e)
		}
	}
	tags := st.order
	if step.Input.Tag != "" {
		tags = []string{step.Input.Tag}
	} else if len(tags) == 0 {
		tags = slices.Sorted(maps.Keys(st.tags))
	}
	for range max(1, int(step.Input.Repeat)) {
		for _, tag := range tags {
			if !r.tag(chain(st.tags[tag])) {
				return r.start, r.now
			}
		}
	}
	return r.start, r.now
}

// tag follows one tag. It reports whether the push went on after it.
func (r *cacheReader) tag(layers []string) bool {
	if len(layers) == 0 {
		return false
	}
	for _, id := range layers {
		if !r.layer(id) {
			return false
		}
	}
	e, ok := r.next(wire.OpManifestPut)
	return ok && taken(e)
}

// layer follows one layer. It reports whether the push went on after it.
func (r *cacheReader) layer(id string) bool {
	if len(r.left) == 0 {
		r.unasked(id)
		return false
	}
	if head, ok := r.next(wire.OpBlobHead); ok {
		r.begin(id, routeOf(head.Method, head.Path).Digest)
		switch {
		case taken(head):
			return true
		case head.Status != http.StatusNotFound:
			return false
		}
	} else if routeOf(r.left[0].Method, r.left[0].Path).Op != wire.OpUploadStart {
		return false
	}
	r.begin(id, "")
	return r.upload(id)
}

// unasked finds out about a layer for which no request came through: from the
// error, or from what the stream says was being done with it.
func (r *cacheReader) unasked(id string) {
	says := func(status string) bool {
		return bytes.Contains(r.step.Stream, []byte(`{"status":"`+status+`","progressDetail":{},"id":"`+id[:min(12, len(id))]+`"}`))
	}
	if _, wrong, found := strings.Cut(r.step.Error, "error getting image checksum: "); found {
		d := garbageFormat
		if wrong == digest.ErrDigestUnsupported.Error() {
			d = garbageAlgorithm
		}
		r.begin(id, d)
		return
	}
	switch {
	case says("Buffering to Disk"):
		r.begin(id, "")
	case says("Image push failed"):
		if _, rest, found := strings.Cut(r.step.Error, "/blobs/"); found {
			d, _, _ := strings.Cut(rest, `"`)
			r.begin(id, digest.Digest(d))
		}
	}
}

// begin notes what the cache held of a layer when the step began: what the first
// look at it shows. What shows later the step itself put there.
func (r *cacheReader) begin(id string, d digest.Digest) {
	if r.seen[id] {
		return
	}
	r.seen[id] = true
	delete(r.start, id)
	delete(r.now, id)
	if d != "" {
		r.start[id], r.now[id] = d, d
	}
}

// upload follows POST, PATCH, PUT and HEAD. It reports whether all went well.
func (r *cacheReader) upload(id string) bool {
	var d digest.Digest
	for _, op := range [...]wire.Op{wire.OpUploadStart, wire.OpUploadPatch, wire.OpUploadPut, wire.OpBlobHead} {
		e, ok := r.next(op)
		if !ok || !taken(e) {
			return false
		}
		if op == wire.OpUploadPut {
			d = routeOf(e.Method, e.Path).Digest
		}
	}
	r.now[id] = d
	return true
}

// next takes the next request if it is of an operation. After a redirect that was
// followed the answer is the last one's.
func (r *cacheReader) next(op wire.Op) (recording.Exchange, bool) {
	if len(r.left) == 0 || routeOf(r.left[0].Method, r.left[0].Path).Op != op {
		return recording.Exchange{}, false
	}
	e := r.left[0]
	r.left = r.left[1:]
	for len(r.left) > 0 && e.Status >= 300 && e.Status < 400 && locationPath(e) == r.left[0].Path {
		to := r.left[0]
		r.left = r.left[1:]
		to.Path = e.Path // it stands for the first one
		e = to
	}
	return e, true
}

// locationPath is the path and query of a Location; "" when there is none.
func locationPath(e recording.Exchange) string {
	location := responseHeader(e, "Location")
	if _, rest, found := strings.Cut(location, "://"+recording.Host); found {
		return rest
	}
	return location
}

func responseHeader(e recording.Exchange, name string) string {
	for _, h := range e.RespHeaders {
		if n, v, ok := strings.Cut(h, ": "); ok && strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// taken tells what docker 1.8 takes for success: any 2xx or 3xx, and of a HEAD one
// that says how long the blob is (P-195, P-196, P-201).
func taken(e recording.Exchange) bool {
	if e.Method == http.MethodHead {
		if _, err := strconv.ParseInt(responseHeader(e, "Content-Length"), 10, 64); err != nil {
			return false
		}
	}
	return e.Status >= 200 && e.Status < 400
}
