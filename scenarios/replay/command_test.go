package replay_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios/replay"
)

const (
	daemon       = "testdata/dockerd-20.10.24"
	daemonImages = "testdata/modern"
)

// Every step that was recorded of dockerd 20.10.24 comes out equal: what each layer
// sent, what was sent before and after them, and what the command line showed.
func TestDocker2010EqualsItsRecordings(t *testing.T) {
	t.Parallel()
	scenarios, err := filepath.Glob(daemon + "*/*")
	require.NoError(t, err)
	require.Len(t, scenarios, 42+12)
	for _, s := range scenarios {
		t.Run(filepath.Base(s), func(t *testing.T) {
			t.Parallel()
			report, err := replay.Run(t.Context(), replay.Options{
				Paths: []string{s}, Images: daemonImages, TempDir: t.TempDir(), Era: pusher.Docker2010(),
			})
			require.NoError(t, err)
			steps, err := filepath.Glob(filepath.Join(s, "*.jsonl"))
			require.NoError(t, err)
			require.Len(t, report.Verdicts, len(steps))
			for _, v := range report.Verdicts {
				require.NoError(t, v.Unplayable, v.Step)
				for _, d := range v.Diffs {
					t.Errorf("%s: %s", v.Step, d)
				}
			}
		})
	}
}

// A docker that pushes another way is found out by the very steps that are about
// the difference.
func TestAnotherDaemonDiffers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scenario, where string
		change                func(*pusher.Era)
	}{
		{"tries four times", "13-data-500-always", "stdout, layer 3e93eecdfcdc", func(e *pusher.Era) { e.Layers.Retry.Attempts = 4 }},
		{"counts seconds without a singular", "10-post-500-once", "Retrying in 1 seconds", func(e *pusher.Era) { e.Layers.Retry.Singular = false }},
		{"goes on after TOOMANYREQUESTS", "28-429-post-always", "Retrying in 5 seconds", func(e *pusher.Era) { e.Layers.Retry.Final = nil }},
		{"uploads again what is not there", "78-commit-put-307", "stdout, layer d5126c77f639", func(e *pusher.Era) { e.Layers.Retry.FinalUnknown = false }},
		{"asks only for digests of the target", "01-clean", "HEAD /v2/lib/other/blobs/sha256:", func(e *pusher.Era) { e.Layers.Search.FirstAny = false }},
		{"mounts nothing", "01-clean", "from=lib%2Fapp", func(e *pusher.Era) { e.Layers.Search.Budgets = nil }},
		{"has an empty type", "01-clean", "+ Content-Type:", func(e *pusher.Era) { e.Upload.EmptyType = true }},
		{"falls back to schema 1", "33-manifest-500-always", "a request more, of no layer\n  - nothing\n  + PUT /v2/lib/app/manifests/latest", func(e *pusher.Era) { e.Manifests = append(e.Manifests, pusher.Schema1) }},
		{"wants the version header", "62-ping-404", "outcome", func(e *pusher.Era) { e.VersionHeader = true }},
		{"shares nothing", "80-concurrent-same-name", "already in progress", func(e *pusher.Era) { e.Words.InProgress = "push %s is already in progress" }},
		{"compares no digest", "01-clean", "stdout, before the layers", func(e *pusher.Era) { e.Words.Refers = "The push refers to a repository [%[1]s]" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			era := pusher.Docker2010()
			c.change(&era)
			report, err := replay.Run(t.Context(), replay.Options{
				Paths: []string{filepath.Join(daemon, c.scenario)}, Images: daemonImages, TempDir: t.TempDir(), Era: era,
			})
			require.NoError(t, err)
			all := ""
			for _, v := range report.Verdicts {
				all += text(v)
			}
			require.Contains(t, all, c.where)
		})
	}
}

// Whatever is changed in a recording of layers that went side by side, the change
// is found.
func TestDifferencesOfLayersAreFound(t *testing.T) {
	t.Parallel()
	find := func(s *recording.Step, request string) *recording.Exchange {
		for i := range s.Exchanges {
			if strings.HasPrefix(s.Exchanges[i].String(), request) {
				return &s.Exchanges[i]
			}
		}
		t.Fatalf("no %s", request)
		return nil
	}
	for _, c := range []struct {
		name   string
		change func(*recording.Step)
		want   string
	}{
		{"a header", func(s *recording.Step) { find(s, "PATCH").ReqHeaders[2] = "Transfer-Encoding: identity" }, "- Transfer-Encoding: identity"},
		{"a request less", func(s *recording.Step) {
			for i := range s.Exchanges {
				if s.Exchanges[i].Method == "HEAD" {
					s.Exchanges = append(s.Exchanges[:i], s.Exchanges[i+1:]...)
					return
				}
			}
		}, "- nothing\n  + HEAD /v2/lib/app/blobs/sha256:"},
		{"a request more", func(s *recording.Step) {
			e := *find(s, "HEAD")
			e.Seq, e.Conn = 99, 99
			s.Exchanges = append(s.Exchanges[:len(s.Exchanges)-6:len(s.Exchanges)-6], append([]recording.Exchange{e}, s.Exchanges[len(s.Exchanges)-6:]...)...)
		}, "request 99\n  - HEAD"},
		{"a manifest", func(s *recording.Step) {
			e := find(s, "PUT /v2/lib/app/manifests")
			e.ReqSHA256 = strings.Repeat("0", 64)
		}, "PUT /v2/lib/app/manifests/latest: body"},
		{"a connection that is used again", func(s *recording.Step) { find(s, "PUT").Conn = find(s, "GET").Conn }, ": connection\n"},
		{"a line of a layer", func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "5f70bf18a086: Pushed", "5f70bf18a086: Pushed twice", 1))
		}, "stdout, layer 5f70bf18a086"},
		{"the order of the queue", func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "3e93eecdfcdc: Preparing\n5f70bf18a086: Preparing", "5f70bf18a086: Preparing\n3e93eecdfcdc: Preparing", 1))
		}, "no image in"},
		{"the last line", func(s *recording.Step) {
			s.Stream = []byte(strings.Replace(string(s.Stream), "size: 1149", "size: 1150", 1))
		}, "stdout, after the layers"},
		{"the outcome", func(s *recording.Step) { s.Exit = 1 }, "outcome"},
		{"the command", func(s *recording.Step) {
			s.Input.Argv = []string{"docker", "push", "--platform", "linux/amd64", "HOST/lib/app"}
		}, "in a way that is not played"},
		{"several repositories", func(s *recording.Step) {
			s.Input.Argv = []string{"sh", "-c", "docker push HOST/lib/app & docker push HOST/lib/other; wait"}
		}, "it pushes 2 times, but what it showed is of 1 push"},
		{"another command", func(s *recording.Step) { s.Input.Argv = []string{"docker", "pull", "HOST/lib/app"} }, "no docker push"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			step, err := recording.ReadStep(filepath.Join(daemon, "01-clean/1-first.json"))
			require.NoError(t, err)
			c.change(step)
			dir := filepath.Join(t.TempDir(), "scenario")
			require.NoError(t, recording.Write(dir, step))
			v := only(t, replay.Options{Paths: []string{dir}, Images: daemonImages, Era: pusher.Docker2010()})
			require.False(t, v.Equal())
			said := text(v)
			if v.Unplayable != nil {
				said = v.Unplayable.Error()
			}
			require.Contains(t, said, c.want)
		})
	}
}
