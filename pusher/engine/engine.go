// Package engine is the Docker Engine API in front of a pusher.Client: what the
// docker command line talks to when it loads, tags and pushes images.
//
// It speaks the API from version 1.12, which docker 1.8 still took, to the
// newest that the docker command line asks for, as far as pushing needs it.
// Everything else is answered with 501 and a message that says so.
package engine

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A Config says what an engine serves.
type Config struct {
	Images *image.Store   // required; the caller closes it after the engine
	Client *pusher.Client // required; pushes from Images
	Era    pusher.Era     // the Client's
	// InsecureRegistries and Mirrors are shown by info; they are the Client's own.
	InsecureRegistries, Mirrors []string
	TempDir                     string       // where an import is buffered; "" is the system's
	Clock                       clock.Clock  // nil is the real clock
	Log                         *slog.Logger // one line a request; nil discards
}

// An Engine answers the API. It is an http.Handler, safe for concurrent use.
type Engine struct {
	config Config
	log    *slog.Logger
	clock  clock.Clock
	events *eventLog

	life context.Context // ends with Close: pushes outlive their callers (P-026), not the engine
	end  context.CancelFunc
	busy sync.WaitGroup // requests under way

	mu     sync.Mutex // guards closed, and busy against growing after it
	closed bool
}

// New makes an engine. ctx bounds everything that it does; Close ends it sooner.
// The caller closes it.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Images == nil || c.Client == nil {
		return nil, errors.New("engine: Images and Client are required")
	}
	e := &Engine{config: c, clock: c.Clock, log: c.Log}
	if e.clock == nil {
		e.clock = clock.Real()
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.events = newEventLog(e.clock)
	e.life, e.end = context.WithCancel(ctx)
	return e, nil
}

// Close ends the pushes and event streams under way and waits for them, and for
// the other requests. One that comes later is answered with 503. It may be called
// more than once.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.end()
	e.busy.Wait()
}

// enter counts a request. It reports whether there is somebody to answer it.
func (e *Engine) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.busy.Add(1)
	}
	return !e.closed
}

// Serve answers requests on l until ctx ends, then ends what is under way and
// returns nil. It closes l.
//
// Errors: of the listener.
func (e *Engine) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: e, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelDebug)}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		e.end()
		_ = server.Close()
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	e.Close()
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ServeHTTP implements http.Handler.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.enter() {
		http.Error(w, "the engine is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer e.busy.Done()
	c := &call{engine: e, w: w, r: r}
	w.Header().Set("Server", "Docker/"+e.version()+" (linux)") // P-025
	handle, err := c.route()
	if err == nil {
		err = handle(c)
	}
	if err != nil {
		c.fail(err)
	}
	e.log.Info("api", "method", r.Method, "path", r.URL.Path, "status", cmp.Or(c.status, http.StatusOK), "error", errorText(err))
}

// version is the docker version that the era stands for: "1.8.3".
func (e *Engine) version() string { return e.config.Era.Version() }
