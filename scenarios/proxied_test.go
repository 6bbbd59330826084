package scenarios

import (
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
)

// farther puts a scenario's registry behind a proxy, on a connection of its own.
type farther struct {
	fakeregistry.Registry // the proxy
	near                  fakeregistry.Registry
	far                   *http.Server
}

func fartherAway(t *testing.T, near fakeregistry.Registry) fakeregistry.Registry {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &farther{near: near, far: &http.Server{Handler: near, ErrorLog: log.New(io.Discard, "", 0)}}
	go func() { _ = f.far.Serve(l) }()
	f.Registry, err = fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *farther) Storage() *fakeregistry.Storage { return f.near.Storage() }
func (f *farther) Unwrap() fakeregistry.Registry  { return f.Registry }
func (f *farther) Close() error {
	err := f.Registry.Close()
	_ = f.far.Close()
	return firstError(err, f.near.Close())
}

// fartherPart is what TestLibraryFartherAway runs of the library without -full.
var fartherPart = []string{
	"auth/bearer", "fallback/not-v2/reset", "manifest/lost", "network/continue-never", "network/http10", "upload/redirected", "upload/session-vanishes", "upload/too-large",
}

// slowInside are files whose registry takes its time by itself. Behind the proxy it is
// on no clock of the scenario's.
var slowInside = []string{"ornery/latency"}

// inPart reports whether a scenario is of one of the files.
func inPart(s *Scenario, part []string) bool {
	return slices.ContainsFunc(part, func(id string) bool {
		return s.ID == id || strings.HasPrefix(s.ID, id+"/") || strings.HasPrefix(s.ID, id+"@")
	})
}

// A registry behind a proxy is, to client and faults, the registry itself: the
// library's expectations hold, but for faults that strike inside and time that passes there.
func TestLibraryFartherAway(t *testing.T) {
	t.Parallel()
	inside := func(f Fault) bool {
		return slices.ContainsFunc(append(slices.Clone(f.AnyOf), f.Name), func(name string) bool {
			kind, _ := fakeregistry.KindOf(name)
			return kind.Seam == fakeregistry.SeamStorage
		})
	}
	var list []*Scenario
	for _, s := range List() {
		if SkipReason(s) == "" && !slices.ContainsFunc(s.Faults, inside) && !inPart(s, slowInside) && (*full || inPart(s, fartherPart)) {
			list = append(list, s)
		}
	}
	if len(list) < len(fartherPart) {
		t.Fatalf("only %d scenarios are left of %v", len(list), fartherPart)
	}
	r := &Runner{changes: changes{registry: func(_ int, near fakeregistry.Registry) fakeregistry.Registry { return fartherAway(t, near) }}}
	summary, err := r.Run(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range summary.Results {
		if res.Outcome == report.Fail || res.Outcome == report.Broken {
			t.Errorf("%s: %s %s", res.ID, res.Outcome, res.Because)
			for _, f := range res.Failures {
				t.Errorf("   %s: %.300s", f.Name, f.Message)
			}
		}
	}
}
