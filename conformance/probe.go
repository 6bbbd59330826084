package conformance

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// exchangesKept is how many exchanges of a check a report can show.
const exchangesKept = 40

// A Probe is what a check looks with: a client of the registry and a repository
// of the check's own. It is safe for concurrent use.
type Probe struct {
	// Repository is the check's own; Other is a second one.
	Repository, Other string

	base        *url.URL
	real        *url.URL // the registry, where base is a proxy of the run's own; nil where base is it
	credentials pusher.Credentials
	transport   http.RoundTripper
	keys        *keyring
	clock       clock.Clock
	timeout     time.Duration
	seed        uint64
	options     *Options
	manners     *manners
	given       *givenContent // what there is to look at in a registry that nothing is pushed to; nil where it is
	keeps       *atomic.Bool  // the registry does not delete
	goesOn      *atomic.Bool  // nor does it cancel an upload

	mu        sync.Mutex // guards everything below
	seq       int
	exchanges wire.Trace
	made      []string          // paths to delete, in the order in which they were made
	open      map[string]string // where upload sessions go on that did not end, by their path
	measured  []Measure
}

// A blob is content with its digest. It is printable, so that a command can
// carry it.
type blob struct {
	digest digest.Digest
	data   []byte
}

// blob makes content of so many bytes that only this name, in this check and
// under this seed, has.
func (p *Probe) blob(name string, size int) blob {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Repository[len(p.Repository)-len(p.name()):] + "\x00" + name))
	r := rand.New(rand.NewPCG(p.seed, h.Sum64()))
	data := seededLines(fmt.Sprintf("%016x", r.Uint64()), 0, size)
	return blob{digest.FromBytes(data), data}
}

// lineLength is that of a line of made content: "0123456789abcdef-000001\n".
const lineLength = 24

// seededLines are numbered lines, from one byte on and so many: no two places of
// them are alike, and seq makes them too.
func seededLines(word string, from, size int) []byte {
	b := make([]byte, 0, from%lineLength+size+lineLength)
	for n := from/lineLength + 1; len(b) < from%lineLength+size; n++ {
		b = append(append(b, word...), '-')
		for unit := 100_000; unit > max(n, 1); unit /= 10 {
			b = append(b, '0')
		}
		b = append(strconv.AppendInt(b, int64(n), 10), '\n')
	}
	return b[from%lineLength:][:size]
}

// name is the last part of the repository: the check's ID.
func (p *Probe) name() string {
	for i := len(p.Repository) - 1; i >= 0; i-- {
		if p.Repository[i] == '/' {
			return p.Repository[i+1:]
		}
	}
	return p.Repository
}

// began numbers an exchange.
func (p *Probe) began() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	return p.seq
}

func (p *Probe) ended(a *answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.exchanges) < exchangesKept {
		p.exchanges = append(p.exchanges, a.exchange)
	}
}

// measure notes something that the report shows beside the verdict.
func (p *Probe) measure(name string, value float64, unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = append(p.measured, Measure{Name: name, Value: value, Unit: unit})
}

// note does the same with a word.
func (p *Probe) note(name, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measured = append(p.measured, Measure{Name: name, Text: text})
}

// remember notes what clean has to delete.
func (p *Probe) remember(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made, path)
}

// of puts the ID of a check before what went wrong while a check made what it needs.
func of(id string, err error) error {
	var v *Violation
	if err == nil || !errors.As(err, &v) {
		return err
	}
	if inner := new(setupError); errors.As(err, &inner) {
		return err
	}
	return &setupError{id, err}
}

// Paths of the protocol.

func blobPath(repository string, d digest.Digest) string {
	return "/v2/" + repository + "/blobs/" + d.String()
}

func uploadsPath(repository string) string { return "/v2/" + repository + "/blobs/uploads/" }

func manifestPath(repository, reference string) string {
	return "/v2/" + repository + "/manifests/" + reference
}

func tagsPath(repository, query string) string { return "/v2/" + repository + "/tags/list" + query }

func referrersPath(repository string, d digest.Digest) string {
	return "/v2/" + repository + "/referrers/" + d.String()
}

// get, head and remove are requests without a body. What is read is followed
// through redirects.

func (p *Probe) get(ctx context.Context, path string, headers ...string) (*answer, error) {
	return p.read(ctx, request{method: http.MethodGet, url: path, header: header(headers...)})
}

func (p *Probe) head(ctx context.Context, path string, headers ...string) (*answer, error) {
	return p.read(ctx, request{method: http.MethodHead, url: path, header: header(headers...)})
}

// read sends a request that changes nothing, and follows up to five redirects.
// Credentials stay with the registry.
func (p *Probe) read(ctx context.Context, r request) (*answer, error) {
	a, err := p.send(ctx, r)
	for hop := 0; err == nil && hop < 5 && a.status/100 == 3 && a.status != http.StatusNotModified; hop++ {
		if r.url, err = a.location(); err != nil {
			return a, err
		}
		a, err = p.send(ctx, r)
	}
	return a, err
}

func (p *Probe) remove(ctx context.Context, path string) (*answer, error) {
	return p.send(ctx, request{method: http.MethodDelete, url: path})
}

// A session is an upload session under way.
type session struct {
	p        *Probe
	last     *answer // the answer that said where it is
	location string
	size     int // bytes sent so far
	besides  []*answer
	via      http.RoundTripper // sends its requests in place of the target's transport; nil is that
}

// start starts an upload session, as the set-up of a check.
func (p *Probe) start(ctx context.Context, repository string) (*session, error) {
	return p.startVia(ctx, repository, nil)
}

// startVia does the same over a transport, as all that comes after in the session.
func (p *Probe) startVia(ctx context.Context, repository string, via http.RoundTripper) (*session, error) {
	a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(repository), body: []byte{}, via: via})
	if err = of("mono-01", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
		return nil, err
	}
	s := &session{p: p, via: via}
	return s, of("mono-02", s.moved(a))
}

// wantIf is want, unless there was an error.
func (a *answer) wantIf(err error, statuses ...int) error {
	if err != nil {
		return err
	}
	return a.want(statuses...)
}

// moved takes the location of the session out of an answer.
func (s *session) moved(a *answer) error {
	location, err := a.location()
	if err != nil {
		return err
	}
	s.last, s.location, s.besides = a, location, nil
	return nil
}

// chunk sends a chunk with its range, and follows the session.
func (s *session) chunk(ctx context.Context, data []byte) (*answer, error) {
	a, err := s.patch(ctx, data, fmt.Sprintf("%d-%d", s.size, s.size+len(data)-1))
	if err != nil {
		return a, err
	}
	if a.status >= 200 && a.status < 300 {
		s.size += len(data)
		if a.header.Get("Location") != "" {
			return a, s.moved(a)
		}
	}
	return a, nil
}

// patch sends bytes with a range as given; "" sends none, as a stream.
func (s *session) patch(ctx context.Context, data []byte, contentRange string) (*answer, error) {
	r := request{method: http.MethodPatch, url: s.location, body: data, header: header("Content-Type", "application/octet-stream")}
	if contentRange == "" {
		r.stream = true
	} else {
		r.header.Set("Content-Range", contentRange)
	}
	return s.send(ctx, r)
}

// send sends a request to the session, and remembers it.
func (s *session) send(ctx context.Context, r request) (*answer, error) {
	r.after, r.besides = s.last, slices.Clone(s.besides)
	if r.via == nil {
		r.via = s.via
	}
	a, err := s.p.send(ctx, r)
	s.besides = append(s.besides, a)
	return a, err
}

// put closes the session with the last bytes, which may be none.
func (s *session) put(ctx context.Context, d digest.Digest, data []byte, headers ...string) (*answer, error) {
	if data == nil {
		data = []byte{}
	}
	h := header("Content-Type", "application/octet-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return s.send(ctx, request{method: http.MethodPut, url: withDigest(s.location, d.String()), body: data, header: h})
}

// at sends a request without a body to the session.
func (s *session) at(ctx context.Context, method string) (*answer, error) {
	return s.send(ctx, request{method: method, url: s.location})
}

// cancel ends the session, whatever comes of it.
func (s *session) cancel(ctx context.Context) { _, _ = s.at(ctx, http.MethodDelete) }

// push stores a blob, as the set-up of a check.
func (p *Probe) push(ctx context.Context, repository string, blobs ...blob) error {
	for _, b := range blobs {
		s, err := p.start(ctx, repository)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data)
		if err = of("mono-03", first(err, a.wantIf(err, http.StatusCreated))); err != nil {
			return err
		}
		p.remember(blobPath(repository, b.digest))
	}
	return nil
}
