//go:build e2e

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// proxy starts the proxy in front of a registry, with faults written as in a
// scenario file.
func (p program) proxy(t *testing.T, upstream, faults string) (host string, log func() string) {
	t.Helper()
	args := []string{"proxy", "--upstream", "http://" + upstream}
	if faults != "" {
		file := filepath.Join(t.TempDir(), "faults.yaml")
		text := "scenario: The line is bad\npush: any/thing:latest\nfaults:\n" + faults
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		args = append(args, "--scenario", file)
	}
	cmd := exec.Command(string(p), args...)
	return startAndFind(t, cmd, func() (io.ReadCloser, error) { return cmd.StdoutPipe() }, regexp.MustCompile(`http://([0-9.]+:[0-9]+) `))
}

// TestE2EProxy pushes to Debian's registry through the proxy, with eras and with
// programs of others, and looks at the registry itself afterwards.
func TestE2EProxy(t *testing.T) {
	upstream := startDebianRegistry(t)
	pushcheck := build(t)
	layout := filepath.Join(t.TempDir(), "layout")
	command(t, "umoci", "init", "--layout", layout)
	command(t, "umoci", "new", "--image", layout+":v1")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("content ", 100_000)), 0o644))
	command(t, "umoci", "insert", "--rootless", "--image", layout+":v1", file, "/data")

	clients := map[string]func(ref string) *exec.Cmd{
		"skopeo": func(ref string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:"+layout+":v1", "docker://"+ref)
		},
		"crane": func(ref string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "crane", "push", "--insecure", layout, ref)
		},
	}
	for _, era := range []string{"docker-1.8", "docker-20.10", "docker-28", "containerd", "best"} {
		clients[era] = func(ref string) *exec.Cmd {
			return exec.CommandContext(t.Context(), string(pushcheck), "push", "--era", era, "--cache", "none", layout, ref)
		}
	}
	for name, row := range proxyRows {
		t.Run(name, func(t *testing.T) {
			for client, run := range clients {
				t.Run(client, func(t *testing.T) {
					t.Parallel()
					host, log := pushcheck.proxy(t, upstream, row.faults)
					repository := fmt.Sprintf("proxy/%s-%s", strings.ReplaceAll(name, " ", "-"), client)
					cmd := run(host + "/" + repository + ":v1")
					cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
					out, err := cmd.CombinedOutput()
					if row.fault != "" {
						assert.Eventually(t, func() bool { return strings.Contains(log(), "⚡"+row.fault) }, 10*time.Second, time.Millisecond, "the fault struck: %s", log())
					}
					pushed := !strings.Contains(" "+row.fail+" ", " "+client+" ")
					require.Equal(t, pushed, err == nil, "%v\n%s\n%s", err, out, log())
					_, err = exec.CommandContext(t.Context(), "skopeo", "inspect", "--tls-verify=false", "docker://"+upstream+"/"+repository+":v1").CombinedOutput()
					assert.Equal(t, pushed || row.stored, err == nil, "whether the registry has it")
				})
			}
		})
	}
}

// proxyRows are what goes wrong and who does not get over it.
var proxyRows = map[string]struct {
	faults, fault string
	fail          string // the clients that fail
	stored        bool   // the registry has the image all the same
}{
	"nothing": {},
	"latency": {faults: "  - delay: any\n    by: 20ms\n", fault: "delay"},
	"a broken connection": {
		faults: "  - reset: \"upload.*\"\n    after: 100B\n    times: 1\n", fault: "reset", fail: "skopeo containerd docker-1.8",
	},
	"a refused commit": {
		faults: "  - respond: upload.put\n    status: 500\n    times: 1\n", fault: "respond", fail: "skopeo docker-1.8",
	},
	"throttled": {
		faults: "  - too-many: manifest.put\n    retry-after: 1s\n    times: 1\n", fault: "too-many", fail: "skopeo docker-1.8 docker-20.10 docker-28",
	},
	"an early answer": {
		faults: "  - early-answer: manifest.put\n    status: 413\n", fault: "early-answer", fail: "skopeo crane containerd best docker-1.8 docker-20.10 docker-28",
	},
	"a digest of other bytes": {
		faults: "  - digest-wrong: manifest.put\n", fault: "digest-wrong", fail: "containerd", stored: true,
	},
}
