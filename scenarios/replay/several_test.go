package replay_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// Of pushes of two repositories at once, what differs is found, and of which it was.
func TestDifferencesOfSeveralAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*recording.Step, *pusher.Era)
		want   []string
	}{
		{"mounts nothing", func(_ *recording.Step, e *pusher.Era) { e.Layers.Search.Budgets = nil }, []string{"lib/app: ", "- POST /v2/lib/app/blobs/uploads/?from=lib%2Fother&mount=sha256%3A"}},
		{"a manifest", func(s *recording.Step, _ *pusher.Era) {
			for i, e := range s.Exchanges {
				if strings.HasPrefix(e.String(), "PUT /v2/lib/other/manifests") {
					s.Exchanges[i].ReqSHA256 = strings.Repeat("0", 64)
				}
			}
		}, []string{"lib/other: request 4", "PUT /v2/lib/other/manifests/latest: body"}},
		{"a line", func(s *recording.Step, _ *pusher.Era) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "d5126c77f639: Mounted from lib/other", "d5126c77f639: Pushed", 1))
		}, []string{"lib/app: stdout, layer d5126c77f639"}},
		{"an outcome", func(s *recording.Step, _ *pusher.Era) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "rc=0", "rc=1", 1))
		}, []string{"lib/app: outcome"}},
		{"somebody else's request", func(s *recording.Step, _ *pusher.Era) {
			s.Exchanges[len(s.Exchanges)-1].Path = "/v2/lib/third/manifests/latest"
		}, []string{"which of the pushes it was for does not show: PUT /v2/lib/third/manifests/latest"}},
		{"the same twice", func(s *recording.Step, _ *pusher.Era) {
			s.Input.Argv[2] = strings.Replace(s.Input.Argv[2], "wait;", "docker push HOST/lib/app:v2; wait;", 1)
			s.Stream = append(s.Stream, "--- push 3\nnothing\n"...)
		}, []string{"it pushes HOST/lib/app more than once, and other repositories beside it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := recording.ReadStep(filepath.Join(daemon+"-more", "95-two-repositories/1.json"))
			require.NoError(t, err)
			era := pusher.Docker2010()
			c.change(step, &era)
			dir := filepath.Join(t.TempDir(), "scenario")
			require.NoError(t, recording.Write(dir, step))
			v := only(t, replay.Options{Paths: []string{dir}, Images: daemonImages, Era: era})
			require.False(t, v.Equal())
			said := text(v)
			if v.Unplayable != nil {
				said = v.Unplayable.Error()
			}
			for _, want := range c.want {
				assert.Contains(t, said, want)
			}
		})
	}
}
