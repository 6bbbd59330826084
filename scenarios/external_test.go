package scenarios_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

// somebodyElses starts a registry that the scenario does not know from inside.
func somebodyElses(t *testing.T, guard fakeregistry.Guard) (url string, storage *fakeregistry.Storage) {
	t.Helper()
	v2 := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true})
	s, err := fakeregistry.Start(fakeregistry.Config{Registry: v2, Guard: guard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s.URL(), v2.Storage()
}

// runAt runs a file against a registry.
func runAt(t *testing.T, text, url string) scenarios.Result {
	t.Helper()
	loader := scenarios.Loader{
		Files: fstest.MapFS{"it.yaml": {Data: []byte(text)}},
		Env:   func(name string) (string, bool) { return url, name == "REGISTRY" },
	}
	list, err := loader.Load("it.yaml")
	require.NoError(t, err)
	summary, err := (&scenarios.Runner{}).Run(t.Context(), list)
	require.NoError(t, err)
	return summary.Results[0]
}

func TestRegistryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	users := fakeregistry.Passwords(map[string]string{"alice": "hush-hush"})
	const login = "registry: {url: \"${REGISTRY}\", user: alice, password: hush-hush}\n"
	const head = "scenario: it is pushed to\nclient: docker-1.8\npush: team/app:v1\n"
	for _, row := range []struct {
		name, text string
		guard      fakeregistry.Guard
		outcome    report.Outcome
		says       string // in the reason, or the first failure
		look       func(t *testing.T, s *fakeregistry.Storage)
	}{
		{
			name: "pushed, and read back past the faults", outcome: report.Pass,
			text: head + "registry: {url: \"${REGISTRY}\"}\nfaults: [{delay: any, by: 1ms}, {respond: \"blob.get\", status: 500, optional: true}]\nexpect: {result: pushed, registry: {tags: {v1: pushed}, blobs: {layer1: intact}}}\n",
			look: func(t *testing.T, s *fakeregistry.Storage) {
				_, info := s.FindManifest("team/app", "v1")
				assert.NotNil(t, info, "it is really there")
			},
		},
		{
			name: "a fault strikes", outcome: report.Pass,
			text: head + "registry: {url: \"${REGISTRY}\"}\nfaults: [{reset: upload.patch, times: 1}]\nexpect: {result: failed, wire: [upload.patch: reset], registry: {tags: {v1: absent}}}\n",
		},
		{
			name: "a probe", outcome: report.Pass,
			text: head + "registry: {url: \"${REGISTRY}\"}\nprobe:\n  - {before: upload.put, ask: {blob.head: layer2}, expect: 404}\n  - {after: manifest.put, ask: {blob.get: layer1}, expect: {status: 200, body: layer1}}\nexpect: {result: pushed}\n",
		},
		{
			name: "basic", outcome: report.Pass, guard: &fakeregistry.Basic{Users: users},
			text: head + login + "expect: {result: pushed, registry: {tags: {v1: pushed}}}\n",
		},
		{
			name: "bearer", outcome: report.Pass, guard: &fakeregistry.Bearer{Users: users},
			text: head + login + "expect: {result: pushed, wire: [{token: 200}], registry: {tags: {v1: pushed}}}\n",
		},
		{
			name: "what is expected cannot be asked", outcome: report.Broken, guard: &fakeregistry.Basic{Users: users},
			text: head + "registry: {url: \"${REGISTRY}\"}\nexpect: {result: failed, registry: {tags: {v1: absent}}}\n",
			says: "what the registry holds cannot be found out: GET URL/v2/team/app/manifests/v1: 401 Unauthorized; give registry a user and a password",
		},
		{
			name: "a registry that lies is caught", outcome: report.Fail,
			text: head + "registry: {url: \"${REGISTRY}\"}\nfaults: [{respond: manifest.put, status: 201, times: 1}]\nexpect: {result: pushed}\n",
			says: "truth",
		},
		{
			name: "cleaned up", outcome: report.Pass,
			text: head + "registry: {url: \"${REGISTRY}\"}\ncleanup: true\nexpect: {result: pushed}\n",
			look: func(t *testing.T, s *fakeregistry.Storage) {
				assert.Empty(t, s.Blobs("team/app"))
				_, info := s.FindManifest("team/app", "v1")
				assert.Nil(t, info)
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url, storage := somebodyElses(t, row.guard)
			res := runAt(t, row.text, url)
			said := res.Because
			if len(res.Failures) > 0 {
				said = res.Failures[0].Name + ": " + res.Failures[0].Message
			}
			require.Equal(t, row.outcome, res.Outcome, "%s %v", said, res.Failures)
			assert.Contains(t, said, strings.ReplaceAll(row.says, "URL", url))
			assert.NotContains(t, said, "hush-hush")
			if row.look != nil {
				row.look(t, storage)
			}
		})
	}
}

func TestNoRegistryThere(t *testing.T) {
	t.Parallel()
	res := runAt(t, "scenario: it is pushed to\nregistry: {url: \"${REGISTRY}\"}\nclient: docker-1.8\npush: team/app:v1\n", "http://127.0.0.1:1")
	require.Equal(t, report.Broken, res.Outcome)
	assert.Contains(t, res.Because, "http://127.0.0.1:1 cannot be reached: dial tcp 127.0.0.1:1")
}

func TestWhatARegistryOfSomebodyElseCannotDo(t *testing.T) {
	t.Parallel()
	const head = "scenario: it is pushed to\nclient: docker-1.8\npush: team/app:v1\n"
	for _, row := range []struct{ text, says string }{
		{"registry: {url: \"http://r.example\"}\nfaults:\n  - disk-full: upload.put\n", "it.yaml:6:5: disk-full strikes inside the registry, and this one is somebody else's: only faults of connections and of requests can strike in front of it"},
		{"registry: {url: \"http://r.example\"}\nfaults:\n  - any-of: [reset, commit-fake]\n    at: any\n", "it.yaml:6:5: commit-fake strikes inside"},
		{"registry: {url: \"http://r.example\", has: {a: [layer1]}}\n", "it.yaml:4:37: has is about a registry of the bench's own"},
		{"registry: {url: \"http://r.example/v2/\"}\n", `it.yaml:4:12: upstream: "http://r.example/v2/" has more than a host`},
		{"registry: {kind: fake, user: a}\n", "it.yaml:4:24: user is about a registry at a url"},
		{"registry: {url: \"http://r.example\"}\nexpect: {registry: {uploads: 0}}\n", "it.yaml:5:21: how many upload sessions are open only the registry itself knows"},
		{"registry: {ornery: [min-chnk]}\n", `it.yaml:4:20: "min-chnk" is not an oddity; did you mean "min-chunk"?`},
		{"registry: {kind: v1, ornery: true}\n", "it.yaml:4:22: only kind: fake and v1+v2 can be ornery"},
	} {
		loader := scenarios.Loader{Files: fstest.MapFS{"it.yaml": {Data: []byte(head + row.text)}}}
		_, err := loader.Load("it.yaml")
		var problems *scenarios.Errors
		require.ErrorAs(t, err, &problems, row.text)
		assert.Contains(t, err.Error(), row.says)
	}
}
