//go:build e2e

package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestE2EDockerSave: docker save, of what docker loaded, is read by docker load, skopeo
// and crane: an index whole, or one platform of it, by an engine that keeps it; one image
// by the others. What is not there is said.
func TestE2EDockerSave(t *testing.T) {
	t.Parallel()
	host, pushcheck := startDebianRegistry(t), build(t)
	layout, index, manifests := manyPlatforms(t)
	archive := filepath.Join(t.TempDir(), "layout.tar")
	command(t, "tar", "-C", layout, "-cf", archive, ".")
	save := func(d docker, args ...string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "saved.tar")
		d.run(t, 0, append(append([]string{"save"}, args...), "lib/many:v1", "-o", out)...)
		return out
	}
	d := pushcheck.startEngine(t, "--era", "containerd")
	d.run(t, 0, "load", "-i", archive)
	assert.Contains(t, d.run(t, 1, "save", "--platform", "linux/s390x", "lib/many:v1", "-o", filepath.Join(t.TempDir(), "x.tar")),
		"no suitable export target found: image with reference lib/many:v1 was found but does not provide the specified platform (linux/s390x)")
	assert.Contains(t, d.run(t, 1, "load", "--platform", "linux/s390x", "-i", archive), "it has none for linux/s390x; what it has is for linux/amd64, linux/arm64")
	for name, row := range map[string]struct {
		saved string
		load  []string
		want  string
	}{
		"all":     {save(d), nil, index.String()},
		"one":     {save(d, "--platform", "linux/arm64"), nil, manifests[1].String()},
		"by-load": {save(d), []string{"--platform", "linux/arm64"}, manifests[1].String()}, // P-399
	} {
		other := pushcheck.startEngine(t, "--era", "containerd")
		assert.Contains(t, other.run(t, 0, append([]string{"load", "-i", row.saved}, row.load...)...), "Loaded image: lib/many:v1")
		other.run(t, 0, "tag", "lib/many:v1", host+"/"+name+":v1")
		other.run(t, 0, "push", host+"/"+name+":v1")
		assert.Equal(t, row.want, held(t, host, name, "v1"), name)
		skopeo(t, "copy", "--insecure-policy", "--multi-arch", "index-only", "oci-archive:"+row.saved+":v1", "dir:"+t.TempDir())
	}
	command(t, "crane", "push", "--insecure", save(d), host+"/crane:v1") // reads manifest.json
	assert.Equal(t, "amd64", architecture(t, "docker://"+host+"/crane:v1"))

	for _, era := range []string{"docker-20.10", "docker-28"} {
		d := pushcheck.startEngine(t, "--era", era)
		d.run(t, 0, "load", "-i", archive)
		saved := save(d)
		assert.Equal(t, "amd64", architecture(t, "docker-archive:"+saved), era)
		other := pushcheck.startEngine(t, "--era", era)
		other.run(t, 0, "load", "-i", saved)
		other.run(t, 0, "tag", "lib/many:v1", host+"/"+era+":v1")
		d.run(t, 0, "tag", "lib/many:v1", host+"/"+era+":v2")
		other.run(t, 0, "push", host+"/"+era+":v1")
		d.run(t, 0, "push", host+"/"+era+":v2")
		require.NotEmpty(t, held(t, host, era, "v1"))
		assert.Equal(t, held(t, host, era, "v2"), held(t, host, era, "v1"), "%s: what was saved is pushed as what it was saved from", era)
		assert.Contains(t, d.run(t, 1, "save", "--platform", "linux/arm64", "lib/many:v1", "-o", filepath.Join(t.TempDir(), "x.tar")), "linux/arm64")
	}
}

// startDockerd starts a docker of others, which keeps nothing.
func startDockerd(t *testing.T) docker {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.json"), []byte("{}"), 0o600))
	cmd := exec.Command("dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec", "--pidfile", dir+"/pid", "--config-file", dir+"/empty.json",
		"-H", "unix://"+dir+"/s", "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs")
	socket, _ := startAndFind(t, cmd, func() (io.ReadCloser, error) { return cmd.StderrPipe() }, regexp.MustCompile(`API listen on ([^"]+)`))
	return docker{cmd, "unix://" + socket, t.TempDir()}
}

// TestE2EDockerdLoads: what docker save gets from our engine a real dockerd loads, as the
// very image that was saved, out of every form that has its config.
func TestE2EDockerdLoads(t *testing.T) {
	t.Parallel()
	theirs, pushcheck := startDockerd(t), build(t)
	const archive = "../../scenarios/replay/testdata/modern/modern-docker-save.tar"
	id := func() string {
		return strings.TrimSpace(theirs.run(t, 0, "image", "inspect", "--format", "{{.Id}}", "lab/app:latest"))
	}
	theirs.run(t, 0, "load", "-i", archive)
	want := id()
	theirs.run(t, 0, "rmi", "lab/app:latest")
	for _, era := range []string{"docker-1.10", "docker-20.10", "docker-28", "containerd", "best"} {
		d := pushcheck.startEngine(t, "--era", era)
		d.run(t, 0, "load", "-i", archive)
		saved := filepath.Join(t.TempDir(), "saved.tar")
		d.run(t, 0, "save", "-o", saved, "lab/app:latest")
		theirs.run(t, 0, "load", "-i", saved)
		assert.Equal(t, want, id(), era)
		theirs.run(t, 0, "rmi", "lab/app:latest")
	}
}

// architecture is what skopeo reads in the config of an image.
func architecture(t *testing.T, from string) string {
	t.Helper()
	var config struct{ Architecture string }
	require.NoError(t, json.Unmarshal(skopeo(t, "inspect", "--config", "--tls-verify=false", from), &config))
	return config.Architecture
}
