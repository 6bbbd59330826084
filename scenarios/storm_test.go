package scenarios

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// storms are scenarios whose faults draw, and cut layers in the middle: where a client
// has read a piece of a layer to its end, and where it has not. One layer is so large
// that a server which answers early does not read the rest of it.
var storms = map[string]string{
	"plain": `scenario: A storm over plain HTTP
registry: {kind: fake}
image: {layers: [300KiB, 130KiB, 1KiB, 0B]}
push: team/app:v1
faults:
  - any-of: [respond, delay, session-vanishes, commit-lost, too-many, reset, close]
    at: any
    chance: 10%
  - reset: upload.*
    after: 100KiB
    chance: 10%
  - close: upload.*
    after: 64KiB
    chance: 10%
  - half-close: upload.*
    after: 10KiB
    chance: 10%
  - respond: upload.*
    status: 503
    chance: 10%
expect: {result: truthful}
`,
	"tokens": `scenario: A storm over TLS with tokens
client: {login: alice:made-up}
registry: {kind: v2, auth: bearer, tls: true, users: {alice: made-up}}
image: {layers: [300KiB, 130KiB, 1KiB, 0B]}
push: team/app:v1
faults:
  - any-of: [reset, close, respond, delay, session-vanishes, commit-lost, expire-token, too-many]
    at: any
    chance: 10%
  - reset: upload.*
    after: 100KiB
    chance: 10%
  - close: upload.*
    after: 64KiB
    chance: 10%
expect: {result: truthful}
`,
}

// TestTheSameSeedGivesTheSameStorm runs storms twice with the same seed as every kind
// of era, five blobs at a time where it does that, and compares what went over the
// wire, when, how it ended and what struck, byte for byte. SEEDS is how many
// seeds to take instead of one.
func TestTheSameSeedGivesTheSameStorm(t *testing.T) {
	t.Parallel()
	seeds := 1
	if n, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		seeds = n
	}
	for name, text := range storms {
		for _, era := range []string{"best", "docker-1.8", "docker-1.13", "docker-20.10", "docker-28", "containerd"} {
			t.Run(name+"/"+era, func(t *testing.T) {
				t.Parallel()
				list, err := Decode("storm.yaml", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				s := As(list[0], era)
				s.Client.Secure = s.Registries[0].TLS
				s.Client.Trust = s.Client.Secure
				struck := 0
				for seed := uint64(firstStorm); seed < uint64(firstStorm+seeds); seed++ {
					one, fired := stormOf(t, s, seed)
					two, again := stormOf(t, s, seed)
					if diff := cmp.Diff(one, two) + cmp.Diff(fired, again); diff != "" {
						t.Errorf("seed %d (-one +two):\n%s", seed, diff)
					}
					struck += len(fired)
				}
				if struck == 0 {
					t.Errorf("no fault struck")
				}
			})
		}
	}
}

// firstStorm is a seed with which faults strike every era.
const firstStorm = 1

// TestTheSameScenarioGivesTheSameTrace runs a sample of the library twice, all of it
// where SEEDS is set: every kind of fault, and everything that eras do at once.
func TestTheSameScenarioGivesTheSameTrace(t *testing.T) {
	t.Parallel()
	list, err := Load(nil, "all")
	if err != nil {
		t.Fatal(err)
	}
	every := 48
	if os.Getenv("SEEDS") != "" {
		every = 1
	}
	ran := 0
	for i, s := range list {
		if foreignClient(s.Client) || external(s) || i%every != 0 && s.ID != "index/again@best" {
			continue
		}
		if i := eachNth(s); i >= 0 {
			s = striking(s, i, 1)
		}
		one, fired := stormOf(t, s, 1)
		two, again := stormOf(t, s, 1)
		if diff := cmp.Diff(one, two) + cmp.Diff(fired, again); diff != "" {
			t.Errorf("%s (-one +two):\n%s", s.ID, diff)
		}
		ran++
	}
	if ran < 10 {
		t.Errorf("only %d scenarios ran", ran)
	}
}

// stormOf runs a storm and returns its trace, times included, with its end, and what
// struck.
func stormOf(t *testing.T, s *Scenario, seed uint64) (string, []string) {
	t.Helper()
	var fired []string
	res := (&Runner{}).guarded(t.Context(), s, seed, observer{struck: func(list []struckFault) {
		for _, f := range list {
			fired = append(fired, f.Fault+" "+string(f.Op)+" "+f.content)
		}
	}})
	slices.Sort(fired)
	keep := wire.NewScrubber()
	keep.KeepTimes = true
	trace := keep.Format(res.Trace)
	end := fmt.Sprintf("\n%s %s %s\n%v\n", res.Outcome, res.Because, res.Ending, res.Failures)
	return trace + keep.Text(wire.ScrubMessage(end)), fired
}
