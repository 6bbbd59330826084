package scenarios

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
)

// pretendEscape starts a program that leaves everything: group, session, environment,
// home, output, and its parent, which is gone at once.
func pretendEscape() int {
	between := exec.Command("/bin/sh", "-c", `"$0" pretend-push wait & echo child $!`, os.Args[0])
	between.Env, between.Dir = []string{"HOME=/nowhere"}, "/"
	between.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	said, err := os.CreateTemp("", "said")
	if err != nil {
		return 1
	}
	between.Stdout = said
	if between.Run() != nil {
		return 1
	}
	text, err := os.ReadFile(said.Name())
	if err != nil {
		return 1
	}
	fmt.Print(string(text))
	return 0
}

// TestAForeignClientsChildThatLeavesEverythingIsKilled: when the client ends, when it
// is killed, and with a service that outlives each command.
func TestAForeignClientsChildThatLeavesEverythingIsKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const cancelled = "scenario: x\nregistry: fake\nclient: pretend\nsteps: [{cancel: a/b:v1, at: upload.start}]\nexpect: {result: cancelled}\n" +
		"known: {pretend: {fails: clean-up, because: it has no time to}}"
	for _, tt := range []struct {
		name, how, src string
		service        bool
		outcome        report.Outcome
	}{
		{"the client ends", "escape", pretended, false, report.Fail}, // it pushed nothing
		{"the client is killed", "escape-and-hang", cancelled, false, report.Known},
		{"a service is beside it", "escape", pretended, true, report.Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := pretend(t, tt.how)
			if tt.service {
				f.Adapters[0].Service = &Service{Run: []string{self, "pretend-push", "serve"}, Ready: []string{self, "pretend-version"}}
			}
			res := driven(t, f, tt.src)
			said := strings.Join(res.Said, " ")
			_, rest, _ := strings.Cut(said, "child ")
			pid, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
			if err != nil {
				t.Fatalf("it said %q", said)
			}
			if !strings.Contains(said, fmt.Sprintf("(process %d) had left its group, still ran and was killed", pid)) {
				t.Errorf("nothing is told of the child %d: %q", pid, said)
			}
			if alive(t.Context(), pid) {
				t.Errorf("its child %d is still there", pid)
			}
			if res.Outcome != tt.outcome {
				t.Errorf("it is %s %v", res.Outcome, res.Failures)
			}
		})
	}
}

func TestMarksAreOfOneCommand(t *testing.T) {
	t.Parallel()
	seen := map[mark]bool{0: true}
	for _, dir := range []string{"/tmp/pc-1", "/tmp/pc-2"} {
		for n := range 100 {
			m := markOf(dir, n)
			if seen[m] || m < 1<<60 || m >= 1<<61 {
				t.Errorf("the mark %d of %s, %d", m, dir, n)
			}
			seen[m] = true
		}
	}
	if m := markedAs(os.Getpid()); seen[m] && m != 0 {
		t.Errorf("this process is marked %d", m)
	}
}
