// Package distregistry is distribution v3.1.2 in process, over the storage of
// package fakeregistry, behind a front that takes signed schema 1 manifests as
// distribution 2.8 did.
//
//	server, err := fakeregistry.Start(fakeregistry.Config{Registry: distregistry.New(distregistry.Options{})})
//
// # What it does to the process
//
// Linking distribution registers metrics with Prometheus' default registerer and
// a variable "registry" with expvar when the program starts: a program that
// publishes an expvar of that name which is no Map panics. This package adds the
// storage driver "pushcheck" to distribution's drivers, once; any number of apps
// may follow, ours and the caller's own. Nothing of an app is measured or traced,
// and the default loggers of logrus and distribution are neither used nor changed,
// but for one line that distribution writes to logrus' standard logger itself: a
// warning when the bytes of an upload vanished before they became a blob, which
// only a storage fault can cause.
//
// Each distribution app leaves one goroutine for ever, LeakedGoroutine. Apps are
// therefore kept after Close and used again: a process has as many as it had
// registries open at once with the same options.
package distregistry

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/distribution/v3/registry/handlers"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/mediatype"
	"github.com/pushcheck/pushcheck/internal/schema1"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// LeakedGoroutine is the function in which the goroutine waits that outlives each
// distribution app, for tests that look for leaks.
const LeakedGoroutine = "github.com/docker/go-events.(*Broadcaster).run"

// Options say how a Registry is configured. The zero value is distribution's
// default configuration, with the schema 1 front.
type Options struct {
	// Storage is what to serve; nil makes one in memory that Close closes.
	Storage *fakeregistry.Storage

	Delete   bool // storage.delete.enabled
	ReadOnly bool // storage.maintenance.readonly.enabled
	// ForeignLayers allows any URL of a layer that lives elsewhere
	// (validation.manifests.urls.allow).
	ForeignLayers    bool
	RelativeLocation bool // http.relativeurls
	NoSchema1        bool // schema 1 is MANIFEST_INVALID, as for distribution alone (P-306)
	// Accepts limits the manifests that are taken; nil is all of them. Others are
	// answered MANIFEST_INVALID by the front.
	Accepts []fakeregistry.Format
}

// A Registry is distribution in process. It is safe for concurrent use. The names
// of its upload sessions are random.
type Registry struct {
	key     appKey
	app     *app
	storage *fakeregistry.Storage
	owned   bool // whether Close closes the storage
	front   *fakeregistry.V2
	accepts map[fakeregistry.Format]bool
	close   sync.Once
}

var _ fakeregistry.Registry = (*Registry)(nil)

// New makes a registry. The caller closes it when its requests have ended, or
// hands it to a server that does.
func New(o Options) *Registry {
	r := &Registry{storage: o.Storage, key: appKey{o.Delete, o.ReadOnly, o.ForeignLayers, o.RelativeLocation}}
	all := []fakeregistry.Format{fakeregistry.Schema1, fakeregistry.Schema2, fakeregistry.OCI}
	r.accepts = map[fakeregistry.Format]bool{}
	for _, f := range all {
		r.accepts[f] = (o.Accepts == nil || slices.Contains(o.Accepts, f)) && !(o.NoSchema1 && f == fakeregistry.Schema1)
	}
	front := fakeregistry.V2Options{
		Storage: o.Storage, ReadOnly: o.ReadOnly, Accepts: []fakeregistry.Format{},
		Quirks: fakeregistry.Quirks{RelativeLocation: o.RelativeLocation, DistributionErrors: true},
	}
	if r.accepts[fakeregistry.Schema1] {
		front.Accepts = all[:1]
	}
	r.front = fakeregistry.NewV2(front)
	r.owned, r.storage = o.Storage == nil, r.front.Storage()
	r.app = takeApp(r.key)
	r.app.storage.Store(r.storage)
	return r
}

// Storage implements fakeregistry.Registry.
func (r *Registry) Storage() *fakeregistry.Storage { return r.storage }

// Close implements fakeregistry.Registry: it keeps the app for the next New.
func (r *Registry) Close() error {
	var err error
	r.close.Do(func() {
		giveApp(r.key, r.app)
		if r.owned {
			err = r.storage.Close()
		}
	})
	return err
}

// ServeHTTP answers one request.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.isForFront(req) {
		r.front.ServeHTTP(w, req)
		return
	}
	r.app.ServeHTTP(w, req.WithContext(quiet{req.Context()}))
}

// isForFront reports whether a request is for the front: a schema 1 manifest is
// pushed, or one that was pushed is asked for, or a manifest of a format is pushed
// that is not taken. Everything else about schema 1, such as its tags and its
// deletion, distribution does itself.
func (r *Registry) isForFront(req *http.Request) bool {
	route := wire.ParseRoute(req.Method, req.URL)
	switch route.Op {
	case wire.OpManifestPut:
		format := formatOf(req.Header.Get("Content-Type"))
		if format == fakeregistry.Schema1 {
			return r.accepts[format] // else distribution refuses it
		}
		return format != "" && !r.accepts[format]
	case wire.OpManifestGet, wire.OpManifestHead:
		reference := route.Tag
		if reference == "" {
			reference = route.Digest.String()
		}
		_, info := r.storage.FindManifest(route.Repository, reference)
		return info != nil && info.MediaType == schema1.MediaTypeSigned
	default:
		return false
	}
}

// formatOf is the format of a Content-Type; "" for one that is no manifest's.
func formatOf(contentType string) fakeregistry.Format {
	mediaType, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "", mediaType == "application/json", mediaType == schema1.MediaType, mediaType == schema1.MediaTypeSigned:
		return fakeregistry.Schema1
	case err != nil:
		return ""
	case strings.HasPrefix(mediaType, mediatype.Manifest):
		return fakeregistry.Schema2
	case strings.HasPrefix(mediaType, "application/vnd.oci.image."):
		return fakeregistry.OCI
	}
	return ""
}

// An app is a distribution app that can serve one storage after another.
type app struct {
	*handlers.App
	storage atomic.Pointer[fakeregistry.Storage]
}

// An appKey is what an app cannot change after it was made.
type appKey struct{ delete, readOnly, foreignLayers, relative bool }

var idle struct {
	sync.Mutex // guards apps
	apps       map[appKey][]*app
}

func takeApp(k appKey) *app {
	idle.Lock()
	defer idle.Unlock()
	if n := len(idle.apps[k]); n > 0 {
		a := idle.apps[k][n-1]
		idle.apps[k] = idle.apps[k][:n-1]
		return a
	}
	return newApp(k)
}

func giveApp(k appKey, a *app) {
	idle.Lock()
	defer idle.Unlock()
	if idle.apps == nil {
		idle.apps = map[appKey][]*app{}
	}
	idle.apps[k] = append(idle.apps[k], a)
}
