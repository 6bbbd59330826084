package wire_test

import (
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/fakeregistry/distregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// Whole pushes of docker 1.8, first and again, are the same from both sides.
func TestBothSidesOfAPushAgree(t *testing.T) {
	t.Parallel()
	bearer := func() fakeregistry.Guard {
		return &fakeregistry.Bearer{Users: fakeregistry.Passwords(map[string]string{"alice": "correct-horse"}), Own: true}
	}
	for _, row := range []struct {
		name     string
		registry fakeregistry.Registry
		guard    fakeregistry.Guard
		via      pusher.Version
		least    int // exchanges of both pushes together
	}{
		{"fake", fakeregistry.NewV2(fakeregistry.V2Options{}), nil, pusher.V2, 2*2 + 4*3 + 3},
		{"distribution", distregistry.New(distregistry.Options{}), nil, pusher.V2, 2*2 + 4*3 + 3},
		{"token", fakeregistry.NewV2(fakeregistry.V2Options{}), bearer(), pusher.V2, 2*2 + 4*3 + 3 + 2},
		{"v1", fakeregistry.NewV1(fakeregistry.V1Options{}), nil, pusher.V1, 2*3 + 3*4},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			srv, err := fakeregistry.Start(fakeregistry.Config{Registry: row.registry, Guard: row.guard})
			if err != nil {
				t.Fatal(err)
			}
			closed := false
			defer func() {
				if !closed {
					_ = srv.Close()
				}
			}()
			rec := wire.NewRecorder(clock.Real(), nil)
			pushTwice(t, srv.Host(), rec, row.via)
			if err := srv.Close(); err != nil { // waits for the last handler
				t.Fatal(err)
			}
			closed = true
			if n := len(srv.Trace()); n < row.least {
				t.Errorf("the server saw %d exchanges, want at least %d", n, row.least)
			}
			if diff := wire.Diff(rec.Trace(), srv.Trace()); diff != "" {
				t.Errorf("client and server disagree:\n%s", diff)
			}
			if text := wire.FormatTrace(rec.Trace()); strings.Contains(text, "correct-horse") || strings.Contains(text, srv.Host()) {
				t.Errorf("the text form tells too much:\n%s", text)
			}
		})
	}
}

func pushTwice(t *testing.T, host string, rec *wire.Recorder, via pusher.Version) {
	t.Helper()
	images, err := image.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	layers, err := images.Make(t.Context(), image.Recipe{Layers: []int64{100_000, 5_000, 10}})
	if err != nil {
		t.Fatal(err)
	}
	name := host + "/lib/app"
	if err := images.Tag(name, "latest", layers[len(layers)-1]); err != nil {
		t.Fatal(err)
	}
	client, err := pusher.New(pusher.Config{Era: pusher.Docker18(), Images: images, TempDir: t.TempDir(), Recorder: rec})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		result, err := client.Push(t.Context(), name, "latest", pusher.Options{Credentials: pusher.Credentials{Username: "alice", Password: "correct-horse"}})
		if err != nil || result.Via != via {
			t.Fatalf("pushed via %v: %v", result.Via, err)
		}
	}
}
