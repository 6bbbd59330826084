package scenarios

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// A world is all that one run of a scenario needs, on its own virtual clock:
// hosts, images, and who pushes.
type world struct {
	s        *Scenario
	seed     uint64
	era      pusher.Era
	clock    *clock.Virtual
	served   clock.Clock // of a world that is served to others; nil while a scenario runs
	dir      string      // of this run only
	hosts    []*host
	network  *fakeregistry.Network // of the hosts; nil where clients of others reach them
	store    *image.Store
	metadata *metadata.Store // what dockers since 1.10 know of layers
	contents *contents
	index    digest.Digest // or manifest that the image came with; "" for none
	recorder *wire.Recorder
	client   *pusher.Client
	log      *logBuffer
	conns    atomic.Int64 // open connections of the client
	declared []*declared
	observer observer
	told     map[*host]int   // how many firings the observer was told of
	working  func()          // ends the runner's work on the clock
	foreign  *foreignRun     // the client, where it is a program of others; nil else
	epoch    time.Time       // when a world on real time began
	began    []time.Duration // when each host's recorder did, since then

	mu     sync.Mutex // guards everything below
	watch  func(wire.Exchange)
	probed []probeResult
	actors map[string]string // layers by the client's end of a connection that serves one
}

// A host is one registry of the scenario on its own address.
type host struct {
	spec     Registry
	registry fakeregistry.Registry
	look     inspector
	server   *fakeregistry.Server
	indices  int    // faults that were ever put in force
	name     string // that clients know it by; "" is its address
}

// changes are what a test alters of a run, to see that the scenario notices.
type changes struct {
	era      func(*pusher.Era)
	registry func(host int, r fakeregistry.Registry) fakeregistry.Registry
	trace    func(wire.Trace) wire.Trace
	config   func(host int, c *fakeregistry.Config)
	mistake  mistake
}

// emptyWorld is a world in which nothing is yet, with the runner at work on its clock.
func emptyWorld(s *Scenario, seed uint64, dir string) *world {
	w := &world{s: s, seed: seed, clock: clock.NewVirtual(time.Time{}), dir: dir, log: &logBuffer{}}
	w.working = w.clock.Work()
	return w
}

// newWorld builds a world below dir. The caller closes it, also after an error.
func newWorld(ctx context.Context, s *Scenario, seed uint64, dir string, log *slog.Logger, c changes) (*world, error) {
	w := emptyWorld(s, seed, dir)
	if external(s) {
		w.realTime()
	}
	era, ok := eraOf(EraName(s.Client))
	if !ok {
		return w, fmt.Errorf("there is no era %q", EraName(s.Client))
	}
	if c.era != nil {
		c.era(&era)
	}
	w.era = era
	if err := w.images(ctx); err != nil {
		return w, fmt.Errorf("image: %w", err)
	}
	logger := w.logger(log)
	if w.served == nil {
		w.network = &fakeregistry.Network{}
	}
	if err := w.start(logger, c); err != nil {
		return w, err
	}
	w.recorder = wire.NewRecorder(w.time(), w.notify)
	if w.served == nil {
		w.recorder.Before(turns{w.clock, w.contents}.wait)
	}
	return w, w.connect(logger, c.mistake.through)
}

// logger writes what the world logs into its own log, and to another; nil for none.
func (w *world) logger(also *slog.Logger) *slog.Logger {
	own := slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})
	if also == nil {
		return slog.New(own)
	}
	return slog.New(slog.NewMultiHandler(own, also.Handler()))
}

// images fills the local store.
func (w *world) images(ctx context.Context) error {
	w.store = image.InMemory() // made-up layers cost it nothing
	if w.s.Image.File != "" {
		var err error
		if w.store, err = image.Open(filepath.Join(w.dir, "images")); err != nil {
			return err
		}
	}
	ids, err := w.layers(ctx)
	if err != nil {
		return err
	}
	w.contents, err = readContents(w.store, ids)
	if err != nil {
		return err
	}
	if err := w.readIndex(w.contents); err != nil {
		return err
	}
	if w.era.V1.Lean && len(w.contents.layers) > 0 {
		if err := w.contents.rename(w.store); err != nil {
			return err
		}
	}
	for i, n := range w.s.Image.Layers {
		w.contents.layers[i].payload = n
	}
	w.metadata = metadata.InMemory()
	return w.fillCache()
}

// connect makes the client.
func (w *world) connect(log *slog.Logger, through func(http.RoundTripper) http.RoundTripper) error {
	temp := filepath.Join(w.dir, "buffers")
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	c := pusher.Config{
		Era: w.era, Images: w.store, Metadata: w.metadata, V2Only: w.s.Client.V2Only, TempDir: temp,
		AllowNondistributable: w.s.Client.Foreign,
		MaxConcurrentUploads:  w.s.Client.Concurrency, ChunkSize: w.s.Client.Chunk,
		Clock: heldClock{w.time()}, Recorder: w.recorder, Through: through, Dial: w.dial, Log: log,
	}
	if w.named() {
		c.Resolve = loopback
	}
	if w.s.Client.Secure {
		for _, h := range w.hosts {
			c.Secure = append(c.Secure, h.address())
		}
	}
	if w.s.Client.Trust {
		c.CertsDir = filepath.Join(w.dir, "certs.d")
		if err := w.trust(c.CertsDir); err != nil {
			return err
		}
	}
	var err error
	w.client, err = pusher.New(c)
	return err
}

// A heldClock is the clock of a client whose caller is at work already: the runner
// works for the whole scenario, and a push must not be counted on top of it.
type heldClock struct{ clock.Clock }

// Work implements clock.Clock.
func (heldClock) Work() func() { return func() {} }

// trust puts the CA of each host where docker looks for it (P-057).
func (w *world) trust(dir string) error {
	for _, h := range w.hosts {
		pem := h.server.CAPEM()
		if pem == nil {
			continue
		}
		own := filepath.Join(dir, h.address())
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(own, "ca.crt"), pem, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// dial opens a connection as the network between client and hosts would, and
// counts it until it is closed.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	h := w.hosts[0]
	for _, other := range w.hosts[1:] {
		if other.address() == addr || other.server.Host() == addr || other.server.TokenHost() == addr {
			h = other
		}
	}
	conn, err := h.server.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.conns.Add(1)
	if layer := pusher.LayerOf(ctx); layer != "" && !w.era.KeepsConnections {
		w.mu.Lock()
		if w.actors == nil {
			w.actors = map[string]string{}
		}
		w.actors[conn.LocalAddr().String()] = layer
		w.mu.Unlock()
	}
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { w.conns.Add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

// NetConn is the connection itself.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// notify hands an ended exchange to whoever watches.
func (w *world) notify(e wire.Exchange) {
	w.mu.Lock()
	watch := w.watch
	w.mu.Unlock()
	if watch != nil {
		watch(e)
	}
	if w.observer.exchange != nil {
		w.observer.exchange(e)
	}
}

// tellFaults tells the observer what struck since it was told last.
func (w *world) tellFaults() {
	if w.observer.fault == nil {
		return
	}
	if w.told == nil {
		w.told = map[*host]int{}
	}
	for _, h := range w.hosts {
		fired := h.server.Fired()
		for _, f := range fired[w.told[h]:] {
			one := report.Firing{Fault: f.Fault, Op: f.Op, Link: f.Link, At: f.At.Sub(w.beginning())}
			if d := w.declaredAt(h, f.Index); d != nil {
				one.Source = place(d.fault.Position)
			}
			w.observer.fault(one)
		}
		w.told[h] = len(fired)
	}
}

// elapsed is the scenario's own time.
func (w *world) elapsed() time.Duration { return w.time().Now().Sub(w.beginning()) }

// beginning is when the scenario's own time began.
func (w *world) beginning() time.Time {
	if w.epoch.IsZero() {
		return clock.Epoch
	}
	return w.epoch
}

// trace is what is known of the wire so far: what our own client saw, or of a
// foreign one what the servers did.
func (w *world) trace() wire.Trace {
	if w.foreign != nil {
		return w.serverTrace()
	}
	return w.recorder.Trace()
}

func (w *world) setWatch(f func(wire.Exchange)) {
	w.mu.Lock()
	w.watch = f
	w.mu.Unlock()
}

// close ends the hosts and removes what the world put on disk.
func (w *world) close() error {
	w.working()
	var errs []error
	if w.foreign != nil {
		errs = append(errs, w.foreign.close()) // before the hosts: what it still asks would keep them
	}
	for _, h := range w.hosts {
		if h.server != nil {
			errs = append(errs, h.server.Close())
		}
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// addresses are the hosts' addresses, in order.
func (w *world) addresses() []string {
	var list []string
	for _, h := range w.hosts {
		list = append(list, h.address())
	}
	return list
}

// realms are the hosts' token services.
func (w *world) realms() []string {
	var list []string
	for _, h := range w.hosts {
		list = append(list, h.server.TokenHost())
		list = append(list, realmsOf(h.registry)...)
	}
	return list
}

// A logBuffer keeps what was logged, for the search for secrets.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text []byte
}

// maxLog bounds what is kept.
const maxLog = 1 << 20

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.text) < maxLog {
		b.text = append(b.text, p...)
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}
