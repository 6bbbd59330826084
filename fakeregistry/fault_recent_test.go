package fakeregistry

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// TestWhatFaultsRememberIsBounded: however many connections, digests and sessions a
// server sees, its faults remember the last of them and no more, and go on to count
// those that come again and again.
func TestWhatFaultsRememberIsBounded(t *testing.T) {
	t.Parallel()
	respond, _ := KindOf("respond")
	effect, err := respond.Make(Args{"status": int64(418)})
	if err != nil {
		t.Fatal(err)
	}
	keeping := funcEffect(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		strikeOf(r).keep(r.URL.Path, "x")
		strikeOf(r).note(r.URL.Path, func(n *int64) { *n++ })
		next.ServeHTTP(w, r)
	})
	in, err := newInjector(&bench{clock: clock.NewVirtual(clock.Epoch), log: slog.New(slog.DiscardHandler)}, []Fault{
		{Name: "respond", Effect: effect, When: Trigger{Nth: 3, Per: "digest"}},
		{Name: "reset", Effect: keeping, When: Trigger{Nth: 1, Per: "connection"}},
		{Name: "close", Effect: keeping, When: Trigger{Chance: 0.5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	in.keep = 10
	h := in.Wrap(http.NotFoundHandler())
	ask := func(n int) int {
		d := digest.FromString(fmt.Sprint(n))
		r := httptest.NewRequest(http.MethodHead, "/v2/a/blobs/"+d.String(), nil)
		r.RemoteAddr = fmt.Sprintf("10.0.0.%d:%d", n>>16, n&0xffff)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	if got := ask(-1); got != 404 {
		t.Fatalf("the first request: %d", got)
	}
	for n := range 3 * recentLimit {
		ask(n)
		if n == recentLimit/2 {
			if got := ask(-1); got != 404 {
				t.Errorf("the second request of one that is remembered: %d", got)
			}
		}
	}
	// Thousands of others came since the second: it is the first again.
	if got := []int{ask(-1), ask(-1), ask(-1)}; got[0] != 404 || got[1] != 404 || got[2] != 418 {
		t.Errorf("one that was forgotten is answered %v, want it counted anew", got)
	}
	for _, r := range *in.rules.Load() {
		for what, n := range map[string]int{
			"tallies": r.tallies.remembered(), "draws": r.draws.remembered(), "digests": r.digests.remembered(),
			"notes": r.notes.remembered(), "texts": r.texts.remembered(), "counts": len(r.counts),
		} {
			if n > 2*recentLimit {
				t.Errorf("%s: %d %s, want at most %d", r.Name, n, what, 2*recentLimit)
			}
		}
	}
}

// A funcEffect is an Effect that is a function.
type funcEffect func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Disturb implements Effect.
func (f funcEffect) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) { f(w, r, next) }
