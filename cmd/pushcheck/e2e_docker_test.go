//go:build e2e

package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A docker is the docker command line in front of an engine of ours.
type docker struct {
	engine *exec.Cmd
	host   string // DOCKER_HOST
	home   string
}

// startEngine starts an engine that ends with the test.
func (p program) startEngine(t *testing.T, args ...string) docker {
	t.Helper()
	cmd := exec.Command(string(p), append([]string{"engine", "--quiet", "--listen", "127.0.0.1:0"}, args...)...)
	host, _ := startAndFind(t, cmd, func() (io.ReadCloser, error) { return cmd.StdoutPipe() }, regexp.MustCompile(`DOCKER_HOST=(tcp://[0-9.:]+)`))
	return docker{cmd, host, t.TempDir()}
}

func (d docker) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "HOME="+d.home, "DOCKER_CONFIG="+filepath.Join(d.home, ".docker"), "DOCKER_HOST="+d.host)
	return cmd
}

// run runs a command of docker to its end, and returns what it said on both streams.
func (d docker) run(t *testing.T, exit int, args ...string) string {
	t.Helper()
	cmd := d.command(t, "docker", args...)
	out, err := cmd.CombinedOutput()
	require.Equal(t, exit, cmd.ProcessState.ExitCode(), "docker %v: %v\n%s", args, err, out)
	return string(out)
}

func (d docker) login(t *testing.T, exit int, host, password string) string {
	t.Helper()
	cmd := d.command(t, "docker", "login", "--username", "alice", "--password-stdin", host)
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	require.Equal(t, exit, cmd.ProcessState.ExitCode(), "docker login: %v\n%s", err, out)
	require.NotContains(t, string(out), password)
	return string(out)
}

// TestE2EDocker is a session with the docker command line: what it says, how it
// ends, and what Debian's registry has afterwards.
func TestE2EDocker(t *testing.T) {
	t.Parallel()
	host := startDebianRegistry(t)
	d := build(t).startEngine(t)
	name := host + "/lib/app"

	out := d.run(t, 0, "load", "-i", appTar)
	for _, tag := range []string{"latest", "env", "two"} {
		assert.Contains(t, out, "Loaded image: lib/app:"+tag)
	}
	out = d.run(t, 0, "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
	assert.ElementsMatch(t, []string{
		"lib/app:latest " + strings.Repeat("a4", 32), "lib/app:two " + strings.Repeat("d3", 32), "lib/app:env " + strings.Repeat("e3", 32),
	}, strings.Split(strings.TrimSpace(out), "\n"))
	d.run(t, 0, "tag", "lib/app", name)
	out = d.run(t, 0, "push", name)
	assert.Contains(t, out, "The push refers to a repository ["+name+"] (len: 1)")
	assert.Equal(t, 4, strings.Count(out, ": Image successfully pushed"))
	assert.Contains(t, out, latestLine)

	out = d.run(t, 0, "push", name)
	assert.Equal(t, 4, strings.Count(out, ": Image already exists"))
	assert.Contains(t, out, latestLine)
	assert.Equal(t, name+":latest\n", lastLines(d.run(t, 0, "push", "--quiet", name), 1))

	d.run(t, 0, "tag", "lib/app:two", name+":two")
	d.run(t, 0, "tag", "lib/app:env", name+":env")
	out = d.run(t, 0, "push", "--all-tags", name)
	for _, line := range []string{"(len: 3)", latestLine, twoLine, "env: digest: sha256:"} {
		assert.Contains(t, out, line)
	}
	seen := inspect(t, name+":latest")
	assert.Equal(t, strings.Fields(latestLine)[2], seen.Digest)
	assert.ElementsMatch(t, []string{"latest", "two", "env"}, seen.RepoTags)
	skopeo(t, "copy", "--insecure-policy", "--src-tls-verify=false", "docker://"+name+":latest", "dir:"+filepath.Join(t.TempDir(), "copy"))

	out = d.run(t, 1, "push", host+"/lib/nobody")
	assert.Contains(t, out, "Repository does not exist: "+host+"/lib/nobody")
	d.run(t, 0, "tag", "lib/app", "127.0.0.1:1/lib/app")
	out = d.run(t, 1, "push", "127.0.0.1:1/lib/app")
	assert.Contains(t, out, "127.0.0.1:1: connect: connection refused")
	out = d.run(t, 1, "ps")
	assert.Contains(t, out, "Error response from daemon: GET /containers/json: this engine only pushes")

	saved := filepath.Join(t.TempDir(), "saved.tar")
	d.run(t, 0, "save", "-o", saved, "lib/app")
	out = d.run(t, 0, "rmi", name+":two")
	assert.Equal(t, "Untagged: "+name+":two\n", out)
	other := build(t).startEngine(t)
	assert.Contains(t, other.run(t, 0, "load", "-i", saved), "Loaded image: lib/app:latest")
	assert.Contains(t, other.run(t, 0, "history", "lib/app"), "a4a4a4a4a4a4")
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-1-n):], "")
}

// TestE2EDockerLogin: who docker says one is.
func TestE2EDockerLogin(t *testing.T) { //nolint:tparallel // docker keeps logins in one file
	t.Parallel()
	pushcheck := build(t)
	d := pushcheck.startEngine(t)
	d.run(t, 0, "load", "-i", appTar)
	bearer, _ := pushcheck.serve(t, "--registry", "fake", "--auth", "bearer", "--user", "alice")
	for kind, host := range map[string]string{"basic": startDebianRegistryFor(t, "alice"), "bearer": bearer} {
		t.Run(kind, func(t *testing.T) {
			name := host + "/lib/app"
			d.run(t, 0, "tag", "lib/app", name)
			out := d.run(t, 1, "push", name)
			assert.NotContains(t, out, "digest:")
			assert.Regexp(t, "no basic auth credentials|/token\\?.* request failed with status: 401 Unauthorized", out)

			out = d.login(t, 1, host, "wr0ng-password")
			assert.Contains(t, out, "Error response from daemon: login attempt to http://"+host+"/v2/")
			assert.Contains(t, out, "unauthorized: incorrect username or password")
			assert.Contains(t, d.login(t, 0, host, "s3cret"), "Login Succeeded")
			assert.Contains(t, d.run(t, 0, "push", name), latestLine)

			// A password that is wrong only later: the registry says so in the push.
			config := fmt.Sprintf(`{"auths": {%q: {"username": "alice", "password": "wr0ng-password"}}}`, host)
			require.NoError(t, os.WriteFile(filepath.Join(d.home, ".docker", "config.json"), []byte(config), 0o600))
			out = d.run(t, 1, "push", name)
			assert.Regexp(t, "unauthorized: |/token\\?account=alice.* request failed with status: 401 Unauthorized", out)
			assert.NotContains(t, out, "wr0ng-password")
		})
	}
}

// startDebianRegistryFor starts one that demands the password s3cret of a user.
func startDebianRegistryFor(t *testing.T, user string) (host string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "htpasswd")
	// Of bcrypt with cost 4.
	require.NoError(t, os.WriteFile(file, []byte(user+":$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG\n"), 0o600))
	return startDebianRegistry(t, "auth:\n  htpasswd:\n    realm: registry\n    path: "+file+"\n")
}

// gate is a proxy that holds back every chunk until open is closed.
func gate(t *testing.T, upstream string) (host string, arrived chan struct{}, open func()) {
	t.Helper()
	behind := &url.URL{Scheme: "http", Host: upstream}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host
		},
	}
	arrived = make(chan struct{}, 64)
	opened := make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			arrived <- struct{}{}
			<-opened
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(open)
	return strings.TrimPrefix(front.URL, "http://"), arrived, open
}

// TestE2EDockerTwoAtOnce: the second push of a repository is refused, also when
// the first one's docker has been killed; the first goes on to its end.
func TestE2EDockerTwoAtOnce(t *testing.T) {
	t.Parallel()
	host, arrived, open := gate(t, startDebianRegistry(t))
	d := build(t).startEngine(t)
	name := host + "/lib/app"
	d.run(t, 0, "load", "-i", appTar)
	d.run(t, 0, "tag", "lib/app", name)

	first := d.command(t, "docker", "push", name)
	require.NoError(t, first.Start())
	<-arrived
	out := d.run(t, 1, "push", name)
	assert.Contains(t, out, "push "+name+" is already in progress")
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	out = d.run(t, 1, "push", name)
	assert.Contains(t, out, "push "+name+" is already in progress", "a push outlives its docker")

	events := d.command(t, "docker", "events", "--filter", "event=push", "--since", "1")
	said, err := events.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, events.Start())
	open()
	line, err := bufio.NewReader(said).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "image push "+name)
	require.NoError(t, events.Process.Kill())
	_ = events.Wait()
	assert.Equal(t, strings.Fields(latestLine)[2], inspect(t, name+":latest").Digest)
}

// TestE2EDockerBars: in a terminal docker draws its bars from what the engine says.
func TestE2EDockerBars(t *testing.T) {
	t.Parallel()
	name := startDebianRegistry(t) + "/lib/app"
	d := build(t).startEngine(t)
	d.run(t, 0, "load", "-i", appTar)
	d.run(t, 0, "tag", "lib/app", name)
	// script(1) gives docker a pseudo-terminal, of a size in which bars are drawn.
	cmd := d.command(t, "script", "--quiet", "--return", "--command", "stty cols 160 rows 40; docker push "+name, os.DevNull)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	bar := regexp.MustCompile(`b1b1b1b1b1b1: Pushing +\[(=*>) *\] +[0-9.]+kB/1\.049MB`)
	bars := bar.FindAllStringSubmatch(string(out), -1)
	require.GreaterOrEqual(t, len(bars), 10, "%q", out)
	for i := 1; i < len(bars); i++ {
		assert.GreaterOrEqual(t, len(bars[i][1]), len(bars[i-1][1]), "a bar grows")
	}
	assert.Contains(t, string(out), "b1b1b1b1b1b1: Image successfully pushed")
	assert.Contains(t, string(out), latestLine)
}

// TestE2EEngineKilled: an engine that was killed in the middle of a load, and of a
// push, leaves images that the next one has.
func TestE2EEngineKilled(t *testing.T) {
	t.Parallel()
	pushcheck := build(t)
	images := filepath.Join(t.TempDir(), "images")
	archive, err := os.ReadFile(appTar)
	require.NoError(t, err)

	d := pushcheck.startEngine(t, "--images", images)
	load := d.command(t, "docker", "load")
	half, err := load.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, load.Start())
	_, err = half.Write(archive[:len(archive)/2])
	require.NoError(t, err)
	require.NoError(t, d.engine.Process.Kill())
	_ = d.engine.Wait()
	_ = half.Close()
	require.Error(t, load.Wait())

	d = pushcheck.startEngine(t, "--images", images)
	assert.Empty(t, d.run(t, 0, "images", "--quiet"))
	d.run(t, 0, "load", "-i", appTar)
	host, arrived, open := gate(t, startDebianRegistry(t))
	name := host + "/lib/app"
	d.run(t, 0, "tag", "lib/app", name)
	push := d.command(t, "docker", "push", name)
	require.NoError(t, push.Start())
	<-arrived
	require.NoError(t, d.engine.Process.Kill())
	_ = d.engine.Wait()
	require.Error(t, push.Wait())
	open()

	d = pushcheck.startEngine(t, "--images", images)
	assert.Equal(t, 4, strings.Count(d.run(t, 0, "images", "--quiet"), "\n"))
	assert.Contains(t, d.run(t, 0, "push", name), latestLine)
}
