package pusher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A stub answers for one endpoint after the other.
type stub struct {
	errs map[string]error // by "v2 http://host"; nil is success
	seen []string
	each func(*Job)
}

// Push implements Pusher.
func (s *stub) Push(_ context.Context, job *Job) ([]Published, error) {
	key := fmt.Sprintf("%s %s", job.Endpoint.Version, job.Endpoint.URL)
	s.seen = append(s.seen, key)
	if s.each != nil {
		s.each(job)
	}
	if err, ok := s.errs[key]; ok {
		return nil, err
	}
	return []Published{{Tag: job.Tag}}, nil
}

func stubbed(t *testing.T, c Config, s *stub) *Client {
	t.Helper()
	store, err := image.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{0}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost/a", "registry.example/a", "ubuntu"} {
		if err := store.Tag(name, "t", ids[0]); err != nil {
			t.Fatal(err)
		}
	}
	c.Images = store
	client := newTestClient(t, c)
	client.protocols = map[Version]Pusher{V1: s, V2: s}
	return client
}

func TestLoop(t *testing.T) {
	t.Parallel()
	const h2, p2, h1, p1 = "v2 https://localhost", "v2 http://localhost", "v1 https://localhost", "v1 http://localhost"
	connect, upload := at(StageConnect, errors.New("nobody there")), at(StageUpload, errors.New("disk full"))
	tests := []struct {
		name   string
		errs   map[string]error
		seen   []string
		shown  string
		reason []string
		via    Version
	}{
		{name: "the first takes it", seen: []string{h2}, via: V2},
		{name: "the second takes it", errs: map[string]error{h2: connect}, seen: []string{h2, p2}, via: V2},
		{name: "V1 takes it", errs: map[string]error{h2: connect, p2: connect, h1: connect}, seen: []string{h2, p2, h1, p1}, via: V1},
		{name: "an upload that fails ends it", errs: map[string]error{h2: connect, p2: upload}, seen: []string{h2, p2}, shown: "disk full", reason: []string{"connect: nobody there", "upload: disk full"}},
		{name: "the last error is shown", errs: map[string]error{h2: connect, p2: connect, h1: connect, p1: at(StageConnect, errors.New("last"))}, seen: []string{h2, p2, h1, p1}, shown: "last", reason: []string{"connect: nobody there", "connect: nobody there", "connect: nobody there", "connect: last"}},
		{name: "an error without a stage ends it", errs: map[string]error{h2: errors.New("plain")}, seen: []string{h2}, shown: "plain", reason: []string{"publish: plain"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &stub{errs: tt.errs}
			result, err := stubbed(t, Config{}, s).Push(t.Context(), "localhost/a", "t", Options{})
			if diff := cmp.Diff(tt.seen, s.seen); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
			if result.Via != tt.via || (err == nil) != (tt.shown == "") {
				t.Errorf("via %s, error %v", result.Via, err)
			}
			if err == nil {
				return
			}
			var failed *FailedError
			if !errors.As(err, &failed) || err.Error() != tt.shown {
				t.Fatalf("error %v, want %s", err, tt.shown)
			}
			var reasons []string
			for _, a := range failed.Attempts {
				reasons = append(reasons, a.Stage.String()+": "+a.Err.Error())
				if !errors.Is(err, a.Err) {
					t.Errorf("errors.Is does not find %v", a.Err)
				}
			}
			if diff := cmp.Diff(tt.reason, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoopPolicy: the loop does as the policy says, whichever it is.
func TestLoopPolicy(t *testing.T) {
	t.Parallel()
	era := Docker18()
	era.Policy = func(history []Attempt, next Endpoint) Decision {
		switch {
		case next.Version == V1:
			return Stop
		case len(history) == 0:
			return Skip
		}
		return Try
	}
	s := &stub{errs: map[string]error{"v2 http://localhost": at(StageConnect, errors.New("no"))}}
	result, err := stubbed(t, Config{Era: era}, s).Push(t.Context(), "localhost/a", "t", Options{})
	if err == nil || len(s.seen) != 1 || len(result.Attempts) != 2 || !result.Attempts[0].Skipped {
		t.Errorf("seen %q, result %+v, error %v", s.seen, result, err)
	}
	era.Policy = func([]Attempt, Endpoint) Decision { return Stop }
	_, err = stubbed(t, Config{Era: era}, &stub{}).Push(t.Context(), "ubuntu", "t", Options{})
	if !errors.Is(err, ErrNoEndpoint) || err.Error() != "no endpoints found for docker.io/library/ubuntu" {
		t.Errorf("no endpoint: %v", err)
	}
}

// TestLoopCancelled: cancellation is final and is what the caller gets.
func TestLoopCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stub{errs: map[string]error{"v2 https://localhost": at(StageConnect, errors.New("cut off"))}, each: func(*Job) { cancel() }}
	var last error
	result, err := stubbed(t, Config{}, s).Push(ctx, "localhost/a", "t", Options{Progress: func(e Event) { last = e.Err }})
	if !errors.Is(err, context.Canceled) || !errors.Is(last, context.Canceled) || len(s.seen) != 1 {
		t.Errorf("error %v, told %v, seen %q", err, last, s.seen)
	}
	if result == nil || result.Via != 0 {
		t.Errorf("result %+v", result)
	}
	if _, err := stubbed(t, Config{}, s).Push(ctx, "localhost/a", "t", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended before: %v", err)
	}
}

// TestLoopUnknownVersion: an endpoint of a kind nobody knows is passed over
// (P-103).
func TestLoopUnknownVersion(t *testing.T) {
	t.Parallel()
	c := stubbed(t, Config{}, &stub{})
	delete(c.protocols, V2)
	delete(c.protocols, V1)
	result, err := c.Push(t.Context(), "registry.example/a", "t", Options{})
	if err == nil || err.Error() != "unknown version 1 for registry https://registry.example" || len(result.Attempts) != 2 {
		t.Errorf("error %v, attempts %+v", err, result.Attempts)
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	store, err := image.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for want, c := range map[string]Config{
		"Config.Images": {Era: Docker18()},
		"Config.Era":    {Images: store},
		"Unsupported":   {Era: Docker18(), Images: store, Mirrors: []string{"ftp://x"}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %s", err, want)
		}
	}
}
