package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Foreign says how a Runner drives clients that are programs of others: skopeo,
// docker, or one that a scenario names with run. Its zero value knows the built-in
// adapters and finds no program. It is safe for concurrent use and must not be
// copied.
//
// A foreign client pushes over real sockets and in real time; each run has its own
// home, temporary folder and settings, inherits nothing of the environment but
// Path, and its process group is killed when its time is over. What it did is seen
// from the registry's side.
type Foreign struct {
	Adapters  []Adapter // nil is BuiltinAdapters
	Path      string    // folders in which programs are looked for, as PATH is written
	AllowExec bool      // run what a scenario names with run
	// Require are the names of clients of which it is an error, not a reason to skip,
	// that they are not here or cannot do what a scenario needs; "all" is every one.
	Require []string
	// Env looks up what an adapter's service may find running already, such as
	// DOCKER_HOST; nil finds nothing.
	Env func(name string) (value string, ok bool)
	// Limit is how long one push may take; 0 is two minutes. A scenario's own timeout,
	// or the Runner's, goes before it.
	Limit time.Duration
	// TempDir is where pushcheck's own checks of a client run; "" is the system's.
	TempDir string

	mu    sync.Mutex // guards found
	found map[string]*Found
}

// A Found is what is known of a client on this machine.
type Found struct {
	Adapter Adapter
	Path    string // of its program; "" when it is not here
	Version string // "1.9.3"; "" when it is not here or does not say
	// Because says why the client cannot be used: its program is not here, or it
	// claims an ability that cannot be. "" when it can.
	Because string
}

// foreignLimit is how long a push of a foreign client may take.
const foreignLimit = 2 * time.Minute

// versionLimit is how long a client may take to tell its version.
const versionLimit = 20 * time.Second

// adapters are those that f drives.
func (f *Foreign) adapters() []Adapter {
	if f.Adapters != nil {
		return f.Adapters
	}
	return BuiltinAdapters()
}

// List looks for every client, in the order of the adapters. It runs those that are
// here, to ask for their version and, of those with a shim, whether they own up to
// what they cannot do.
func (f *Foreign) List(ctx context.Context) []Found {
	var list []Found
	for _, a := range f.adapters() {
		list = append(list, f.Find(ctx, a.Name))
	}
	return list
}

// Find looks for one client and remembers what it found.
func (f *Foreign) Find(ctx context.Context, name string) Found {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.found[name]; ok {
		return *one
	}
	one := &Found{Because: "there is no adapter for " + name}
	list := f.adapters()
	if i := slices.IndexFunc(list, func(a Adapter) bool { return a.Name == name }); i >= 0 {
		*one = f.look(ctx, list[i])
	}
	if ctx.Err() == nil {
		if f.found == nil {
			f.found = map[string]*Found{}
		}
		f.found[name] = one
	}
	return *one
}

// look finds the programs of an adapter and asks for a version.
func (f *Foreign) look(ctx context.Context, a Adapter) Found {
	found := Found{Adapter: a}
	for _, program := range a.programs() {
		path, err := f.lookPath(program, a.dir)
		if err != nil {
			found.Path, found.Because = "", fmt.Sprintf("%s is not here", program)
			if a.Get != "" {
				found.Because += "; get it with: " + a.Get
			}
			return found
		}
		if found.Path == "" {
			found.Path = path
		}
	}
	box, err := newSandbox(f.TempDir)
	if err != nil {
		found.Because = err.Error()
		return found
	}
	defer box.close()
	box.path, box.vars = f.Path, map[string]string{}
	argv := a.Version
	if len(a.Shim) > 0 {
		argv = append(slices.Clone(a.Shim), "version")
	}
	out := box.run(ctx, call{argv: argv, dir: a.dir, limit: versionLimit})
	if out.err != nil || out.exit != 0 {
		found.Because = fmt.Sprintf("%s does not tell its version: %s", argv[0], out.words())
		return found
	}
	found.Version = versionIn(out.text)
	if len(a.Shim) > 0 {
		found.Because = owns(ctx, box, a)
	}
	return found
}

// nonsense is an ability that nobody has: a shim that claims it claims anything.
const nonsense = "push-through-closed-doors"

// owns asks a shim for what it cannot do; "" when it says so.
func owns(ctx context.Context, box *sandbox, a Adapter) string {
	out := box.run(ctx, call{argv: append(slices.Clone(a.Shim), "can", nonsense), dir: a.dir, limit: versionLimit})
	if out.err == nil && out.exit == exitCannot {
		return ""
	}
	return fmt.Sprintf("%q ended with %s; a shim answers what it cannot do with exit code %d", a.Shim[0]+" can "+nonsense, out.words(), exitCannot)
}

// lookPath finds a program in f.Path, or below dir where its name has a slash.
func (f *Foreign) lookPath(name, dir string) (string, error) {
	if strings.ContainsRune(name, '/') {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return executable(name)
	}
	for _, folder := range filepath.SplitList(f.Path) {
		if path, err := executable(filepath.Join(folder, name)); err == nil && filepath.IsAbs(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

func executable(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir(), info.Mode()&0o111 == 0 && !windowsProgram(path):
		return "", fmt.Errorf("%s: %w", path, os.ErrPermission)
	}
	return path, nil
}

func windowsProgram(path string) bool { return strings.EqualFold(filepath.Ext(path), ".exe") }

// versionIn is the first thing in a text that looks like a version, else its first
// line.
func versionIn(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	for word := range strings.FieldsSeq(text) {
		word = strings.TrimLeft(strings.Trim(word, ",;()\""), "v")
		if strings.Count(word, ".") > 0 && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return first
}

// requires reports whether a client that cannot be had is an error.
func (f *Foreign) requires(name string) bool {
	return slices.Contains(f.Require, "all") || slices.Contains(f.Require, name)
}

// limit is how long one push may take.
func (f *Foreign) limit() time.Duration {
	if f.Limit > 0 {
		return f.Limit
	}
	return foreignLimit
}
