//go:build e2e

// The end-to-end tests: pushcheck as a program, against a registry and with
// readers that other people wrote. Without those programs they fail; `make e2e`
// and CI run them.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The images of testdata/docker-1.8.3-app.tar, and what docker 1.8.3 itself said
// when it pushed them.
const (
	appTar     = "testdata/docker-1.8.3-app.tar"
	latestLine = "latest: digest: sha256:87ebe2d3daff342a83fda09bf68f55bf43d48b12bf2a4b445b79fb34ab880f26 size: 4544"
	twoLine    = "two: digest: sha256:dc80706b40c43715903a980625570458a2b1488fe3433efee462f9818bbda012 size: 3257"
)

func TestE2EPushToDebianRegistry(t *testing.T) {
	host := startDebianRegistry(t)
	pushcheck := build(t)
	home := t.TempDir()
	trace := filepath.Join(home, "trace")

	out := pushcheck.run(t, home, 0, "push", "--trace", trace, appTar, host+"/lib/app:latest")
	assert.Contains(t, out, latestLine)
	assert.Equal(t, 4, strings.Count(operations(t, trace), "upload.put"), "four layers are uploaded")

	out = pushcheck.run(t, home, 0, "push", "--trace", trace, appTar, host+"/lib/app:latest")
	assert.Contains(t, out, latestLine)
	assert.NotContains(t, operations(t, trace), "upload.", "the second push uploads nothing")
	assert.Contains(t, operations(t, trace), "blob.head")

	out = pushcheck.run(t, home, 0, "push", appTar, host+"/lib/app:two")
	assert.Contains(t, out, twoLine)

	for tag, digest := range map[string]string{"latest": strings.Fields(latestLine)[2], "two": strings.Fields(twoLine)[2]} {
		seen := inspect(t, host+"/lib/app:"+tag)
		assert.Equal(t, digest, seen.Digest, "skopeo sees the digest that docker printed")
		copied := filepath.Join(t.TempDir(), "copy")
		skopeo(t, "copy", "--insecure-policy", "--src-tls-verify=false", "docker://"+host+"/lib/app:"+tag, "oci:"+copied+":"+tag)
		assert.DirExists(t, copied)
	}
}

func TestE2EAllTags(t *testing.T) {
	host := startDebianRegistry(t)
	out := build(t).run(t, t.TempDir(), 0, "push", "--all-tags", appTar, host+"/lib/app")
	for _, line := range []string{latestLine, twoLine, "env: digest: sha256:"} {
		assert.Contains(t, out, line)
	}
	assert.ElementsMatch(t, []string{"latest", "two", "env"}, inspect(t, host+"/lib/app:env").RepoTags)
}

// TestE2EForeignLayouts pushes what umoci and skopeo made, and reads it back with
// skopeo: the layers' contents are the same.
func TestE2EForeignLayouts(t *testing.T) {
	host := startDebianRegistry(t)
	pushcheck := build(t)
	dir := t.TempDir()
	layout := filepath.Join(dir, "umoci")
	command(t, "umoci", "init", "--layout", layout)
	command(t, "umoci", "new", "--image", layout+":v1")
	for i, content := range []string{"base", strings.Repeat("top\n", 5000)} {
		file := filepath.Join(dir, fmt.Sprintf("file%d", i))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
		command(t, "umoci", "insert", "--rootless", "--image", layout+":v1", file, fmt.Sprintf("/data/file%d", i))
	}
	copied, archive := filepath.Join(dir, "skopeo"), filepath.Join(dir, "oci.tar")
	skopeo(t, "copy", "--insecure-policy", "oci:"+layout+":v1", "oci:"+copied+":v1")
	skopeo(t, "copy", "--insecure-policy", "oci:"+layout+":v1", "oci-archive:"+archive+":v1")
	saved := filepath.Join(dir, "save.tar")
	skopeo(t, "copy", "--insecure-policy", "oci:"+layout+":v1", "docker-archive:"+saved+":lib/app:v1")
	want := diffIDs(t, layout)
	require.Len(t, want, 2)

	for name, path := range map[string]string{"umoci": layout, "skopeo": copied, "archive": archive, "save": saved} {
		target := host + "/lib/" + name + ":v1"
		out := pushcheck.run(t, t.TempDir(), 0, "push", path, target)
		assert.Contains(t, out, "v1: digest: sha256:")
		back := filepath.Join(dir, "back-"+name)
		skopeo(t, "copy", "--insecure-policy", "--src-tls-verify=false", "docker://"+target, "oci:"+back+":v1")
		if diff := cmp.Diff(want, diffIDs(t, back)); diff != "" {
			t.Errorf("%s: layers came back changed (-pushed +read):\n%s", name, diff)
		}
	}
}

// TestE2EServeV1 pushes to a registry of ours that speaks V1 only, in a process
// of its own, and asks it for everything that was pushed.
func TestE2EServeV1(t *testing.T) {
	pushcheck := build(t)
	host, log := pushcheck.serve(t, "--registry", "v1")
	home := t.TempDir()
	trace := filepath.Join(home, "trace")
	pushcheck.run(t, home, 0, "push", "--trace", trace, appTar, host+"/lib/app:latest")
	text := operations(t, trace)
	for op, times := range map[string]int{"v1.json.put": 4, "v1.layer.put": 4, "v1.checksum.put": 4, "v1.tag.put": 1, "v1.images.put": 1, "upload.": 0} {
		assert.Equal(t, times, strings.Count(text, op), op)
	}
	var tags map[string]string
	getJSON(t, "http://"+host+"/v1/repositories/lib/app/tags", &tags)
	require.Len(t, tags, 1)
	var ancestry []string
	getJSON(t, "http://"+host+"/v1/images/"+tags["latest"]+"/ancestry", &ancestry)
	assert.Equal(t, []string{strings.Repeat("a4", 32), strings.Repeat("e3", 32), strings.Repeat("52", 32), strings.Repeat("b1", 32)}, ancestry)
	for _, id := range ancestry {
		resp, err := http.Get("http://" + host + "/v1/images/" + id + "/layer")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Positive(t, n)
	}
	assert.Contains(t, log(), "v1.layer.put")
}

// TestE2EPages runs the documentation with the commands that need other programs.
func TestE2EPages(t *testing.T) {
	t.Parallel()
	runPages(t, "e2e")
}

// A program is the built command.
type program string

func build(t *testing.T) program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pushcheck")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program(path)
}

// run runs it to its end and returns standard output.
func (p program) run(t *testing.T, home string, exit int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), string(p), args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME=", "DOCKER_CONFIG=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.Equal(t, exit, cmd.ProcessState.ExitCode(), "%v: %v\n%s%s", args, err, out.String(), errs.String())
	return out.String()
}

// serve starts a registry, and returns where it listens and what it has said.
func (p program) serve(t *testing.T, args ...string) (host string, log func() string) {
	t.Helper()
	cmd := exec.Command(string(p), append([]string{"serve"}, args...)...)
	host, log = startAndFind(t, cmd, func() (io.ReadCloser, error) { return cmd.StdoutPipe() }, regexp.MustCompile(`http://([0-9.]+:[0-9]+)`))
	return host, log
}

// startDebianRegistry starts Debian's docker-registry 2.8.2 with schema 1 enabled.
// more is what its configuration has besides.
func startDebianRegistry(t *testing.T, more ...string) (host string) {
	t.Helper()
	return startRegistry(t, "docker-registry", "http:\n  addr: 127.0.0.1:0\n"+strings.Join(more, ""), "REGISTRY_COMPATIBILITY_SCHEMA1_ENABLED=true")
}

// startRegistry starts a program that is distribution's. settings are what follows in
// its configuration where the storage is.
func startRegistry(t *testing.T, program, settings string, env ...string) (host string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, []byte(`version: 0.1
storage:
  filesystem:
    rootdirectory: `+filepath.Join(dir, "storage")+"\n"+settings), 0o644))
	cmd := exec.Command(program, "serve", config)
	cmd.Env = append(append(os.Environ(), "OTEL_TRACES_EXPORTER=none"), env...)
	host, _ = startAndFind(t, cmd, func() (io.ReadCloser, error) { return cmd.StderrPipe() }, regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`))
	return host
}

// startAndFind starts a program, waits until its output shows an address, and
// ends it with the test. said is its output so far.
func startAndFind(t *testing.T, cmd *exec.Cmd, pipe func() (io.ReadCloser, error), pattern *regexp.Regexp) (address string, said func() string) {
	t.Helper()
	r, err := pipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var mu sync.Mutex // guards text
	var text strings.Builder
	said = func() string { mu.Lock(); defer mu.Unlock(); return text.String() }
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for s := bufio.NewScanner(r); s.Scan(); {
			mu.Lock()
			fmt.Fprintln(&text, s.Text())
			mu.Unlock()
			if m := pattern.FindStringSubmatch(s.Text()); m != nil {
				select {
				case found <- m[1]:
				default: // said once more
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	address, ok := <-found
	require.True(t, ok, "%v ended without saying an address:\n%s", cmd.Args, said())
	return address, said
}

type inspected struct {
	Digest   string
	RepoTags []string
}

func inspect(t *testing.T, reference string) (seen inspected) {
	t.Helper()
	require.NoError(t, json.Unmarshal(skopeo(t, "inspect", "--tls-verify=false", "docker://"+reference), &seen))
	return seen
}

func skopeo(t *testing.T, args ...string) []byte {
	t.Helper()
	return command(t, "skopeo", args...)
}

func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%v\n%s%s", cmd.Args, out, errs.String())
	return out
}

// diffIDs are the digests of the uncompressed layers, as skopeo reads them from
// a layout's config.
func diffIDs(t *testing.T, layout string) []string {
	t.Helper()
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	require.NoError(t, json.Unmarshal(skopeo(t, "inspect", "--config", "oci:"+layout+":v1"), &config))
	return config.RootFS.DiffIDs
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(into))
}

// operations are the first lines of a trace's exchanges.
func operations(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var ops strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			ops.WriteString(line)
		}
	}
	return ops.String()
}
