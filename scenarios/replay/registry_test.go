package replay_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/tarsum"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// What docker 1.8 pushes to our own V1 registry, in each of its styles, is
// complete there and equal to what was recorded of the real docker.
func TestV1RegistryTakesThePush(t *testing.T) {
	t.Parallel()
	users := map[string]string{"alice": "secret"}
	for name, c := range map[string]struct {
		options     fakeregistry.V1Options
		tls         bool
		credentials pusher.Credentials
	}{
		"standalone":            {},
		"standalone over TLS":   {tls: true},
		"index":                 {options: fakeregistry.V1Options{Index: true, Users: users}, credentials: pusher.Credentials{Username: "alice", Password: "secret"}},
		"index over TLS":        {options: fakeregistry.V1Options{Index: true, Users: users}, tls: true, credentials: pusher.Credentials{Username: "alice", Password: "secret"}},
		"payload checksum only": {options: fakeregistry.V1Options{PayloadOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV1(c.options), TLS: c.tls})
			require.NoError(t, err)
			defer func() { require.NoError(t, server.Close()) }()
			store, err := image.Open(t.TempDir())
			require.NoError(t, err)
			defer store.Close() //nolint:errcheck // only read
			_, err = store.Load(t.Context(), images+"/docker-1.8.3-app.tar")
			require.NoError(t, err)
			tags, err := store.Tags("lib/app")
			require.NoError(t, err)
			repository := server.Host() + "/lib/app"
			require.NoError(t, store.Tag(repository, "latest", tags["latest"]))

			client, err := pusher.New(pusher.Config{Era: pusher.Docker18(), Images: store, TempDir: t.TempDir()})
			require.NoError(t, err)
			for range 2 { // the second finds everything there
				result, err := client.Push(t.Context(), repository, "latest", pusher.Options{Credentials: c.credentials})
				require.NoError(t, err)
				require.Equal(t, pusher.V1, result.Via)
			}
			if !c.options.Index && !c.tls {
				readBack(t, server.URL()+"/v1/", store, tags["latest"])
			}
		})
	}
}

// readBack compares what a V1 registry serves with the image that was pushed.
func readBack(t *testing.T, url string, store *image.Store, want string) {
	t.Helper()
	read := func(path string) []byte {
		resp, err := http.Get(url + path) //nolint:noctx,gosec // a test's
		require.NoError(t, err)
		defer resp.Body.Close() //nolint:errcheck // read only
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return b
	}
	var id string
	require.NoError(t, json.Unmarshal(read("repositories/lib/app/tags/latest"), &id))
	require.Equal(t, want, id)
	layer, err := store.Layer(id)
	require.NoError(t, err)
	require.Equal(t, string(layer.V1JSON), string(read("images/"+id+"/json")))
	z, err := gzip.NewReader(bytes.NewReader(read("images/" + id + "/layer")))
	require.NoError(t, err)
	sum, err := tarsum.Compute(z, layer.V1JSON)
	require.NoError(t, err)
	require.Equal(t, "tarsum+sha256:9ee6047e3ed3d84c836f567ca9dc6efe27c46e638589d66d4d036e1f2ac8775f", sum)
}
