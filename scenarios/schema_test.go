package scenarios

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pushcheck/pushcheck/scenarios/library"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// matches validates a YAML file by the schema.
func matches(t *testing.T, s *jsonschema.Schema, src []byte) error {
	t.Helper()
	text, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestSchemaTakesTheLibrary(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	n := 0
	err := fs.WalkDir(library.Files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		n++
		src, err := fs.ReadFile(library.Files, path)
		if err != nil {
			return err
		}
		if err := matches(t, s, src); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || n < 100 {
		t.Errorf("%d files: %v", n, err)
	}
}

// TestSchemaRefusesWhatTheDecoderRefuses has a mistake a line, each of which the
// decoder finds too.
func TestSchemaRefusesWhatTheDecoderRefuses(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	good := "scenario: x\nclient: best\npush: a/b:v1\n"
	if err := matches(t, s, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"registri: v2", "registry: v3", "registry: {kind: v3}", "registry: {tls: 1}", "registry: {auth: digest}", "registry: {quirks: {odd: true}}",
		"registry: {accepts: [schema3]}", "image: {layers: [1XB]}", "image: {layers: 3}", "image: {number: 0}", "image: {media: rar}", "image: {sizes: [1]}",
		"runs: 0", "runs: many", "seed: -1", "level: maybe", "tests: nobody", "timeout: soon", "cleanup: perhaps", "format: 2", "timeout: 5",
		"faults: [reste]", "faults: [{reset: upload.patch, afer: 1MiB}]", "faults: [{reset: upload.strat}]", "faults: [{reset: {opp: any}}]",
		"faults: [{delay: any, by: fast}]", "faults: [{delay: any, chance: lots}]", "faults: [{delay: any, per: hour}]", "faults: [{delay: any, nth: last}]",
		"faults: [{respond: any, status: 42}]", "faults: [{any-of: [delay, dealy], at: any}]", "faults: {delay: any}", "faults: [{delay: any, reset: any}]",
		"expect: {result: done}", "expect: {via: v3}", "expect: {wires: []}", "expect: {wire: [upload.strat]}", "expect: {wire: [{ping: {stats: 200}}]}",
		"expect: {count: {pings: 1}}", "expect: {waive: {thruth: x}}", "expect: {registry: {tags: {v1: gone}}}", "expect: {registry: {blob: {}}}",
		"expect: {exit: 256}", "expect: {wire: [{ping: 200, token: 200}]}", "expect: {wire: [{ping: {auth: digest}}]}", "expect: {never: [{each: tags, wire: []}]}",
		"probe: [{befor: ping}]", "probe: [{before: ping, ask: {blob.put: layer1}, expect: 200}]", "known: {docker: {because: x, fail: result}}",
		"cases: {a: {format: 1}}", "cases: {a: {registri: v2}}", "matrix: {a: []}", "client2: best", "steps: [{pull: a}]", "steps: [{wait: long}]",
	} {
		src := []byte(good + line + "\n")
		if strings.HasPrefix(line, "steps") {
			src = []byte("scenario: x\nclient: best\n" + line + "\n")
		}
		if err := matches(t, s, src); err == nil {
			t.Errorf("the schema takes %s", line)
		}
		if _, err := Decode("bad.yaml", src); err == nil {
			t.Errorf("the decoder takes %s", line)
		}
	}
	for _, line := range []string{"client: docker-1.7", "client: {era: docker-1.7}", "client: {clock: 5}", "client: {concurrency: 0}"} {
		src := []byte("scenario: x\npush: a/b:v1\n" + line + "\n")
		if err := matches(t, s, src); err == nil {
			t.Errorf("the schema takes %s", line)
		}
	}
}

// TestEveryKeyHasItsSentence holds that the documentation of the format has the
// decoder's keys and no others.
func TestEveryKeyHasItsSentence(t *testing.T) {
	t.Parallel()
	known := decoderBlocks()
	for _, b := range formatBlocks() {
		keys := known[b.name]
		if keys == nil {
			t.Errorf("the decoder has no block %q", b.name)
		}
		for _, k := range b.keys {
			if !slices.Contains(keys, k.name) {
				t.Errorf("%s: the decoder has no key %s", b.name, k.name)
			}
			if len(k.doc) < 8 || !strings.HasSuffix(k.doc, ".") || k.shape.text == "" {
				t.Errorf("%s: %s has no sentence (%q) or no shape (%q)", b.name, k.name, k.doc, k.shape.text)
			}
		}
		for _, name := range keys {
			if !slices.ContainsFunc(b.keys, func(k formatKey) bool { return k.name == name }) {
				t.Errorf("%s: key %s has no sentence; it belongs in formatBlocks", b.name, name)
			}
		}
		delete(known, b.name)
	}
	for name := range known {
		t.Errorf("block %q of the decoder has no documentation; it belongs in formatBlocks", name)
	}
	var any map[string]any
	if err := json.Unmarshal(Schema(), &any); err != nil {
		t.Error(err)
	}
}
