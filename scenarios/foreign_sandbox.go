package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// exitCannot is the exit code by which a client, or its shim, says that it cannot
// do what was asked: the scenario is then skipped.
const exitCannot = 89

// A sandbox is where the commands of one run of a foreign client live: a home, a
// temporary folder and settings of their own, below one folder that goes with it.
type sandbox struct {
	dir  string
	path string            // PATH
	vars map[string]string // of the adapter's commands
	env  map[string]string // set beside the usual ones
	// served says that a service runs in it, which outlives each command.
	served bool
	marks  []mark // of the commands that were begun
}

// newSandbox makes a sandbox below temp, with a short name: sockets live in it, and
// the name of one has little room.
func newSandbox(temp string) (*sandbox, error) {
	dir, err := os.MkdirTemp(temp, "pc-")
	if err != nil {
		return nil, err
	}
	b := &sandbox{dir: dir, env: map[string]string{}}
	for _, name := range []string{"home", "tmp", "run", "docker", "ca", "image"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	if err := os.WriteFile(b.below("run/empty.json"), []byte("{}\n"), 0o600); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *sandbox) below(name string) string { return filepath.Join(b.dir, name) }

// close removes the sandbox. A client may have left folders that it may not change,
// and mounts. What still runs may be writing into it while it ends.
//
// Errors: one that names the folder that is left.
func (b *sandbox) close() error {
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for range removals {
		_ = leftovers{home: b.below("home"), marks: b.marks}.kill() // each command has told of its own
		unmountBelow(dir)
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, _ error) error {
			if e != nil && e.IsDir() {
				_ = os.Chmod(path, 0o700) //nolint:gosec // it is being removed
			}
			return nil
		})
	}
	return fmt.Errorf("the client's folder %s is left and cannot be removed: %w", dir, err)
}

// removals is how often it is tried to remove a sandbox.
const removals = 3

// environment is all that a command inherits.
func (b *sandbox) environment(more map[string]string) []string {
	docker := b.below("docker")
	all := map[string]string{
		"PATH": b.path, "HOME": b.below("home"), "TMPDIR": b.below("tmp"), "LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1",
		"XDG_CONFIG_HOME": b.below("home/.config"), "XDG_CACHE_HOME": b.below("home/.cache"), "XDG_DATA_HOME": b.below("home/.local/share"),
		"XDG_RUNTIME_DIR": b.below("run"), "DOCKER_CONFIG": docker, "REGISTRY_AUTH_FILE": filepath.Join(docker, "config.json"),
	}
	maps.Copy(all, b.env)
	maps.Copy(all, more)
	var list []string
	for _, name := range sortedKeys(all) {
		list = append(list, name+"="+all[name])
	}
	return list
}

// fill puts the variables into a word.
func (b *sandbox) fill(word string) string {
	var pairs []string
	for _, name := range sortedKeys(b.vars) {
		pairs = append(pairs, "${"+name+"}", b.vars[name])
	}
	return strings.NewReplacer(pairs...).Replace(word)
}

// A call is one command to be run.
type call struct {
	argv  []string
	dir   string            // where a relative program begins; "" knows none
	env   map[string]string // more of it
	limit time.Duration
}

// An answer is how a command ended.
type answer struct {
	exit int
	text string // what it wrote on both streams, the middle left out where it is long
	err  error  // it could not be started, or did not end by itself
	late bool   // its time was over
}

// words say how a command ended, for messages.
func (a answer) words() string {
	last := lastLine(a.text)
	switch {
	case a.late:
		return "it did not end in time"
	case a.err != nil:
		return a.err.Error()
	case last == "":
		return fmt.Sprintf("exit code %d", a.exit)
	}
	return fmt.Sprintf("exit code %d: %s", a.exit, last)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

// run runs a command to its end, or kills its process group when its limit is over
// or ctx ends.
func (b *sandbox) run(ctx context.Context, c call) answer {
	own, cancel := clock.Real().WithTimeout(ctx, c.limit)
	defer cancel()
	cmd, out, err := b.command(own, c)
	if err != nil {
		return answer{err: err}
	}
	var a answer
	var m mark
	if m, a.err = b.start(cmd); a.err != nil {
		return a
	}
	err = cmd.Wait()
	killGroup(cmd.Process.Pid) // what it left behind
	left := leftovers{home: b.below("home"), marks: []mark{m}, group: cmd.Process.Pid}
	if b.served {
		left.home = "" // the service has it too
	}
	a.text = left.kill() + out.String()
	var exit *exec.ExitError
	switch {
	case own.Err() != nil:
		a.late = ctx.Err() == nil
		a.err = own.Err()
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		a.exit = cmd.ProcessState.ExitCode()
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		a.exit = exit.ExitCode()
	default:
		a.err = err // a signal ended it
	}
	return a
}

// closeDelay is how long what a client left behind may keep its output open.
const closeDelay = 3 * time.Second

// command makes a command of the sandbox that is in a process group of its own.
func (b *sandbox) command(ctx context.Context, c call) (*exec.Cmd, *boundedText, error) {
	var argv []string
	for _, word := range c.argv {
		argv = append(argv, b.fill(word))
	}
	path, err := (&Foreign{Path: b.path}).lookPath(argv[0], c.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is not here", argv[0])
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir, cmd.WaitDelay = b.below("home"), closeDelay
	filled := map[string]string{}
	for name, value := range c.env {
		filled[name] = b.fill(value)
	}
	cmd.Env = b.environment(filled)
	out := &boundedText{}
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	return cmd, out, nil
}

// start starts a command and marks it: what it starts has the mark too.
func (b *sandbox) start(cmd *exec.Cmd) (mark, error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	m := markOf(b.dir, len(b.marks))
	m.put(cmd.Process.Pid)
	b.marks = append(b.marks, m)
	return m, nil
}

// How much of a client's output is kept: its beginning and its end.
const (
	keepHead = 24 << 10
	keepTail = 40 << 10
)

// A boundedText keeps the beginning and the end of what is written to it. It is
// safe for concurrent use.
type boundedText struct {
	mu   sync.Mutex // guards everything below
	head []byte
	tail []byte // the last that was written after head, up to twice keepTail
	lost int64
}

// Write implements io.Writer.
func (t *boundedText) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(p), keepHead-len(t.head))
	t.head = append(t.head, p[:n]...)
	t.tail = append(t.tail, p[n:]...)
	if over := len(t.tail) - keepTail; over > keepTail {
		t.lost += int64(over)
		t.tail = append(t.tail[:0], t.tail[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *boundedText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost == 0 {
		return string(t.head) + string(t.tail)
	}
	return fmt.Sprintf("%s\n… %d bytes left out …\n%s", t.head, t.lost, t.tail)
}
