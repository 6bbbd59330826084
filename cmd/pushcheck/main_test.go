package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pushcheck": main})
}

// TestScripts runs the command as a user does: arguments, files, exit codes and
// what both streams say. Each file of testdata/script is one story.
func TestScripts(t *testing.T) {
	t.Parallel()
	app := appTarPath(t)
	examples, err := filepath.Abs("../../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	recordings, err := filepath.Abs("../../scenarios/replay/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": scriptServe, "dockerconfig": scriptDockerConfig, "exits": scriptExits, "interrupt": scriptInterrupt,
			"proxy": scriptProxy, "ended": scriptEnded, "hangup": scriptHangup, "unread": scriptUnread, "closed": scriptClosed,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[runningKey{}] = map[string]*running{}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("APP", app)
			env.Setenv("EXAMPLES", examples)
			env.Setenv("RECORDINGS", recordings)
			return nil
		},
	})
}

// appTarPath is the archive of testdata, from wherever a command runs.
func appTarPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/docker-1.8.3-app.tar")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scriptServe starts `pushcheck serve` for as long as the script runs, and sets
// a variable to its host: serve NAME ARGUMENT…
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME ARGUMENT…")
	}
	cmd := exec.Command("pushcheck", append([]string{"serve"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = ts.Stderr()
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	var said strings.Builder
	for s := bufio.NewScanner(out); s.Scan(); {
		fmt.Fprintln(&said, s.Text())
		if m := regexp.MustCompile(`^registry +https?://(\S+)`).FindStringSubmatch(s.Text()); m != nil {
			ts.Setenv(args[0], m[1])
		}
		if strings.HasPrefix(s.Text(), "ready") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	ts.Fatalf("serve ended:\n%s", said.String())
}

// scriptDockerConfig writes what `docker login` leaves behind: dockerconfig FILE
// HOST USER PASSWORD-FILE.
func scriptDockerConfig(ts *testscript.TestScript, _ bool, args []string) {
	password := strings.TrimSpace(ts.ReadFile(args[3]))
	auth := base64.StdEncoding.EncodeToString([]byte(args[2] + ":" + password))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, args[1], auth), 0o600))
}

// scriptExits runs a command that must end with a code: exits CODE COMMAND…
func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != want {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, want)
	}
}

// scriptInterrupt starts a command, interrupts it once its output has a line that
// matches, and demands how it ends: interrupt CODE REGEX COMMAND…
func scriptInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	interrupted(ts, neg, args, os.Interrupt)
}

func interrupted(ts *testscript.TestScript, neg bool, args []string, signal os.Signal) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt CODE REGEX COMMAND…")
	}
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "TMPDIR="+ts.Getenv("TMPDIR"), "PATH="+ts.Getenv("PATH"), "DOCKER_CONFIG="+ts.Getenv("DOCKER_CONFIG"), "STUCK="+ts.Getenv("STUCK"))
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	ts.Check(cmd.Start())
	var said strings.Builder
	seen, read := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(read)
		defer close(seen)
		for s := bufio.NewScanner(r); s.Scan(); {
			fmt.Fprintln(&said, s.Text())
			if regexp.MustCompile(args[1]).MatchString(s.Text()) {
				select {
				case seen <- true:
				default: // once more
				}
			}
		}
	}()
	go func() {
		if <-seen {
			_ = cmd.Process.Signal(signal)
		}
	}()
	_ = cmd.Wait()
	w.Close()
	<-read
	_, _ = io.WriteString(ts.Stdout(), said.String())
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("%s ended with %s, want %s:\n%s", strings.Join(args[2:], " "), got, args[0], said.String())
	}
	if left, _ := filepath.Glob(filepath.Join(ts.Getenv("TMPDIR"), "pushcheck-*")); len(left) > 0 {
		ts.Fatalf("it left %v behind", left)
	}
}
