//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreignClients are those that must be here; see .ci/run.
var foreignClients = []string{"buildah", "crane", "ctr", "docker", "oras", "podman", "regctl", "skopeo"}

// shortDir is a temporary folder with a short name in lower case: podman takes no
// other.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-") //nolint:usetesting // the test's name is in T.TempDir, which is too long
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// TestE2EClients finds every client that there is an adapter for, with its version.
func TestE2EClients(t *testing.T) {
	t.Parallel()
	out := build(t).run(t, t.TempDir(), 0, "clients", "--json")
	var names []string
	for line := range strings.Lines(out) {
		var c listedClient
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		assert.Empty(t, c.Because, c.Client)
		assert.Regexp(t, `^[0-9]+\.[0-9]+`, c.Version, c.Client)
		assert.FileExists(t, c.Path)
		names = append(names, c.Client)
	}
	assert.Equal(t, foreignClients, names)
}

// TestE2EClientsUnderFaults runs the library's folder about clients of others, and
// its scenario for Retry-After, with every client required: what they do is what
// they were seen to do, and nothing is skipped.
func TestE2EClientsUnderFaults(t *testing.T) {
	t.Parallel()
	home := shortDir(t)
	cmd := exec.CommandContext(t.Context(), string(build(t)), "run", "clients", "manifest/clients-429", "--require", "all", "--parallel", "8", "--json")
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	require.NoError(t, err, "%s", said.String())

	scenarios, outcomes := map[string]map[string]bool{}, map[string]int{}
	for s := bufio.NewScanner(&out); s.Scan(); {
		var e struct{ Event, ID, Client, Outcome string }
		require.NoError(t, json.Unmarshal(s.Bytes(), &e))
		if e.Event != "result" {
			continue
		}
		outcomes[e.Outcome]++
		id, _, _ := strings.Cut(strings.TrimPrefix(e.ID, "clients/"), "@")
		id, _, _ = strings.Cut(id, "/")
		if scenarios[e.Client] == nil {
			scenarios[e.Client] = map[string]bool{}
		}
		scenarios[e.Client][id] = true
	}
	assert.Equal(t, []string{"known", "pass"}, slices.Sorted(maps.Keys(outcomes)), "%v", outcomes)
	for _, client := range []string{"skopeo", "podman", "crane", "oras", "regctl", "docker"} {
		assert.GreaterOrEqual(t, len(scenarios[client]), 30, "scenarios of %s", client)
	}
	t.Logf("%d runs: %v", outcomes["known"]+outcomes["pass"], outcomes)
	left, err := filepath.Glob(filepath.Join(home, "p*c*-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "what runs left behind")
}

// TestE2EClientsInterrupted ends a run in which clients hang: they, and the services
// that they need, are gone with it.
func TestE2EClientsInterrupted(t *testing.T) {
	t.Parallel()
	home := shortDir(t)
	scenario := filepath.Join(home, "hang.yaml")
	require.NoError(t, os.WriteFile(scenario, []byte("scenario: It hangs\nclient: [skopeo, crane, docker, ctr]\npush: a/b:v1\nfaults: [{stall: \"*.put\", side: response}]\nregistry: fake\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), string(build(t)), "run", scenario, "--require", "all", "--parallel", "4", "--json")
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	hanging := map[string]bool{}
	for s := bufio.NewScanner(out); s.Scan(); {
		var e struct{ Event, ID string }
		require.NoError(t, json.Unmarshal(s.Bytes(), &e))
		if e.Event != "wire" || hanging[e.ID] {
			continue
		}
		if hanging[e.ID] = true; len(hanging) == 4 {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	_ = cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	processes, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, p := range processes {
		env, _ := os.ReadFile(p) // it may be gone
		if strings.Contains(string(env), "HOME="+home+"/") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline"))
			t.Errorf("%s is still there: %q", filepath.Dir(p), line)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	assert.NotContains(t, string(mounts), home, "what is left mounted")
	left, err := filepath.Glob(filepath.Join(home, "pc-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "what runs left behind")
}
