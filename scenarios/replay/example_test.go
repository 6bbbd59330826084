package replay_test

import (
	"context"
	"fmt"

	"github.com/pushcheck/pushcheck/scenarios/replay"
)

// A recorded scenario, played against the era docker-1.8.
func ExampleRun() {
	report, err := replay.Run(context.Background(), replay.Options{
		Paths:  []string{"testdata/docker-1.8.3/04-basic-auth"},
		Images: "testdata/images",
		Step: func(v replay.Verdict) {
			fmt.Printf("%s/%s equal: %t\n", v.Scenario, v.Step, v.Equal())
			for _, d := range v.Diffs {
				fmt.Println(d)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d of %d steps equal\n", report.Equal(), len(report.Verdicts))
	// Output:
	// 04-basic-auth/1-right equal: true
	// 04-basic-auth/2-wrong equal: true
	// 2 of 2 steps equal
}
