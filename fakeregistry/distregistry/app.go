package distregistry

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/sirupsen/logrus"
)

// driverName is the name of our storage driver within distribution.
const driverName = "pushcheck"

// Distribution finds storage drivers in a map that has no lock, so that the only
// safe moment to add one is before main. This is the one registration of the
// project that happens by itself.
var _ = registerDriver()

func registerDriver() bool {
	factory.Register(driverName, driverFactory{})
	return true
}

type driverFactory struct{}

// Create implements factory.StorageDriverFactory. The parameter "app" is the app
// to serve.
func (driverFactory) Create(_ context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	a, ok := parameters["app"].(*app)
	if !ok {
		return nil, errors.New("the storage driver " + driverName + " is for package distregistry only")
	}
	return &driver{app: a}, nil
}

// newApp makes a distribution app.
func newApp(k appKey) *app {
	a := &app{}
	c := &configuration.Configuration{
		Storage: configuration.Storage{
			driverName: {"app": a},
			"delete":   {"enabled": k.delete},
			"maintenance": {
				"uploadpurging": map[any]any{"enabled": false}, // it would keep a goroutine and a timer
				"readonly":      map[any]any{"enabled": k.readOnly},
			},
			"redirect": {"disable": true}, // there is nowhere to
		},
	}
	c.HTTP.Secret = driverName // of the state in locations; nobody outside the process can use it
	c.HTTP.RelativeURLs = k.relative
	if k.foreignLayers {
		c.Validation.Manifests.URLs.Allow = []string{".*"}
	}
	//nolint:forbidigo // an app lives as long as the process: see the package comment
	a.App = handlers.NewApp(quiet{context.Background()}, c)
	return a
}

// quiet is a context in which distribution finds a logger that writes nothing,
// where it would otherwise take its process-wide one.
type quiet struct{ context.Context }

// The key of distribution's logger has an internal type, which can be recognised
// by its name.
const (
	loggerKeyPackage = "github.com/distribution/distribution/v3/internal/dcontext"
	loggerKeyName    = "loggerKey"
)

// Value implements context.Context.
func (q quiet) Value(key any) any {
	if t := reflect.TypeOf(key); t.Name() == loggerKeyName && strings.HasSuffix(t.PkgPath(), loggerKeyPackage) {
		return silence
	}
	return q.Context.Value(key)
}

var silence = logrus.NewEntry(&logrus.Logger{
	Out: io.Discard, Formatter: discard{}, Hooks: logrus.LevelHooks{}, Level: logrus.PanicLevel,
})

type discard struct{}

func (discard) Format(*logrus.Entry) ([]byte, error) { return nil, nil }
