package recording_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/recording"
)

const recorded = "testdata/docker-1.8.3"

// What is written is read again, and what is read is written again as it was.
func TestReadAndWrite(t *testing.T) {
	t.Parallel()
	scenarios, err := recording.Find(recorded)
	require.NoError(t, err)
	require.Len(t, scenarios, 1)
	s := scenarios[0]
	require.Equal(t, "08-head-blob", s.Name)
	require.Len(t, s.Steps, 2)
	step := s.Steps[0]
	require.Equal(t, "302-1-fault", step.Name)
	require.Equal(t, "HOST/lib/app", step.Input.Name)
	require.Len(t, step.Faults, 2)
	require.Equal(t, "head302", step.Faults[0].Name)
	require.NotEmpty(t, step.Exchanges)

	dir := t.TempDir()
	for _, step := range s.Steps {
		require.NoError(t, recording.Write(dir, step))
		for _, suffix := range []string{".json", ".jsonl", ".stdout"} {
			want, err := os.ReadFile(filepath.Join(s.Dir, step.Name+suffix))
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(dir, step.Name+suffix))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), string(got)), step.Name+suffix)
		}
	}
	again, err := recording.Find(dir)
	require.NoError(t, err)
	for i := range s.Steps {
		s.Steps[i].Path, again[0].Steps[i].Path = "", ""
	}
	require.Empty(t, cmp.Diff(s.Steps, again[0].Steps))
}

// The form that others write: numbers as strings, blanks, members that nobody
// knows, a body whose length is not told.
func TestLenient(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"1.json":   `{"client": "c", "input": {"name": "HOST/a", "repeat": "2", "concurrent": 3}, "faults": [{"name": "slow", "delay_ms": 1500, "every": 2}]}`,
		"1.jsonl":  "\n" + `{"seq": 1, "conn": 1, "method": "GET", "path": "/v2/", "rule": "slow", "status": 200, "weather": "fine"}` + "\n",
		"1.stdout": "",
	})
	step, err := recording.ReadStep(filepath.Join(dir, "1.json"))
	require.NoError(t, err)
	require.EqualValues(t, 2, step.Input.Repeat)
	require.EqualValues(t, 3, step.Input.Concurrent)
	require.Equal(t, map[string]json.RawMessage{"every": json.RawMessage("2")}, step.Faults[0].Unknown)
	e := step.Exchanges[0]
	require.Equal(t, map[string]json.RawMessage{"weather": json.RawMessage(`"fine"`)}, e.Unknown)
	require.Negative(t, e.RespLen)
	require.Equal(t, 1500*time.Millisecond, step.Delay(e))
	require.Zero(t, step.Delay(recording.Exchange{Rule: "other"}))
	require.Equal(t, "1", step.Name)
	require.Equal(t, filepath.Base(dir), step.Scenario)

	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, `{"seq":1,"conn":1,"method":"GET","path":"/v2/","req_len":0,"rule":"slow","status":200,"weather":"fine"}`, string(text))
}

// What is wrong is told with its file and line.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	const good = `{"input": {}}`
	for _, c := range []struct{ name, step, lines, want string }{
		{"an unknown key", "{\n \"client\": \"c\",\n \"weather\": 1\n}", "", `1.json:3: json: unknown field "weather"`},
		{"an unknown input", "{\n \"input\": {\"colour\": 1}}", "", `1.json:2: json: unknown field "colour"`},
		{"cut off", "{\n \"client\": \"c\",\n", "", `1.json:3: unexpected EOF`},
		{"no JSON", "{\n x}", "", "1.json:2: invalid character 'x' looking for beginning of object key string"},
		{"a wrong type", "{\n\n \"exit\": \"no\"}", "", "1.json:3: json: cannot unmarshal string into Go struct field Step.exit of type int"},
		{"a bad count", `{"input": {"repeat": "often"}}`, "", `1.json:1: "often" is not a count`},
		{"a newer format", `{"format": 99}`, "", "1.json:1: format 99 is newer than this program, which reads up to 1"},
		{"two steps", good + "\n" + good, "", "1.json:1: something follows the step"},
		{"a bad line", good, "{\"seq\":1,\"event\":\"x\"}\n{\"seq\":", "1.jsonl:2: unexpected end of JSON input"},
		{"no request", good, "{\"seq\":1}\n", "1.jsonl:1: neither a request nor an event: it has no method"},
		{"a long line", good, `{"seq":1,"event":"` + strings.Repeat("x", 17<<20), "1.jsonl:1: bufio.Scanner: token too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := files(t, map[string]string{"1.json": c.step, "1.jsonl": c.lines, "1.stdout": ""})
			_, err := recording.ReadStep(filepath.Join(dir, "1.json"))
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, dir)

			scenarios, err := recording.Find(dir)
			require.NoError(t, err)
			require.ErrorContains(t, scenarios[0].Steps[0].Unreadable, c.want)
			require.Equal(t, "1", scenarios[0].Steps[0].Name)
		})
	}
	_, err := recording.Find(t.TempDir())
	require.ErrorContains(t, err, "no recording: expected folders with NAME.json, NAME.jsonl and NAME.stdout")
	_, err = recording.Find("nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
	dir := files(t, map[string]string{"1.json": good, "1.jsonl": ""})
	_, err = recording.ReadStep(filepath.Join(dir, "1.json"))
	require.ErrorContains(t, err, "1.stdout")
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a/b", ".."} {
		err := recording.Write(t.TempDir(), &recording.Step{Name: name})
		if name == ".." {
			continue // a name of three files like any other
		}
		require.ErrorContains(t, err, "cannot be the name of a step", name)
	}
	file := filepath.Join(files(t, map[string]string{"f": ""}), "f")
	require.Error(t, recording.Write(file, &recording.Step{Name: "1"}))
}

// Steps are played in the order in which a person would count them.
func TestOrder(t *testing.T) {
	t.Parallel()
	want := []string{"01-a", "1-a", "2-b", "10-patch", "10-patch-then-retry", "10-put", "011", "11", "302-0", "302-1", "a", "reset"}
	content := map[string]string{}
	for i := range want {
		name := want[(i*7)%len(want)]
		content[name+".json"], content[name+".jsonl"], content[name+".stdout"] = `{}`, "", ""
	}
	scenarios, err := recording.Find(files(t, content))
	require.NoError(t, err)
	var got []string
	for _, s := range scenarios[0].Steps {
		got = append(got, s.Name)
	}
	require.Empty(t, cmp.Diff([]string{"1-a", "01-a", "2-b", "10-patch", "10-patch-then-retry", "10-put", "11", "011", "302-0", "302-1", "a", "reset"}, got))
}

func TestHideSignature(t *testing.T) {
	t.Parallel()
	const manifest = "{\n   \"history\": [\"\\\"x\\\": 1, \\\"signature\\\": \\\"s\\\"\"],\n   \"signatures\": [\n      {\n" +
		"         \"header\": {\n            \"jwk\": {\n               \"crv\": \"P-256\",\n               \"kid\": \"A:B\",\n               \"kty\": \"EC\",\n" +
		"               \"x\": \"x1\",\n               \"y\": \"y1\"\n            },\n            \"alg\": \"ES256\"\n         },\n" +
		"         \"signature\": \"abc\",\n         \"protected\": \"def\"\n      }\n   ]\n}"
	want := strings.NewReplacer(`"A:B"`, `"KID"`, `"x1"`, `"X"`, `"y1"`, `"Y"`, `"abc"`, `"SIGNATURE"`, `"def"`, `"PROTECTED"`).Replace(manifest)
	require.Empty(t, cmp.Diff(want, recording.HideSignature(manifest)))
	require.Equal(t, want, recording.HideSignature(want), "hiding twice changes nothing")
	for _, other := range []string{"", "{}", `{"signature": "s"}`, `{"signatures": 5}`, `{"signatures": [{"signature": 5, "x`} {
		require.Equal(t, other, recording.HideSignature(other))
	}
}

// files makes a folder.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// FuzzStep: whatever the three files hold, reading them ends in a step or in an
// error with a line, and a step that was read is the same after it was written.
func FuzzStep(f *testing.F) {
	for _, name := range []string{"302-1-fault", "reset-1-fault"} {
		var seed [3][]byte
		for i, suffix := range []string{".json", ".jsonl", ".stdout"} {
			b, err := os.ReadFile(filepath.Join(recorded, "08-head-blob", name+suffix))
			require.NoError(f, err)
			seed[i] = b
		}
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Add([]byte(`{"format":1,"input":{"repeat":"3"},"faults":[{"x":null}]}`), []byte(`{"method":"GET","resp_len":-7,"y":[1]}`), []byte("x"))
	f.Fuzz(func(t *testing.T, head, lines, stream []byte) {
		dir := files(t, map[string]string{"1.json": string(head), "1.jsonl": string(lines), "1.stdout": string(stream)})
		step, err := recording.ReadStep(filepath.Join(dir, "1.json"))
		if err != nil {
			if !strings.Contains(err.Error(), ".json") {
				t.Fatalf("error without a file: %v", err)
			}
			return
		}
		step.Name = "2"
		if err := recording.Write(dir, step); err != nil {
			t.Fatal(err)
		}
		again, err := recording.ReadStep(filepath.Join(dir, "2.json"))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		again.Path, again.Format, step.Path, step.Format = "", 0, "", 0
		if err := recording.Write(filepath.Join(dir, "again"), again); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{".json", ".jsonl", ".stdout"} {
			first, _ := os.ReadFile(filepath.Join(dir, "2"+suffix))
			second, _ := os.ReadFile(filepath.Join(dir, "again", "2"+suffix))
			if string(first) != string(second) {
				t.Fatalf("%s:\n%s\n%s", suffix, first, second)
			}
		}
	})
}
