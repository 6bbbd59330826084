// Package scenarios is the file format: a registry, an image, a client, faults,
// and what must be seen. It decodes, validates, runs and judges.
//
// A file is data and nothing else: Decode reads it into Scenario values, a
// Runner runs those, and what a run showed is judged from its trace, its outcome
// and the registry's final state only.
//
//	list, err := scenarios.Load(nil, "fallback.yaml")
//	if err != nil {
//		return err // every problem, each at file:line:column
//	}
//	summary, err := (&scenarios.Runner{}).Run(ctx, list)
package scenarios
