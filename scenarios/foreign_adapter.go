package scenarios

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/scenarios/clients"
)

// An Adapter says how one foreign client is driven. It is data, read from a YAML
// file by DecodeAdapter.
//
// Its commands are lists of words, never given to a shell. A word may have
// variables in it: ${REF} is where to push, ${LAYOUT} and ${ARCHIVE} are the image,
// and so on; see AdapterVariables. A word that is ${ARGS} alone stands for the
// arguments of Plain, Insecure, Login and CA that the scenario calls for.
type Adapter struct {
	Name    string
	About   string   // one sentence
	Get     string   // how to get it: a command
	Version []string // the command that prints its version
	Can     []string // of AdapterAbilities
	Push    []string // the command that pushes; nil with Shim
	// Shim is a program with three verbs, in place of Push and Version: "version"
	// prints its version, "can ABILITY" ends with 0 or 89, "push" pushes what the
	// variables say, which it finds in its environment as PUSH_REF and so on.
	Shim    []string
	Prepare [][]string        // commands before each push: they load the image
	Env     map[string]string // set for every command
	Service *Service          // what must run beside it; nil for none

	Plain    []string // arguments for a registry without TLS
	Insecure []string // arguments that leave the certificate unverified
	Login    LoginWay
	CA       CAWay

	Errors  []Wording        // its words for the registry's codes
	Pushed  string           // a pattern of a line that says a layer is pushed: its first group is the layer's digest
	Exists  string           // the same for one that was there
	Known   map[string]Habit // invariants that it breaks by nature
	Builtin bool

	Position Position

	dir string // of the file: where relative names of programs begin
}

// A Service is a daemon that a client talks to. Each run of a scenario has its own.
type Service struct {
	Run   []string
	Ready []string // a command that ends with 0 when the service can be used
	// Instead names an environment variable, such as DOCKER_HOST: where it is set,
	// the service that it names is used and none is started.
	Instead string
}

// A LoginWay is how a client is given a user's password: as arguments, by a command
// before the push, or in the file that docker keeps logins in.
type LoginWay struct {
	Args   []string
	Run    []string
	Config bool
}

// A CAWay is how a client is told of a certificate authority: by a flag for a
// folder, a flag for a file, or a variable with the file's name.
type CAWay struct{ Dir, File, Env string }

// A Wording is a client's words for a code of the registry API.
type Wording struct {
	Code    string // "TOOMANYREQUESTS"
	Pattern string // a regular expression over its output
}

// AdapterAbilities are what Adapter.Can may say, and what a scenario may need of a
// foreign client.
func AdapterAbilities() []string {
	return []string{
		"v1", "v2", "schema1", "schema2", "oci", "oci-layout", "archive", "basic", "bearer", "tls", "ca",
		"same-bytes", "mount", "retry", "resume", "chunks",
	}
}

// AdapterVariables are the variables of an adapter's commands, each with what it
// stands for.
func AdapterVariables() [][2]string {
	return [][2]string{
		{"REF", "where to push: 127.0.0.1:40312/team/app:v1"},
		{"HOST", "the registry's address: 127.0.0.1:40312"},
		{"REPOSITORY", "team/app"},
		{"TAG", "v1"},
		{"LAYOUT", "the image as a folder, an OCI image layout"},
		{"NAME", "the image's name in it"},
		{"IMAGE_ID", "its image ID: the hex digits of its config's digest"},
		{"ARCHIVE", "the same as a tar that docker load reads too; its name there is REF"},
		{"TLS_VERIFY", "true, or false for plain HTTP and for a certificate that is not to be verified"},
		{"SCHEME", "http or https"},
		{"USER", "who logs in; empty for nobody"},
		{"PASSWORD", "with which password"},
		{"CA", "the file with the certificate authority; empty where there is none"},
		{"CA_DIR", "a folder with it as ca.crt"},
		{"HOME", "the run's own home"},
		{"TEMP", "the run's own temporary folder"},
		{"STATE", "a folder with a short name, for sockets and services; empty.json in it is an empty object"},
		{"ARGS", "alone: the arguments that the scenario calls for"},
	}
}

func variableNames() []string {
	var names []string
	for _, v := range AdapterVariables() {
		names = append(names, v[0])
	}
	return names
}

// programs are what an adapter starts, the one that pushes first.
func (a Adapter) programs() []string {
	var list []string
	add := func(argv []string) {
		if len(argv) > 0 && !slices.Contains(list, argv[0]) {
			list = append(list, argv[0])
		}
	}
	add(a.Push)
	add(a.Shim)
	for _, argv := range a.Prepare {
		add(argv)
	}
	add(a.Login.Run)
	if a.Service != nil {
		add(a.Service.Run)
		add(a.Service.Ready)
	}
	return list
}

// BuiltinAdapters are those that come with pushcheck, by name.
func BuiltinAdapters() []Adapter {
	list, err := LoadAdapters(clients.Files, "scenarios/clients", "")
	if err != nil {
		return nil // a test loads them: they cannot be wrong
	}
	for i := range list {
		list[i].Builtin = true
	}
	return list
}

// LoadAdapters reads every adapter of a folder, in the order of their names. shown
// is what the folder is called in messages, dir where it lies on disk: relative
// names of programs begin there.
//
// Errors: *Errors with every problem of every file; an error of reading.
func LoadAdapters(files fs.FS, shown, dir string) ([]Adapter, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var list []Adapter
	problems := &Errors{}
	for _, e := range entries {
		if e.IsDir() || !isScenario(e.Name()) {
			continue
		}
		text, err := readBounded(Source{Files: files, Path: e.Name()})
		if err != nil {
			return nil, err
		}
		a, wrong := decodeAdapter(path.Join(shown, e.Name()), text)
		problems.Problems = append(problems.Problems, wrong...)
		a.dir = dir
		if i := slices.IndexFunc(list, func(b Adapter) bool { return b.Name == a.Name }); i >= 0 && len(wrong) == 0 {
			problems.Problems = append(problems.Problems, Problem{
				Position: a.Position, Message: "client " + a.Name + " is in " + place(list[i].Position) + " too",
			})
		}
		list = append(list, a)
	}
	if len(problems.Problems) > 0 {
		problems.Problems = sortProblems(problems.Problems)
		return nil, problems
	}
	slices.SortFunc(list, func(a, b Adapter) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// WithAdapters is list with more added, which replace those of the same name.
func WithAdapters(list, more []Adapter) []Adapter {
	list = slices.DeleteFunc(slices.Clone(list), func(a Adapter) bool {
		return slices.ContainsFunc(more, func(b Adapter) bool { return a.Name == b.Name })
	})
	return append(list, more...)
}
