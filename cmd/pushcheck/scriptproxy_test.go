package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// A running is a command that goes on while a script does.
type running struct {
	cmd  *exec.Cmd
	said strings.Builder
	read chan struct{} // closed when all of its output is in said
}

// scriptProxy starts `pushcheck proxy` and sets a variable to its host: proxy
// VARIABLE NAME ARGUMENT…; ended NAME shows what it said.
func scriptProxy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: proxy VARIABLE NAME ARGUMENT…")
	}
	p := &running{cmd: exec.Command("pushcheck", append([]string{"proxy"}, args[2:]...)...), read: make(chan struct{})}
	p.cmd.Dir = ts.MkAbs(".")
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	p.cmd.Stderr = ts.Stderr()
	ts.Check(p.cmd.Start())
	ts.Defer(func() { _ = p.cmd.Process.Kill() }) // it may have ended
	ready := make(chan string, 1)
	go func() {
		defer close(p.read)
		host := ""
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(&p.said, s.Text())
			if m := regexp.MustCompile(`^registry +https?://(\S+)`).FindStringSubmatch(s.Text()); m != nil {
				host = m[1]
			}
			if strings.HasPrefix(s.Text(), "ready") {
				ready <- host
			}
		}
		close(ready)
	}()
	host, ok := <-ready
	if !ok {
		ts.Fatalf("proxy ended")
	}
	ts.Setenv(args[0], host)
	ts.Value(runningKey{}).(map[string]*running)[args[1]] = p
}

type runningKey struct{}

// scriptEnded interrupts what proxy started and shows what it said.
func scriptEnded(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(runningKey{}).(map[string]*running)[args[0]]
	ts.Check(p.cmd.Process.Signal(os.Interrupt))
	<-p.read
	ts.Check(p.cmd.Wait())
	_, _ = io.WriteString(ts.Stdout(), p.said.String())
}

// scriptUnread starts a server, reads its output until it is ready and then no
// more, makes it write, and demands how it ends: unread CODE COMMAND…
func scriptUnread(ts *testscript.TestScript, _ bool, args []string) {
	r, w, err := os.Pipe()
	ts.Check(err)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout = w
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "TMPDIR="+ts.Getenv("TMPDIR"))
	ts.Check(cmd.Start())
	w.Close()
	host := ""
	for s := bufio.NewScanner(r); s.Scan() && !strings.HasPrefix(s.Text(), "ready"); {
		if m := regexp.MustCompile(`^registry +(https?://\S+)`).FindStringSubmatch(s.Text()); m != nil {
			host = m[1]
		}
	}
	r.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	for running := true; running; { // until it has noticed
		if resp, err := http.Get(host + "/v2/"); err == nil {
			resp.Body.Close()
		}
		select {
		case <-ended:
			running = false
		default:
		}
	}
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
	if left, _ := filepath.Glob(filepath.Join(ts.Getenv("TMPDIR"), "pushcheck-*")); len(left) > 0 {
		ts.Fatalf("it left %v behind", left)
	}
}

// scriptClosed runs a command whose output nobody reads, and demands how it ends,
// without a word: closed CODE COMMAND…
func scriptClosed(ts *testscript.TestScript, _ bool, args []string) {
	r, w, err := os.Pipe()
	ts.Check(err)
	r.Close()
	var said strings.Builder
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = w, &said
	_ = cmd.Run()
	w.Close()
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] || said.Len() > 0 {
		ts.Fatalf("%s ended with %s, want %s:\n%s", strings.Join(args[1:], " "), got, args[0], said.String())
	}
}

// scriptHangup is interrupt with another signal.
func scriptHangup(ts *testscript.TestScript, neg bool, args []string) {
	interrupted(ts, neg, args, syscall.SIGHUP)
}
