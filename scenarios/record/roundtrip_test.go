package record_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/scenarios/record"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// A push that was recorded is equal when it is played, and what was secret in it
// is nowhere.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const password = "hunter2 &ünd \"more\""
	users := fakeregistry.Users{"alice": {Password: password}}
	for name, guard := range map[string]fakeregistry.Guard{
		"anonymous": nil, "basic": &fakeregistry.Basic{Users: users}, "bearer": &fakeregistry.Bearer{Users: users},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, images := filepath.Join(t.TempDir(), name), t.TempDir()
			archive, err := os.ReadFile("../replay/testdata/images/docker-1.8.3-app.tar")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(images, "app.tar"), archive, 0o600))
			registry, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{}), Guard: guard})
			require.NoError(t, err)
			t.Cleanup(func() { _ = registry.Close() })
			for _, step := range []string{"1-first", "2-second"} {
				recordPush(t, registry.URL(), dir, step, password, images)
			}
			report, err := replay.Run(t.Context(), replay.Options{Paths: []string{dir}, Images: images, TempDir: t.TempDir()})
			require.NoError(t, err)
			for _, v := range report.Verdicts {
				assert.True(t, v.Equal(), "%s: %v %v", v.Step, v.Unplayable, v.Diffs)
			}
			assert.Len(t, report.Verdicts, 2)
		})
	}
}

func recordPush(t *testing.T, upstream, dir, name, password, images string) {
	t.Helper()
	store, err := image.Open(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	defer store.Close() //nolint:errcheck // a test
	loaded, err := store.Load(t.Context(), filepath.Join(images, "app.tar"))
	require.NoError(t, err)
	p, err := record.Start(t.Context(), record.Config{Upstream: upstream})
	require.NoError(t, err)
	repository := p.Host() + "/lib/app"
	for _, l := range loaded {
		if l.Tag == "latest" {
			require.NoError(t, store.Tag(repository, "latest", l.Image))
		}
	}
	client, err := pusher.New(pusher.Config{Era: pusher.Docker18(), Images: store, TempDir: t.TempDir()})
	require.NoError(t, err)
	var said bytes.Buffer
	stream := pusher.NewStream(&said, pusher.Docker18())
	_, err = client.Push(t.Context(), repository, "latest", pusher.Options{
		Credentials: pusher.Credentials{Username: "alice", Password: password},
		Progress:    func(e pusher.Event) { _ = stream.Write(e) },
	})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	step := &recording.Step{
		Name: name, Scenario: filepath.Base(dir), Client: "docker-1.8", Scheme: "http", Exchanges: p.Exchanges(), Stream: said.Bytes(),
		Input: recording.Input{Name: repository, Tag: "latest", User: "alice", Pass: password},
	}
	record.Complete(step, p.Hosts(), nil)
	require.NoError(t, recording.Write(dir, step))
	for _, suffix := range []string{".json", ".jsonl", ".stdout"} {
		data, err := os.ReadFile(filepath.Join(dir, name+suffix))
		require.NoError(t, err)
		for _, secret := range []string{"hunter2", strings.TrimPrefix(upstream, "http://"), p.Host()} {
			assert.NotContains(t, string(data), secret, suffix)
		}
	}
}
