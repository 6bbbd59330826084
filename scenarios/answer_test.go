package scenarios

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A mute registry answers as its function does.
type mute struct {
	fakeregistry.Registry
	answer http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (m mute) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.answer(w, r) }

func TestAHandlerThatSaysNothingHasSaid200(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   int
	}{
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 200},
		{"headers only", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "4") }, 200},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404},
		{"it gives up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
	} {
		i := inspector{registry: mute{answer: tt.answer}}
		if got := i.ask(context.Background(), http.MethodHead, "/v2/", io.Discard).status; got != tt.want {
			t.Errorf("%s: the answer is %d, want %d", tt.name, got, tt.want)
		}
	}
}
