package scenarios_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/pushcheck/pushcheck/scenarios"
)

func ExampleDecode() {
	_, err := scenarios.Decode("reset.yaml", []byte(`scenario: A cut connection ends the push
push: team/app:v1
faults:
  - reset: upload.patch
    afer: 1MiB
`))
	fmt.Println(err)
	// Output:
	// reset.yaml:5:5: unknown key "afer" for fault reset; did you mean "after"?
	//    5 |     afer: 1MiB
	//      |     ^^^^
	//    reset takes: after, side (and nth, times, every, chance, per, after-event, until, optional, note)
}

func ExampleRunner_Run() {
	files := fstest.MapFS{"slow.yaml": {Data: []byte(`
scenario: A ping that takes seven seconds is given up
registry: v1+v2
client: docker-1.8
push: team/app:v1
faults:
  - delay: ping
    by: 7s
expect: {result: pushed, via: v1}
`)}}
	list, err := scenarios.Load(files, "slow.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	runner := scenarios.Runner{Emit: func(r scenarios.Result) { fmt.Println(r.ID, r.Outcome, r.Virtual) }}
	summary, err := runner.Run(context.Background(), list)
	fmt.Println(scenarios.ExitCode(summary, err))
	// Output:
	// slow pass 5s
	// 0
}
