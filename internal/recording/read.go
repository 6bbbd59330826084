package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLine is the longest line of a NAME.jsonl, in bytes: bodies are kept in it.
const maxLine = 16 << 20

// Find reads every scenario at path: path is a scenario, a folder with scenarios
// at any depth, or the NAME.json of a single step. They come in the order of their
// folders' names, numbers counted as numbers. A step within a folder that cannot
// be read is there all the same, and says so.
//
// Errors: of path itself; when there is nothing at it that looks like a step.
func Find(path string) ([]Scenario, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		step, err := ReadStep(path)
		if err != nil {
			return nil, err
		}
		dir := filepath.Dir(path)
		return []Scenario{{Name: filepath.Base(dir), Dir: dir, Steps: []*Step{step}}}, nil
	}
	found := map[string][]string{} // folder → NAME.json files
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := strings.CutSuffix(p, ".json"); ok && d.Type().IsRegular() && isFile(name+".jsonl") {
			found[filepath.Dir(p)] = append(found[filepath.Dir(p)], p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no recording: expected folders with NAME.json, NAME.jsonl and NAME.stdout", path)
	}
	var scenarios []Scenario
	for dir, files := range found {
		scenarios = append(scenarios, readScenario(dir, files))
	}
	slices.SortFunc(scenarios, func(a, b Scenario) int { return compareNatural(a.Dir, b.Dir) })
	return scenarios, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readScenario reads the steps of one folder.
func readScenario(dir string, files []string) Scenario {
	s := Scenario{Name: filepath.Base(dir), Dir: dir}
	slices.SortFunc(files, func(a, b string) int {
		return compareNatural(strings.TrimSuffix(a, ".json"), strings.TrimSuffix(b, ".json"))
	})
	for _, file := range files {
		step, err := ReadStep(file)
		if err != nil {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			step = &Step{Path: file, Name: name, Scenario: s.Name, Unreadable: err}
		}
		s.Steps = append(s.Steps, step)
	}
	return s
}

// ReadStep reads one step by the path of its NAME.json.
//
// Errors: "file:line: what is wrong", or of a file that cannot be opened.
func ReadStep(path string) (*Step, error) {
	step := &Step{Path: path}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := decodeStep(data, step); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	base := strings.TrimSuffix(path, ".json")
	if step.Name == "" {
		step.Name = filepath.Base(base)
	}
	if step.Scenario == "" {
		step.Scenario = filepath.Base(filepath.Dir(path))
	}
	lines, err := os.Open(base + ".jsonl")
	if err != nil {
		return nil, err
	}
	defer lines.Close() //nolint:errcheck // read only
	if step.Exchanges, err = readExchanges(lines); err != nil {
		return nil, fmt.Errorf("%s.jsonl:%w", base, err)
	}
	if step.Stream, err = os.ReadFile(base + ".stdout"); err != nil {
		return nil, err
	}
	return step, nil
}

// decodeStep reads NAME.json. Its errors begin with a line.
func decodeStep(data []byte, step *Step) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(step); err != nil {
		return fmt.Errorf("%d: %w", lineOf(data, offsetOf(err, data)), err)
	}
	if step.Format > Format {
		return fmt.Errorf("1: format %d is newer than this program, which reads up to %d", step.Format, Format)
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%d: something follows the step", lineOf(data, d.InputOffset()))
	}
	return nil
}

// offsetOf is where an error of encoding/json came up. It says so itself for some;
// of an unknown field it tells the name.
func offsetOf(err error, data []byte) int64 {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return syntax.Offset
	case errors.As(err, &kind):
		return kind.Offset
	case errors.Is(err, io.ErrUnexpectedEOF):
		return int64(len(data))
	}
	_, name, _ := strings.Cut(err.Error(), "unknown field ")
	return int64(max(bytes.Index(data, []byte(name)), 0))
}

func lineOf(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte("\n"))
}

// readExchanges reads NAME.jsonl. Its errors begin with a line.
func readExchanges(r io.Reader) ([]Exchange, error) {
	var list []Exchange
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	line := 0
	for s.Scan() {
		line++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var e Exchange
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		if e.Event == "" && e.Method == "" {
			return nil, fmt.Errorf("%d: neither a request nor an event: it has no method", line)
		}
		list = append(list, e)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", line+1, err)
	}
	return list, nil
}
