package fakeregistry

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A bench is what faults and guards may touch of the server that they serve.
type bench struct {
	clock    clock.Clock
	seed     uint64
	log      *slog.Logger
	guard    Guard
	storage  *Storage // nil when the registry lives elsewhere
	contents contents
	begun    begun
	// ownTokens says that the token service has a host of its own.
	ownTokens bool
	recorder  *wire.Recorder
	restart   func(down time.Duration) // nil without a server
	// later does something after a while, in a goroutine of the server's own; nil
	// without a server.
	later func(d time.Duration, do func())
	lines lines
	done  <-chan struct{} // closed when the server is; nil without a server
	skew  atomic.Int64    // how far the server's time of day has jumped
}

// now is the server's time of day. How much time passes is the clock's affair.
func (b *bench) now() time.Time { return b.clock.Now().Add(time.Duration(b.skew.Load())) }

// used notes that a connection has carried a request, before the client can see
// its answer's end.
func (b *bench) used(r *http.Request, returned bool) {
	if c := connOf(r.Context()); c != nil {
		c.lastUse.Store(b.clock.Now().UnixNano())
	}
	if r.Close || !returned {
		b.lines.leave(r.RemoteAddr)
	}
}

type benchKey struct{}

// benchOf finds the server that a request came to; never nil.
func benchOf(ctx context.Context) *bench {
	if b, ok := ctx.Value(benchKey{}).(*bench); ok {
		return b
	}
	return &bench{clock: clock.Real()}
}

// query looks at a request as faults see it.
func (b *bench) query(r *http.Request) *query {
	q := &query{r: r, route: wire.ParseRoute(r.Method, r.URL), link: r.RemoteAddr, now: b.clock.Now()}
	if len(b.contents) > 0 && q.route.Digest == "" && (q.route.Op == wire.OpUploadPatch || q.route.Op == wire.OpUploadPut) {
		q.known = b.contents.recognise(r)
		if len(q.known) > 0 || r.Header.Get("Content-Range") != "" { // a later chunk does not show what it is of
			q.known = b.begun.know(q.route.Session, q.known)
		}
	}
	return q
}

// A Content is something that clients may upload. A PATCH does not name its
// digest; the server knows contents again by how they begin.
type Content struct {
	Digest digest.Digest
	Size   int64
	Head   []byte // the first bytes; as many as Content.Head of the others has, at most 512 count
}

// headLimit is how many bytes of a Content count.
const headLimit = 512

type contents []Content

// size is the length of a content, where it is known.
func (c contents) size(d digest.Digest) (int64, bool) {
	for _, one := range c {
		if one.Digest == d {
			return one.Size, true
		}
	}
	return 0, false
}
