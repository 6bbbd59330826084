package scenarios_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/scenarios"
)

// problemsOf decodes and returns "line:column length message" for each problem.
func problemsOf(t *testing.T, src string) []string {
	t.Helper()
	_, err := scenarios.Decode("x.yaml", []byte(src))
	if err == nil {
		return nil
	}
	var wrong *scenarios.Errors
	if !errors.As(err, &wrong) {
		t.Fatalf("the error is %T (%v), want *Errors", err, err)
	}
	var list []string
	for _, p := range wrong.Problems {
		list = append(list, fmt.Sprintf("%d:%d+%d %s", p.Position.Line, p.Position.Column, p.Position.Length, p.Message))
	}
	return list
}

const good = "scenario: x\npush: a/b:v1\n"

func TestDecodeProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"nothing", "", []string{`1:1+1 the file is empty; a scenario begins with "scenario:" and a sentence`}},
		{"not YAML", "a: [\n", []string{"1:4+1 sequence end token ']' not found"}},
		{"brackets without end", "scenario: " + strings.Repeat("[", 1000), []string{"1:1+1 this is nested more than 40 deep"}},
		{"dashes without end", "scenario: x\n" + strings.Repeat("- ", 1000), []string{"2:1+1 this is nested more than 40 deep"}},
		{"more than a scenario", strings.Repeat("# comment\n", 7000), []string{"1:1+1 the file has more than 65536 bytes, which is the most that a scenario may have"}},
		{"nested too deep", good + "spec: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), []string{
			"3:7+120 spec is a list; want a text", "3:47+1 this is nested more than 40 deep",
		}},
		{"a list", "- a\n", []string{`1:1+1 the file is a list; a scenario is a map that begins with "scenario:" and a sentence`}},
		{"two documents", good + "---\n" + good, []string{"4:1+8 a file is one scenario; put variations under cases and other scenarios into files of their own"}},
		{"an anchor, an alias and a merge key", good + "image: &i {layers: [1KiB]}\nmatrix: *i\n<<: *i\n", []string{
			"3:8+1 anchors are not part of the format; share by naming the thing, or use cases",
			"4:1+6 matrix is nothing; want a map from axes to lists of values",
			"4:9+1 aliases are not part of the format; write the value out, or use cases",
			"5:1+2 merge keys are not part of the format; write the keys out, or use cases",
			"5:5+1 aliases are not part of the format; write the value out, or use cases",
		}},
		{"a tag", "scenario: !!str x\npush: a/b:v1\n", []string{"1:11+5 tags such as !!str are not part of the format"}},
		{"a repeated key", good + "push: c/d:v1\n", []string{`3:1+4 key "push" is there twice; the first is in line 2`}},
		{"unknown keys", good + "expct: {}\nzzz: 1\n", []string{
			`3:1+5 unknown key "expct" for scenario; did you mean "expect"?`,
			`4:1+3 unknown key "zzz" for scenario`,
		}},
		{"no sentence and nothing to do", "client: docker-1.8\n", []string{
			`1:1+18 there is no "scenario:", the sentence that is true when it passes`,
			`1:1+18 nothing happens: there is neither "push:" nor "steps:"`,
		}},
		{"push and steps", good + "steps: [{push: a/b:v2}]\n", []string{"1:1+11 there are both push and steps; put the push into the steps"}},
		{"a step that does two things", "scenario: x\nsteps:\n  - {push: a/b:v1, wait: 5s}\n", []string{"3:26+2 a step does one thing; this one has push and wait"}},
		{"a step that does nothing", "scenario: x\nsteps:\n  - push: a/b:v1\n  - faults: [reset]\n", []string{"4:5+15 a step does one of: push, delete, restart, wait, cancel"}},
		{"a cancel without a moment", "scenario: x\nsteps: [{cancel: a/b:v1}]\n", []string{"2:10+14 cancel has either at: an operation that has just ended, or after: a time"}},
		{"a registry of no kind", good + "registry: v3\n", []string{`3:11+2 registry "v3" is unknown; did you mean "v2"?`}},
		{"a client of no kind", good + "client: docker-1.7\n", []string{
			`3:9+10 client "docker-1.7" is neither an era nor an adapter; did you mean "docker-1.8"?`,
		}},
		{"a format of the future", good + "format: 2\n", []string{"3:9+1 format 2 is newer than this version, which reads format 1"}},
		{"moments that never come", good + "faults:\n  - {unavailable: ping, until: uplod.put@201}\n  - {unavailable: ping, after-event: restrat}\n  - {unavailable: ping, until: upload.put@2011}\n", []string{
			`4:32+13 until "uplod.put@201" is neither an operation nor an event nor a fault; did you mean "upload.put"?`,
			`5:38+7 after-event "restrat" is neither an operation nor an event nor a fault; did you mean "restart"?`,
			`6:32+15 "2011" is not an answer; want a status, a class such as 4xx, or one of refused, reset, closed, timeout, tls, dns, cancelled, other`,
		}},
		{"moments", good + "faults:\n  - {unavailable: ping, after-event: restart, until: upload.put@201}\n  - {unavailable: ping, after-event: upload.*, until: reset}\n  - {unavailable: ping, after-event: delete layer1, until: push-ended}\n", nil},
		{"a time without unit", good + "timeout: 5\n", []string{"3:10+1 timeout: 5 has no unit; want a time such as 5s, 500ms or 2m"}},
		{"a size that is none", good + "image: {layers: [4 MIB]}\n", []string{
			`3:18+5 layer: "4 MIB" is not a size; want a number of bytes such as 4096, 64KiB or 4MiB`,
		}},
		{"a number that is none", good + "runs: many\n", []string{`3:7+4 runs is "many"; want a whole number`}},
		{"a number out of range", good + "runs: 0\n", []string{"3:7+1 runs is 0; want 1 to 2147483647"}},
		{"yes for true", good + "cleanup: yes\n", []string{`3:10+3 cleanup is "yes"; want true or false`}},
		{"a fault that is none", good + "faults: [rset]\n", []string{`3:10+4 "rset" is not a fault; did you mean "reset"?`}},
		{"a fault's parameter", good + "faults:\n  - reset: upload.patch\n    afer: 1MiB\n", []string{
			`5:5+4 unknown key "afer" for fault reset; did you mean "after"?`,
		}},
		{"where a fault strikes", good + "faults:\n  - reset: upload.strat\n", []string{
			"4:12+12 upload.strat is not an operation; did you mean upload.start?",
		}},
		{"a selector", good + "faults: [{reset: {opp: ping}}]\n", []string{
			`3:19+3 unknown key "opp" for where a fault strikes; did you mean "op"?`,
		}},
		{"a chance", good + "faults: [{reset: ping, chance: 150%}]\n", []string{
			`3:32+4 chance: "150%" is not a chance; want more than 0% and at most 100%, such as 15%`,
		}},
		{"a fault's word", good + "faults: [{reset: ping, side: sideways}]\n", []string{`3:30+8 side of reset "sideways" is unknown`}},
		{"a fault's status", good + "faults: [{respond: ping, status: 99}]\n", []string{"3:34+2 status of respond: 99 is not a status from 200 to 599"}},
		{"a fault's rate", good + "faults: [{throttle: ping, rate: 3}]\n", []string{
			`3:33+1 rate of throttle: "3" is not a rate; want a size a second such as 30KiB/s`,
		}},
		{"an operation of an event", good + "expect: {wire: [upload.strat: 202]}\n", []string{
			"3:17+12 upload.strat is not an operation; did you mean upload.start?",
		}},
		{"an answer", good + "expect: {wire: [ping: 999]}\n", []string{
			`3:23+3 "999" is not an answer; want a status, a class such as 4xx, or one of refused, reset, closed, timeout, tls, dns, cancelled, other`,
		}},
		{"two operations in one event", good + "expect: {wire: [{ping: 200, token: 200}]}\n", []string{
			"3:29+5 one event has several operations: ping, token; make each an item of its own",
		}},
		{"a key of an event", good + "expect: {wire: [ping: {statsu: 200}]}\n", []string{
			`3:24+6 unknown key "statsu" for event ping; did you mean "status"?`,
		}},
		{"each without wire", good + "expect: {wire: [each: layers]}\n", []string{"3:17+12 each has no wire: say what is seen for every one"}},
		{"a count", good + "expect: {count: {ping: few}}\n", []string{`3:24+3 count of ping: "few" is not understood; want 2, "<= 3", "> 0" or 1..3`}},
		{"a range backwards", good + "expect: {count: {ping: 3..1}}\n", []string{`3:24+4 count of ping: "3..1" is not understood; want 2, "<= 3", "> 0" or 1..3`}},
		{"a part of expect", good + "expect: {wires: []}\n", []string{`3:10+5 unknown key "wires" for expect; did you mean "wire"?`}},
		{"a result", good + "expect: {result: pushd}\n", []string{`3:18+5 result "pushd" is unknown; did you mean "pushed"?`}},
		{"a state", good + "expect: {registry: {tags: {v1: gone}}}\n", []string{`3:32+4 state of v1 "gone" is unknown`}},
		{"a layer that is not there", good + "expect: {cache: {layer3: known}}\n", []string{"3:18+13 the image has no layer3; it has 2 layers"}},
		{"a layer that is none", good + "expect: {registry: {blobs: {layre1: intact}}}\n", []string{
			`3:29+14 "layre1" is not content; want layer1 and so on (the bottom one first), config, manifest or a digest`,
		}},
		{"a layer of a fault", good + "faults: [{reset: {op: upload.patch, digest: layer9}}]\n", []string{"3:37+14 the image has no layer9; it has 2 layers"}},
		{"an invariant", good + "expect: {waive: {truht: because}}\n", []string{`3:18+5 "truht" is not an invariant; did you mean "truth"?`}},
		{"an exit code of a builtin client", good + "expect: {exit: 7}\n", []string{"3:10+7 a builtin client ends with 0 or 1, never with 7"}},
		{"a known failure without a reason", good + "known: {docker-1.8: {fails: result}}\n", []string{
			"3:9+10 known docker-1.8 has fails: what of expect fails, and because: why",
		}},
		{"a known failure of nothing", good + "known: {docker-1.8: {fails: resullt, because: b}}\n", []string{
			`3:9+39 "resullt" is neither a part of expect nor an invariant; did you mean "result"?`,
		}},
		{"a case's key", "scenario: x\npush: a/b:v1\ncases:\n  one:\n    expct: {}\n", []string{
			`5:5+5 unknown key "expct" for case one; did you mean "expect"?`,
		}},
		{"what every case replaces", "scenario: x\npush: a/b:v1\nclient: nobody\ncases:\n  one: {client: docker-1.8}\n", []string{
			`3:9+6 client "nobody" is neither an era nor an adapter`,
		}},
		{"an axis that nobody uses", good + "matrix: {a: [1, 2]}\n", []string{"3:10+1 axis a is never used; write ${{ a }} where its values belong"}},
		{"an axis that is not there", good + "runs: ${{ b }}\nmatrix: {a: [1]}\nseed: ${{ a }}\n", []string{
			"3:7+8 ${{ b }} is not an axis of the matrix; did you mean \"a\"?",
			`3:7+8 runs is "-"; want a whole number`,
		}},
		{"an axis within a text", good + "spec: see ${{ a }}\nmatrix: {a: [1]}\nseed: ${{ a }}\n", []string{
			"3:7+12 a matrix value replaces a whole value: write ${{ axis }} and nothing else",
		}},
		{"a variable that is none", "scenario: x\npush: \"${a b}\"\n", []string{"2:7+8 ${a b} is not a variable; want ${NAME} or ${NAME:-default}"}},
		{"a probe without a moment", good + "probe: [{ask: {blob.head: layer1}, expect: 404}]\n", []string{
			"3:10+37 a probe has either before or after: the moment at which it asks",
		}},
		{"a quirk", good + "registry: {kind: fake, quirks: {relative-loction: true}}\n", []string{
			`3:33+16 "relative-loction" is not a quirk; did you mean "relative-location"?`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, problemsOf(t, tt.src)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeShowsAllProblemsWithExcerpts(t *testing.T) {
	t.Parallel()
	src := `scenario: Ünïcode counts as characters
push: team/app:v1
faults:
  - reset: upload.patch
    afer: 1MiB
expect:
  wire: ["upload.strat"]
`
	_, err := scenarios.Decode("reset.yaml", []byte(src))
	want := `reset.yaml:5:5: unknown key "afer" for fault reset; did you mean "after"?
   5 |     afer: 1MiB
     |     ^^^^
   reset takes: after, side (and nth, times, every, chance, per, after-event, until, optional, note)
reset.yaml:7:10: upload.strat is not an operation; did you mean upload.start?
   7 |   wire: ["upload.strat"]
     |          ^^^^^^^^^^^^^^`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// decodeOne decodes a file that is one scenario.
func decodeOne(t *testing.T, src string) *scenarios.Scenario {
	t.Helper()
	list, err := scenarios.Decode("a/b.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d scenarios, want one", len(list))
	}
	return list[0]
}

func TestDecodeData(t *testing.T) {
	t.Parallel()
	s := decodeOne(t, `
scenario: Everything is read
registry: {kind: fake, auth: bearer, users: {alice: pw}, accepts: [schema1], has: {a/b: [layer1]}}
image: {layers: [4MiB, "1 KiB", 0B], identical: [layer1, layer2], tags: {v1: layer1, v2: layer3}}
client: {era: docker-1.8, login: "alice:p:w", cache: {layer1: known}}
steps:
  - push: a/b:v1
  - delete: {blob: layer1, from: a/b}
  - restart: 2s
  - wait: 1m30s
  - cancel: a/b:v2
    at: upload.patch@202
faults:
  - reset: {op: upload.patch, digest: layer1}
    after: 1MiB
    times: 1
  - head-lies
  - too-many: manifest.put
    retry-after: 3s
    chance: 15%
    note: why
expect:
  result: failed
  error: DENIED
  within: 5s
  wire:
    - ping: 404
    - each: layers
      wire: [v1.json.get]
    - any-order: [token, {blob.head: {digest: layer1, status: 2xx, gap: ">= 5s", bytes: 1KiB..2KiB, header: {X: null, Y: "*"}, answer-header: {Z: "*-1"}, answer-body: denied}}]
  never: ["upload.*", v1.ping]
  count: {upload.start@202: "<= 3", any@401: 2}
`)
	checks := []struct{ name, want, got string }{
		{"ID", "a/b", s.ID},
		{"registry", "map[a/b:[layer1]] bearer fake [schema1]", fmt.Sprint(s.Registries[0].Has, " ", s.Registries[0].Auth, " ", s.Registries[0].Kind, " ", s.Registries[0].Accepts)},
		{"layers", "[4194304 1024 0]", fmt.Sprint(s.Image.Layers)},
		{"identical", "[[1 2]]", fmt.Sprint(s.Image.Identical)},
		{"tags", "map[v1:1 v2:3]", fmt.Sprint(s.Image.Tags)},
		{"login", "{alice p:w}", fmt.Sprint(*s.Client.Login)},
		{"delete", "{layer1  a/b}", fmt.Sprint(s.Steps[1].Delete)},
		{"restart", "restart 2s", fmt.Sprint(s.Steps[2].Verb, " ", s.Steps[2].Wait)},
		{"wait", "1m30s", s.Steps[3].Wait.String()},
		{"cancel", "a/b:v2 upload.patch@202", s.Steps[4].Push + " " + s.Steps[4].At.String()},
		{"a fault's place", "upload.patch layer1", s.Faults[0].Where.Ops[0].String() + " " + s.Faults[0].Where.Digest},
		{"a fault's parameters", "map[after:1048576]", fmt.Sprint(s.Faults[0].Args)},
		{"a fault's trigger", "1", fmt.Sprint(s.Faults[0].When.Times)},
		{"a bare fault", "head-lies []", fmt.Sprint(s.Faults[1].Name, " ", s.Faults[1].Where.Ops)},
		{"a chance", "0.15 3s why", fmt.Sprint(s.Faults[2].When.Chance, " ", s.Faults[2].Args["retry-after"], " ", s.Faults[2].Note)},
		{"within", "5s", s.Expect.Within.String()},
		{"an event", "ping@404", s.Expect.Wire[0].Op.String()},
		{"each", "layers v1.json.get", s.Expect.Wire[1].Each + " " + s.Expect.Wire[1].Wire[0].Op.String()},
		{"never", "upload.* v1.ping", s.Expect.Never[0].Op.String() + " " + s.Expect.Never[1].Op.String()},
		{"counts", "[{any@401 {2 2}} {upload.start@202 {0 3}}]", counts(s)},
	}
	for _, c := range checks {
		if c.want != c.got {
			t.Errorf("%s is %q, want %q", c.name, c.got, c.want)
		}
	}
	e := s.Expect.Wire[2].AnyOrder[1]
	if e.Op != (wire.Pattern{Op: "blob.head", Answer: "2xx"}) || e.Gap.Min != int64(5*time.Second) || *e.Bytes != (scenarios.Range{Min: 1024, Max: 2048}) {
		t.Errorf("the event in any order is %+v", e)
	}
	if e.Header["X"] != scenarios.Absent || e.Header["Y"] != scenarios.AnyValue {
		t.Errorf("its headers are %v", e.Header)
	}
	if e.AnswerHeader["Z"] != "*-1" || e.AnswerBody != "denied" {
		t.Errorf("of its answer %v and %q", e.AnswerHeader, e.AnswerBody)
	}
	if at := s.Positions["expect.wire[1]"]; at.Line != 27 || at.Column != 7 || at.Length != 9 {
		t.Errorf("the first event stands at %+v, want 27:7+9", at)
	}
}

func counts(s *scenarios.Scenario) string {
	var list []string
	for _, c := range s.Expect.Count {
		list = append(list, fmt.Sprintf("{%s %v}", c.Event.Op, c.Times))
	}
	return "[" + strings.Join(list, " ") + "]"
}

func TestCasesMatrixAndClientsMultiply(t *testing.T) {
	t.Parallel()
	_, err := scenarios.Decode("m.yaml", []byte(`
scenario: x
push: a/b:v1
client: [docker-1.8, skopeo]
image: {layers: ["${{ size }}"]}
matrix: {size: [1KiB, 2KiB]}
cases:
  plain:
  secure: {client: {era: docker-1.8, secure: true}}
expect: {result: failed, never: [ping]}
`))
	if err == nil || !strings.Contains(err.Error(), "case plain is nothing") {
		t.Fatalf("an empty case gives %v", err)
	}
	list, err := scenarios.Decode("m.yaml", []byte(`
scenario: x
push: a/b:v1
client: [docker-1.8, skopeo]
image: {layers: ["${{ size }}"]}
matrix: {size: [1KiB, 2KiB]}
cases:
  plain: {seed: 3}
  secure: {client: {era: docker-1.8, secure: true}, expect: {result: pushed}}
expect: {result: failed, never: [ping]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprintf("%s %d %s %d", s.ID, s.Image.Layers[0], s.Expect.Result, len(s.Expect.Never)))
	}
	want := []string{
		"m/plain/size=1KiB@docker-1.8 1024 failed 1", "m/plain/size=1KiB@skopeo 1024 failed 1",
		"m/plain/size=2KiB@docker-1.8 2048 failed 1", "m/plain/size=2KiB@skopeo 2048 failed 1",
		"m/secure/size=1KiB 1024 pushed 1", "m/secure/size=2KiB 2048 pushed 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scenarios (-want +got):\n%s", diff)
	}
}
