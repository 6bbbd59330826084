package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// pretend is a foreign client that this test's own program plays; see pretending.
func pretend(t *testing.T, how ...string) *Foreign {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := Adapter{ // no Known: what it breaks, a scenario says
		Name: "pretend", Version: []string{self, "pretend-version"}, Push: append([]string{self, "pretend-push"}, how...),
		Can:    []string{"v2", "oci", "basic", "tls", "ca"},
		CA:     CAWay{Env: "PRETEND_CA"},
		Errors: []Wording{{Code: "DENIED", Pattern: "shut the door"}},
		Pushed: "pushed blob sha256:([0-9a-f]+)",
	}
	return &Foreign{Adapters: []Adapter{a}, TempDir: t.TempDir()}
}

// driven runs a file, whose client is "pretend", with a foreign client.
func driven(t *testing.T, f *Foreign, src string) Result {
	t.Helper()
	list, err := decodeFile(file{name: "x.yaml", id: "x", clients: []string{"pretend"}}, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	summary, err := (&Runner{Foreign: f, TempDir: f.TempDir}).Run(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return summary.Results[0]
}

// pretended begins each file of these tests.
const pretended = "scenario: x\nregistry: {kind: fake}\nclient: pretend\npush: a/b:v1\nimage: {layers: [1KiB]}\n"

func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, how, src string
		require        bool
		outcome        report.Outcome
		says           string // a part of the reason or of the first failure
	}{
		{"it pushes", "well", pretended + "expect: {exit: 0, via: v2, wire: [upload.start: 202, upload.put: {digest: layer1, status: 201}, manifest.put: 201], registry: {tags: {v1: pushed}}}", false, report.Pass, ""},
		{"it compresses layers anew", "anew", pretended + "expect: {wire: [upload.put: {digest: layer1, status: 201}], registry: {blobs: {layer1: intact}}}", false, report.Pass, ""},
		{"it says that it pushed and did not", "lie", pretended, false, report.Fail, "invariant truth: the push of tag v1 was reported as a success, but it is not there"},
		{"it fails in its own words", "fail", pretended + "expect: {result: failed, error: DENIED, exit: 7}", false, report.Pass, ""},
		{"it fails in other words", "fail", pretended + "expect: {result: failed, error: UNAUTHORIZED}", false, report.Fail, `expect.error: the error was "the registry shut the door: (exit code 7)"`},
		{"it cannot", "cannot", pretended, false, report.Skipped, "pretend says that it cannot: no such thing here"},
		{"it cannot and must", "cannot", pretended, true, report.Broken, "it is required, so this is no reason to skip"},
		{"it cannot do what is needed", "well", pretended + "needs: [schema1]", false, report.Skipped, "needs schema1, which pretend cannot"},
		{"it cannot do what is needed and must", "well", pretended + "needs: [schema1]", true, report.Broken, "needs schema1, which pretend cannot; it is required"},
		{"what it showed is not known", "well", pretended + "expect: {progress: {lines: [x]}}", false, report.Skipped, "its expect.progress is about the words of docker"},
		{"a fault strikes", "well", pretended + "faults: [{respond: manifest.put, status: 500}]\nexpect: {result: failed}", false, report.Pass, ""},
		{"a fault does not strike", "well", pretended + "faults: [{respond: blob.get, status: 500}]", false, report.Fail, "invariant fired: fault respond never struck"},
		{"it is cancelled", "wait", "scenario: x\nregistry: fake\nclient: pretend\nsteps: [{cancel: a/b:v1, after: 100ms}]\nexpect: {result: cancelled}", false, report.Pass, ""},
		{"it is cancelled at a request", "patient", "scenario: x\nregistry: fake\nclient: pretend\nsteps: [{cancel: a/b:v1, at: upload.start}]\nexpect: {result: cancelled, never: [manifest.put]}\nknown: {pretend: {fails: clean-up, because: it has no time to}}", false, report.Known, "clean-up"},
		{"it pushes over TLS", "well", strings.Replace(pretended, "kind: fake", "kind: fake, tls: true", 1), false, report.Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := pretend(t, tt.how)
			if tt.require {
				f.Require = []string{"all"}
			}
			res := driven(t, f, tt.src)
			said := res.Because
			if len(res.Failures) > 0 {
				said = res.Failures[0].Name + ": " + res.Failures[0].Message
			}
			if res.Outcome != tt.outcome || !strings.Contains(said, tt.says) {
				t.Errorf("it is %s (%s), want %s (%s)\n%s", res.Outcome, said, tt.outcome, tt.says, strings.Join(res.Said, "\n"))
			}
		})
	}
}

// TestAForeignClientThatOutgrewAHabit: what a client is sure to break after a strike,
// and breaks no longer, is a failure; after anything else nobody knows.
func TestAForeignClientThatOutgrewAHabit(t *testing.T) {
	t.Parallel()
	const fake, slow = "faults: [{commit-fake: manifest.put}]\n", "faults: [{delay: upload.start, by: 1ms}]\n"
	habit := Habit{Because: "it does not look", Always: []Strike{{"delay", wire.OpUploadStart}, {"commit-fake", wire.OpManifestPut}}}
	const outgrown = "pretend is known to break this when delay strikes upload.start (it does not look) and did not: its adapter's list is wrong"
	for _, tt := range []struct {
		name, src string
		outcome   report.Outcome
		says      string
	}{
		{"it breaks it", pretended + fake, report.Pass, ""},
		{"it breaks it no longer", pretended + slow, report.Fail, outgrown},
		{"nothing strikes", pretended, report.Pass, ""},
		{"something else strikes too", pretended + strings.TrimSuffix(slow, "]\n") + ", {delay: manifest.put, by: 1ms}]\n", report.Pass, ""},
		{"a file waives it", pretended + slow + "expect: {waive: {truth: because}}", report.Fail, "it holds, although it is waived"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := pretend(t, "well")
			f.Adapters[0].Known = map[string]Habit{"truth": habit}
			res := driven(t, f, tt.src)
			said := ""
			if len(res.Failures) > 0 {
				said = res.Failures[0].Message
			}
			if res.Outcome != tt.outcome || !strings.Contains(said, tt.says) || len(res.Failures) > 1 {
				t.Errorf("it is %s (%v), want %s (%s)", res.Outcome, res.Failures, tt.outcome, tt.says)
			}
		})
	}
}

func TestAForeignClientInheritsNothing(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-for-others")
	f := pretend(t, "environment")
	f.Path = "/only/this"
	res := driven(t, f, pretended)
	var names []string
	for _, line := range res.Said {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "PUSH_") {
			names = append(names, name)
		}
		if home := name == "HOME" || name == "TMPDIR" || name == "DOCKER_CONFIG"; home && !strings.HasPrefix(value, f.TempDir) {
			t.Errorf("%s is %s, which is not below %s", name, value, f.TempDir)
		}
	}
	want := []string{
		"DOCKER_CONFIG", "HOME", "LANG", "NO_COLOR", "PATH", "REGISTRY_AUTH_FILE", "TERM", "TMPDIR",
		"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("other variables than these (-want +got):\n%s", diff)
	}
}

func TestAForeignClientsSecretsStandNowhere(t *testing.T) {
	t.Parallel()
	f := pretend(t, "fail", "${USER}:${PASSWORD}")
	res := driven(t, f, "scenario: x\nregistry: {kind: fake, auth: basic, users: {alice: s3cret-word}}\npush: a/b:v1\nclient: {adapter: pretend, login: \"alice:s3cret-word\"}\nexpect: {result: failed}")
	if said := strings.Join(res.Said, "\n"); strings.Contains(said, "s3cret-word") || !strings.Contains(said, "alice:***") {
		t.Errorf("it is shown as %q", said)
	}
	if res.Outcome != report.Fail || !strings.Contains(res.Failures[0].Message, "the password is in the log") {
		t.Errorf("that the client showed the password is %s %v", res.Outcome, res.Failures)
	}
}

func TestAForeignClientThatHangsIsKilledWithItsChildren(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // no process groups
	}
	res := driven(t, pretend(t, "hang"), "scenario: x\nregistry: fake\nclient: pretend\nsteps: [{cancel: a/b:v1, at: upload.start}]\nexpect: {result: cancelled}\nknown: {pretend: {fails: clean-up, because: it has no time to}}")
	if res.Outcome != report.Known {
		t.Errorf("it is %s: %v", res.Outcome, res.Failures)
	}
	said := strings.Join(res.Said, " ")
	pid, err := strconv.Atoi(strings.TrimPrefix(said, "child "))
	if err != nil {
		t.Fatalf("it said %q", said)
	}
	if alive(t.Context(), pid) {
		t.Errorf("its child %d is still there", pid)
	}
}

func TestAForeignClientHasSoMuchTime(t *testing.T) {
	t.Parallel()
	f := pretend(t, "wait")
	f.Limit = 100 * time.Millisecond
	res := driven(t, f, pretended)
	if res.Outcome != report.Fail || !strings.Contains(res.Failures[0].Message, "the push did not end within the time limit of 100ms") {
		t.Errorf("it is %s: %v", res.Outcome, res.Failures)
	}
}

// alive reports whether a process is still there after a while: one that was killed
// needs a moment to go.
func alive(ctx context.Context, pid int) bool {
	for range 200 {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil || strings.Contains(string(text), ") Z ") {
			return false
		}
		_ = clock.Real().Sleep(ctx, 10*time.Millisecond)
	}
	return true
}

func TestAForeignClientsOutputIsBounded(t *testing.T) {
	t.Parallel()
	res := driven(t, pretend(t, "flood"), pretended+"expect: {result: failed}")
	if n := len(res.Said); n > maxSaid+1 || res.Said[0] != "first" || res.Said[n-1] != "last" {
		t.Errorf("%d lines, from %q to %q", n, res.Said[0], res.Said[n-1])
	}
}

func TestABoundedTextKeepsItsEnds(t *testing.T) {
	t.Parallel()
	var text boundedText
	for i := range 100_000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	got := text.String()
	if len(got) > keepHead+2*keepTail+100 || !strings.HasPrefix(got, "line 0\n") || !strings.HasSuffix(got, "\nline 99999\n") || !strings.Contains(got, "bytes left out") {
		t.Errorf("%d bytes: %.20q … %q", len(got), got, got[len(got)-20:])
	}
}

func TestAForeignClientThatIsNotHere(t *testing.T) {
	t.Parallel()
	f := &Foreign{Path: t.TempDir()}
	summary, err := (&Runner{Foreign: f}).Run(t.Context(), made(t, strings.Replace(pretended, "pretend", "skopeo", 1)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "needs the client skopeo: skopeo is not here; get it with: apt-get install skopeo"
	if res := summary.Results[0]; res.Outcome != report.Skipped || res.Because != want {
		t.Errorf("it is %s: %s", res.Outcome, res.Because)
	}
	f.Require = []string{"skopeo"}
	summary, _ = (&Runner{Foreign: f}).Run(t.Context(), made(t, strings.Replace(pretended, "pretend", "skopeo", 1)))
	if code := ExitCode(summary, nil); code != ExitBroken {
		t.Errorf("exit code %d, want %d", code, ExitBroken)
	}
}

func TestAScenariosOwnProgramNeedsLeave(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	src := fmt.Sprintf("scenario: x\nregistry: fake\npush: a/b:v1\nclient:\n  run: [%q, pretend-push, well, \"${REF}\"]\n", self)
	list := made(t, src)
	_, err = (&Runner{Foreign: &Foreign{}}).Run(t.Context(), list)
	var wrong *Errors
	if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "x.yaml:5:3: scenario x runs the program") || ExitCode(Summary{}, err) != ExitUsage {
		t.Errorf("without leave: %v", err)
	}
	summary, err := (&Runner{Foreign: &Foreign{AllowExec: true}, TempDir: t.TempDir()}).Run(t.Context(), list)
	if err != nil || summary.Results[0].Outcome != report.Pass {
		t.Errorf("with leave: %v %+v", err, summary.Results)
	}
}

func TestAShimSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	f := pretend(t)
	self := f.Adapters[0].Version[0]
	f.Adapters = []Adapter{{Name: "pretend", Shim: []string{self, "pretend-shim"}, Can: []string{"v2", "oci"}}}
	if found := f.Find(t.Context(), "pretend"); found.Because != "" || found.Version != "1.2.3" {
		t.Errorf("found %+v", found)
	}
	if res := driven(t, f, pretended); res.Outcome != report.Pass {
		t.Errorf("it is %s: %s %v", res.Outcome, res.Because, res.Failures)
	}
	f = &Foreign{Adapters: []Adapter{{Name: "pretend", Shim: []string{self, "pretend-can-anything"}}}, TempDir: t.TempDir()}
	if found := f.Find(t.Context(), "pretend"); !strings.Contains(found.Because, "a shim answers what it cannot do with exit code 89") {
		t.Errorf("one that claims everything: %+v", found)
	}
}
