package scenarios

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestTheBuiltInAdapters(t *testing.T) {
	t.Parallel()
	var names []string
	for _, a := range BuiltinAdapters() {
		names = append(names, a.Name)
		if a.About == "" || a.Get == "" || len(a.Errors) == 0 {
			t.Errorf("%s does not say what it is, how to get it, or its words for errors", a.Name)
		}
	}
	want := []string{"buildah", "crane", "ctr", "docker", "oras", "podman", "regctl", "skopeo"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("other adapters than these (-want +got):\n%s", diff)
	}
}

func TestAdaptersThatAreWrong(t *testing.T) {
	t.Parallel()
	const good = "client: mine\nversion: [mine]\npush: [mine, \"${REF}\"]\n"
	for _, tt := range []struct{ name, src, says string }{
		{"nothing", "", `m.yaml:1:1: the file is empty; an adapter begins with "client:" and a name`},
		{"a list", "- x", `m.yaml:1:1: the file is a list; an adapter is a map`},
		{"no name", "version: [x]\npush: [x, \"${REF}\"]", `m.yaml:1:1: there is no "client:"`},
		{"no push", "client: mine\nversion: [mine]", `m.yaml:1:1: there is neither "push:", the command that pushes, nor "shim:"`},
		{"no version", "client: mine\npush: [mine, \"${REF}\"]", `there is no "version:"`},
		{"push and shim", good + "shim: [x]", "there are both push and shim"},
		{"nowhere to push to", "client: mine\nversion: [mine]\npush: [mine, push]", "push does not say where to"},
		{"an era", strings.Replace(good, "mine", "docker-1.8", 1), `m.yaml:1:9: client "docker-1.8" is the name of an era`},
		{"a name with a blank", strings.Replace(good, "mine", "my client", 1), "has other characters than"},
		{"an unknown key", good + "loggin: config", `m.yaml:4:1: unknown key "loggin" for adapter; did you mean "login"?`},
		{"an unknown variable", good + "login: [--user, \"${USR}\"]", `m.yaml:4:17: ${USR} is not a variable of adapters; did you mean "USER"?`},
		{"an open variable", good + "login: [--user, \"${USER\"]", "${USER has no closing brace"},
		{"arguments within a word", good + "login: [\"--x=${ARGS}\"]", "${ARGS} stands for several words and must be one alone"},
		{"a command that is a text", "client: mine\nversion: mine --version\npush: [mine, \"${REF}\"]", `m.yaml:2:10: version is a text; want a list of words`},
		{"an unknown ability", good + "can: [v2, barer]", `m.yaml:4:11: "barer" is not an ability; did you mean "bearer"?`},
		{"an unknown code", good + "errors: {DENID: x}", `m.yaml:4:10: "DENID" is not a code of the registry API; did you mean "DENIED"?`},
		{"no regular expression", good + "errors: {DENIED: \"(\"}", "DENIED is not a regular expression"},
		{"no group", good + "progress: {pushed: done}", "pushed has no group"},
		{"an unknown fault of an invariant", good + "known: {truth: {because: why, faults: [comit-fake]}}", `"comit-fake" is not a fault; did you mean "commit-fake"?`},
		{"an unknown fault that always breaks one", good + "known: {truth: {because: why, always: [comit-fake: manifest.put]}}", `"comit-fake" is not a fault; did you mean "commit-fake"?`},
		{"an unknown operation of it", good + "known: {truth: {because: why, always: [commit-fake: manifest.putt]}}", `"manifest.putt" is not an operation; did you mean "manifest.put"?`},
		{"a fault without its operation", good + "known: {truth: {because: why, always: [commit-fake]}}", `always is a list of faults, each with the operation that it strikes, such as [commit-fake: manifest.put]`},
		{"an invariant without a reason", good + "known: {truth: {faults: [commit-fake]}}", `known truth has no because`},
		{"an unknown invariant", good + "known: {cleanup: why}", `"cleanup" is not an invariant; did you mean "clean-up"?`},
		{"two ways of the authority", good + "ca: {dir: --x, file: --y}", "ca has one of dir: a flag for a folder"},
		{"an authority and no way", good + "can: [ca]", `it can be told of a certificate authority, but there is no "ca:" that says how`},
		{"a login that is a text", good + "login: password", `login is "password"; want arguments or a command as a list, or "config"`},
		{"half a service", good + "service: {run: [x]}", "a service has run: the command that it is, and ready"},
		{"a variable that cannot be", good + "env: {\"A B\": x}", `"A B" is not the name of an environment variable`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := DecodeAdapter("m.yaml", []byte(tt.src))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says: %v\nwant: %s", err, tt.says)
			}
		})
	}
	if _, err := DecodeAdapter("m.yaml", []byte(good)); err != nil {
		t.Errorf("one that is right: %v", err)
	}
}

func TestTwoAdaptersOfOneName(t *testing.T) {
	t.Parallel()
	text := &fstest.MapFile{Data: []byte("client: mine\nversion: [mine]\npush: [mine, \"${REF}\"]\n")}
	_, err := LoadAdapters(fstest.MapFS{"a.yaml": text, "b.yaml": text, "readme.md": text}, "folder", "")
	if err == nil || !strings.Contains(err.Error(), "folder/b.yaml:1:1: client mine is in folder/a.yaml:1:1 too") {
		t.Errorf("it says: %v", err)
	}
}

func TestClientsOfOthersInAFile(t *testing.T) {
	t.Parallel()
	list := made(t, "scenario: x\npush: a/b:v1\nclient: {adapter: [skopeo, crane], login: \"alice:pw\"}")
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID+" "+s.Client.Adapter+" "+s.Client.Login.User)
	}
	if diff := cmp.Diff([]string{"x@skopeo skopeo alice", "x@crane crane alice"}, ids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for src, says := range map[string]string{
		"client: {adapter: skopio}":              `adapter "skopio" is unknown; did you mean "skopeo"?`,
		"client: {adapter: skopeo, era: best}":   "a client is one of era, adapter and run, not several of them",
		"client: {run: []}":                      "run is an empty list",
		"client: {run: [x, \"${REF}\", \"${\"]}": "has no closing brace",
	} {
		_, err := Decode("x.yaml", []byte("scenario: x\npush: a/b:v1\n"+src))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s says: %v\nwant: %s", src, err, says)
		}
	}
}
