package scenarios

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/report"
)

// lingering is a registry whose handlers do not return at once after they answered.
type lingering struct{ fakeregistry.Registry }

// ServeHTTP implements http.Handler.
func (l lingering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			_ = clock.Real().Sleep(context.WithoutCancel(r.Context()), 30*time.Millisecond)
		}
	}()
	l.Registry.ServeHTTP(w, r)
}

// A client that sees its connection break goes on before the handler that broke it
// has returned, and only then it is known that the registry had taken the manifest.
func TestJudgesWhenTheHandlersAreDone(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"tls-cut: manifest.put", "reset: manifest.put, side: response", "close: manifest.put, side: response", "commit-lost: manifest.put"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			list := made(t, `scenario: x
registry: {kind: fake, tls: true}
image: {layers: [1KiB]}
client: {era: docker-20.10, trust: true}
push: a/b:c
faults: [{`+fault+`}]
expect: {result: truthful}
`)
			r := &Runner{changes: changes{registry: func(_ int, r fakeregistry.Registry) fakeregistry.Registry { return lingering{r} }}}
			summary, err := r.Run(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			if res := summary.Results[0]; res.Outcome != report.Pass || res.Ending == ResultPushed {
				t.Errorf("%s, %s: %v", res.Outcome, res.Ending, res.Failures)
			}
		})
	}
}
