package scenarios_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/scenarios"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	rep, err := (&scenarios.Runner{}).Sweep(t.Context(), scenarios.Sweep{
		Client: "docker-1.8", Ground: "plain", Faults: []string{"reset", "commit-fake", "corrupt", "bit-rot", "refuse", "stall", "tls-expired", "continue-never"},
		Steps: []string{"connect", "ping", "upload.put 2", "manifest.put"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, s := range rep.Steps {
		steps = append(steps, s.String())
	}
	if got := strings.Join(steps, ", "); got != "connect 1, ping 1, upload.put 2, manifest.put 1" {
		t.Errorf("the steps are %s", got)
	}
	got := map[string]string{}
	for i, k := range rep.Faults {
		for _, c := range rep.Cells[i] {
			verdict := "-"
			if c != nil {
				verdict = c.Verdict
			}
			got[k.Name] += " " + verdict
		}
	}
	for fault, want := range map[string]string{
		"refuse":         "pushed refused refused refused",
		"reset":          "- refused refused refused",
		"corrupt":        "- unstruck unstruck refused",
		"continue-never": "- - unstruck -",
		"stall":          "- refused hung hung",
		"commit-fake":    "- - refused known",
		"bit-rot":        "- unstruck known known",
	} {
		if strings.TrimSpace(got[fault]) != want {
			t.Errorf("%s: %s, want %s", fault, got[fault], want)
		}
	}
	if _, there := got["tls-expired"]; there && strings.Contains(got["tls-expired"], "pushed") {
		t.Errorf("tls-expired:%s", got["tls-expired"])
	}
}

// A cell's file runs again as the cell did: it is all that there is to reproduce it.
func TestASweepOffersFilesThatRunAgain(t *testing.T) {
	t.Parallel()
	rep, err := (&scenarios.Runner{}).Sweep(t.Context(), scenarios.Sweep{
		Client: "docker-20.10", Faults: []string{"denied", "location-downgrade", "realm-elsewhere"}, Steps: []string{"ping", "upload.start 1"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if broken := rep.Breaks(); len(broken) > 0 {
		t.Errorf("%s, which no docker is known to do", broken[0].Because())
	}
	ran, known := 0, 0
	for _, row := range rep.Cells {
		for _, c := range row {
			if c == nil {
				continue
			}
			if slices.Contains(c.Broken, "no-downgrade") {
				known++
			}
			list, err := scenarios.Decode(c.Name, []byte(c.Text))
			if err != nil {
				t.Fatalf("%s: %v\n%s", c.Name, err, c.Text)
			}
			summary, err := (&scenarios.Runner{}).Run(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary.Results[0].Outcome; got != c.Result.Outcome {
				t.Errorf("%s: %s alone, %s in the sweep", c.Name, got, c.Result.Outcome)
			}
			ran++
		}
	}
	if ran != 4 || known != 1 {
		t.Errorf("%d files of which %d break what they are known to, want 4 and that of location-downgrade", ran, known)
	}
}

func TestASweepOfNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sweep scenarios.Sweep
		want  string
		wrong bool
	}{
		{scenarios.Sweep{Client: "best", Faults: []string{"rest"}}, `"rest" is not a fault; did you mean "reset"?`, true},
		{scenarios.Sweep{Client: "best", Ground: "moon"}, `"moon" is no registry to sweep on; there are tokens, plain,`, true},
		{scenarios.Sweep{Client: "best", Ground: "plain", Steps: []string{"token"}}, `"token" is no step of this push; it has connect 1, manifest.head 1,`, true},
		{scenarios.Sweep{Client: "best", Ground: "v1"}, "best over v1: the push fails without any fault", false},
	} {
		_, err := (&scenarios.Runner{}).Sweep(t.Context(), row.sweep, nil)
		var wrong *scenarios.SweepError
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || errors.As(err, &wrong) != row.wrong {
			t.Errorf("%+v: %v, want %s", row.sweep, err, row.want)
		}
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	const file = `scenario: x
registry: {kind: fake}
client: docker-1.8
push: a/b:c
cases:
  passes: {}
  way: {expect: {count: {upload.start: 2}}}
  further: {faults: [{respond: upload.start, status: 500, nth: 1}], expect: {result: failed, registry: {tags: {c: absent}}}}
  less: {faults: [{denied: upload.start}]}
`
	list, err := scenarios.Decode("x.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	m, err := (&scenarios.Runner{}).Matrix(t.Context(), list, []string{"docker-1.8", "best"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"pass pass", "pass differs", "pass differs", "fail fail"} {
		if got := m.Verdict(i, 0) + " " + m.Verdict(i, 1); got != want {
			t.Errorf("%s: %s, want %s", m.Scenarios[i].ID, got, want)
		}
	}
	p := m.Page("pushcheck matrix x.yaml")
	cell := p.Tables[0].Rows[1].Cells[1]
	if cell.Evidence == nil || !strings.Contains(cell.Evidence.Result.Again, "--client best") || cell.Evidence.Text != strings.TrimRight(file, "\n") && cell.Evidence.Text != file {
		t.Errorf("behind a cell is %+v", cell.Evidence)
	}
	if r := cell.Evidence.Result; len(r.Held) < 3 || !slices.Contains(r.Said, "pushed") && r.Ending != "pushed" {
		t.Errorf("the registry holds %v", r.Held)
	}
}
