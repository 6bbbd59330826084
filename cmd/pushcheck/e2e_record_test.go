//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestE2ERecord records clients of others in front of Debian's registry, and plays
// that registry to them again: they ask the same and end the same.
func TestE2ERecord(t *testing.T) {
	t.Parallel()
	pushcheck := build(t)
	dir := t.TempDir()
	layout, saved := filepath.Join(dir, "layout"), filepath.Join(dir, "save.tar")
	command(t, "umoci", "init", "--layout", layout)
	command(t, "umoci", "new", "--image", layout+":v1")
	for name, content := range map[string]string{"small": "base", "large": strings.Repeat("0123456789abcdef", 20_000)} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
		command(t, "umoci", "insert", "--rootless", "--image", layout+":v1", file, "/data/"+name)
	}
	skopeo(t, "copy", "--insecure-policy", "oci:"+layout+":v1", "docker-archive:"+saved+":lib/app:v1")
	skopeoCopy := []string{"skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:" + layout + ":v1", "docker://{registry}/lib/app:v1"}
	withPassword := []string{"skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", "alice:s3cret", "oci:" + layout + ":v1", "docker://{registry}/lib/app:v1"}
	wrong := []string{"skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", "alice:wr0ng-password", "oci:" + layout + ":v1", "docker://{registry}/lib/app:v1"}
	for name, row := range map[string]struct {
		upstream string
		argv     []string
		exit     string
		needs    []string // what the recording has
	}{
		"skopeo":          {startDebianRegistry(t), skopeoCopy, "0", []string{"tls-client-hello-on-plain-port", `"PUT","path":"/v2/lib/app/manifests/v1"`, `HEAD","path":"/v2/lib/app/blobs/sha256:`}},
		"skopeo-password": {startDebianRegistryFor(t, "alice"), withPassword, "0", []string{"Authorization: Basic YWxpY2U6UEFTU1dPUkQ=", `"PUT","path":"/v2/lib/app/manifests/v1"`}},
		"skopeo-wrong":    {startDebianRegistryFor(t, "alice"), wrong, "1", []string{"Authorization: Basic YWxpY2U6UEFTU1dPUkQ=", `"status":401`}},
		"crane":           {startDebianRegistry(t), []string{"crane", "push", "--insecure", saved, "{registry}/lib/app:v1"}, "0", []string{`"PUT","path":"/v2/lib/app/manifests/v1"`, `"PATCH"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(dir, "recordings", name)
			home := t.TempDir()
			pushcheck.run(t, home, 0, append([]string{"record", "--upstream", "http://" + row.upstream, "--out", out, "--"}, row.argv...)...)
			step := filepath.Join(out, "1-"+row.argv[0])
			assert.Contains(t, contents(t, step+".json"), `"exit": `+row.exit)
			lines := contents(t, step+".jsonl")
			for _, want := range row.needs {
				assert.Contains(t, lines, want)
			}
			for _, file := range []string{step + ".json", step + ".jsonl", step + ".stdout"} {
				for _, secret := range []string{"s3cret", "wr0ng-password", row.upstream, "YWxpY2U6czNjcmV0"} {
					assert.NotContains(t, contents(t, file), secret, file)
				}
			}
			for range 3 {
				said := pushcheck.run(t, home, 0, append([]string{"replay", "--serve", out, "--"}, row.argv...)...)
				assert.Contains(t, said, "equal    "+name+"/1-"+row.argv[0]+"\n")
				assert.Contains(t, said, "1 of 1 steps equal\n")
			}
			other := append([]string{"replay", "--serve", out, "--"}, row.argv...)
			for i := range other {
				other[i] = strings.ReplaceAll(other[i], "{registry}/lib/app", "{registry}/lib/other")
			}
			said := pushcheck.run(t, home, 1, other...)
			assert.Contains(t, said, "0 of 1 steps equal\n", "another repository is another recording")
		})
	}
}

// TestE2EPushRecord: a push of ours to Debian's registry is equal when it is played.
func TestE2EPushRecord(t *testing.T) {
	t.Parallel()
	host, pushcheck, home := startDebianRegistry(t), build(t), t.TempDir()
	out := filepath.Join(home, "recording")
	for range 2 {
		pushcheck.run(t, home, 0, "push", "--record", out, appTar, host+"/lib/app:latest")
	}
	assert.Contains(t, pushcheck.run(t, home, 0, "replay", "--images", appTar, out), "2 of 2 steps equal\n")
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
