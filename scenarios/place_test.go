package scenarios_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pushcheck/pushcheck/scenarios"
)

func TestAPlaceWithoutScenariosIsNeverTheLibrary(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, tt := range []struct {
		files      fs.FS
		name, want string
	}{
		{os.DirFS(empty), ".", "no scenario in ."},
		{os.DirFS(filepath.Join(empty, "nosuch")), ".", "no scenario in ."},
		{scenarios.Dir(empty), "./...", "no scenario in ./..."},
		{scenarios.Dir(empty), "auth/..", "no scenario in ./auth/.."},
		{scenarios.Dir(empty), "*", "no scenario in ./*"},
		{scenarios.Dir(empty), "*/*.yaml", "no scenario in ./*/*.yaml"},
		{nil, ".", "no scenario in ."},
		{fstest.MapFS{"auth/notes.txt": {}}, "auth", "no scenario in ./auth"},
	} {
		list, err := scenarios.Load(tt.files, tt.name)
		var missing *scenarios.NotFoundError
		if !errors.As(err, &missing) || err.Error() != tt.want {
			t.Errorf("%q gives %d scenarios and %v, want %s", tt.name, len(list), err, tt.want)
		}
	}
	for _, name := range []string{"all", "auth", "auth/*"} { // names of the library, and nothing here is called so
		if list, err := scenarios.Load(scenarios.Dir(empty), name); err != nil || len(list) == 0 {
			t.Errorf("%q gives %d scenarios and %v", name, len(list), err)
		}
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"own/pipe.yaml": {Mode: fs.ModeNamedPipe},
		"own/zero.yaml": {Mode: fs.ModeDevice | fs.ModeCharDevice},
		"own/one.yaml":  {Data: []byte(good)},
	}
	_, err := scenarios.Load(files, "own")
	for _, want := range []string{"own/pipe.yaml: this is not a regular file", "own/zero.yaml: this is not a regular file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// An endless holds one regular file, which has no end.
type endless struct{ fstest.MapFS }

func (e endless) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	return endlessFile{f}, err
}

type endlessFile struct{ fs.File }

func (endlessFile) Read(p []byte) (int, error) { return len(p), nil }

func TestAFileWithoutEndIsNotReadToIt(t *testing.T) {
	t.Parallel()
	_, err := scenarios.Load(endless{fstest.MapFS{"x.yaml": {}}}, "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "x.yaml:1:1: the file has more than 65536 bytes") {
		t.Errorf("the error is %v", err)
	}
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	t.Parallel()
	list, err := scenarios.Decode("x.yaml", []byte("\ufeff"+good))
	if err != nil || list[0].Title != "x" || strings.Contains(list[0].Lines[0], "\ufeff") {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAProblemCommandsNoTerminal(t *testing.T) {
	t.Parallel()
	_, err := scenarios.Decode("x\x1b[2J.yaml", []byte("scenario: \"\x1b[31m\"\nz\x1b]0;t\x07: \x1b[31m\n"))
	if err == nil {
		t.Fatal("it is taken")
	}
	text := err.Error()
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("a control character is in %q", text)
	}
	if !strings.Contains(text, `\x1b[31m`) {
		t.Errorf("what was there is not told: %s", text)
	}
}
