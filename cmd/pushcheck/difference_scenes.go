package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

// A scene is one push that two eras are compared in, with what went before it.
type scene struct {
	heading string
	before  []string // pushes that went well
	push    string
	fault   string // one in the words of the scenario format; "" is none
}

// scenes are what diff plays: where eras that send the same at first part.
func scenes() []scene {
	const app, other, third = "app:v1", "other:v1", "third:v1"
	return []scene{
		{heading: "first push", push: app},
		{heading: "second push", before: []string{app}, push: app},
		{heading: "push to another repository", before: []string{app}, push: other},
		{
			heading: "push to a third one, where nothing is mounted", before: []string{app, other}, push: third,
			fault: "mount-ignored: {op: upload.mount}, optional: true",
		},
		{heading: "first push, an upload refused once with 500", push: app, fault: "respond: upload.start, status: 500, times: 1"},
		{
			heading: "first push, an upload refused once with TOOMANYREQUESTS", push: app,
			fault: `respond: upload.start, status: 429, error: TOOMANYREQUESTS, message: slow down, headers: {Retry-After: "3"}, times: 1`,
		},
		{
			heading: "first push, a manifest refused once in plain words", push: app,
			fault: `respond: manifest.put, status: 400, body: "no, thanks", headers: {Content-Type: text/plain}, times: 1`,
		},
	}
}

// scenario is the scene with an era in it. The top one of its three layers is the
// lowest one once more, and large enough for several mounts (P-359).
func (s scene) scenario(era pusher.Era) (*scenarios.Scenario, error) {
	var b strings.Builder
	b.WriteString("scenario: An image is pushed\nregistry: fake\n")
	b.WriteString("image: {layers: [110KiB, 1KiB, 110KiB], identical: [layer1, layer3]}\n")
	if era.Layers.Concurrency > 0 {
		fmt.Fprintf(&b, "client: {era: %s, concurrency: 1}\n", era.Name)
	} else {
		fmt.Fprintf(&b, "client: %s\n", era.Name)
	}
	b.WriteString("steps:\n")
	for _, push := range s.before {
		fmt.Fprintf(&b, "  - push: %s\n", push)
	}
	fmt.Fprintf(&b, "  - push: %s\n", s.push)
	if s.fault != "" {
		fmt.Fprintf(&b, "    faults: [{%s}]\n", s.fault)
	}
	list, err := scenarios.Decode("diff.yaml", []byte(b.String()))
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// play lets an era push in a scene, on virtual time.
func (s scene) play(ctx context.Context, era pusher.Era) (scenarios.Result, error) {
	one, err := s.scenario(era)
	if err != nil {
		return scenarios.Result{}, broken("", err)
	}
	summary, err := (&scenarios.Runner{Parallel: 1}).Run(ctx, []*scenarios.Scenario{one})
	if err != nil {
		return scenarios.Result{}, broken("", err)
	}
	res := summary.Results[0]
	refused := s.fault != "" && res.Outcome == report.Fail // that is what there is to see
	if res.Outcome != report.Pass && !refused {
		return res, broken("", fmt.Errorf("%s: era %s could not push: %s %s", s.heading, era.Name, res.Outcome, res.Because))
	}
	return res, nil
}
