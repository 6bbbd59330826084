package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/report"
)

// foreignSlack is how much longer than its pushes a run of a foreign client may
// take: programs start, services end.
const foreignSlack = time.Minute

// foreignClient reports whether a client is a program of others.
func foreignClient(c Client) bool { return c.Adapter != "" || len(c.Run) > 0 }

// lackOf says why a scenario cannot run here; a lack without reason when it can.
func (r *Runner) lackOf(ctx context.Context, s *Scenario) lack {
	if !foreignClient(s.Client) || r.Foreign == nil {
		return lackOf(s)
	}
	a := ownProgram(s.Client)
	if s.Client.Adapter != "" {
		found := r.Foreign.Find(ctx, s.Client.Adapter)
		if found.Because != "" {
			return lack{s.Client.Adapter, fmt.Sprintf("needs the client %s: %s", s.Client.Adapter, found.Because)}
		}
		a = found.Adapter
	}
	for _, l := range []lack{registryLackOf(s), faultLack(s), unsetLack(s), optionLack(s), abilityLack(s, a), seenLack(s)} {
		if l.reason != "" {
			return l
		}
	}
	return lack{}
}

// registryLackOf is registryLack without what only builtin clients lack.
func registryLackOf(s *Scenario) lack {
	one := *s
	one.Image.Media = ""
	return registryLack(&one)
}

// unable makes a result of what a scenario lacks: it is skipped, unless the client
// is required.
func (r *Runner) unable(s *Scenario, l lack, res *Result) {
	res.Outcome, res.Because, res.Need = report.Skipped, l.reason, l.need
	if r.Foreign != nil && foreignClient(s.Client) && r.Foreign.requires(ClientName(s.Client)) {
		res.Outcome = report.Broken
		res.Because += "; it is required, so this is no reason to skip"
	}
}

// Allow reports scenarios that name a program of their own without leave to run it.
// A Runner asks it before it runs anything; a nil f, which runs no program, allows
// everything.
//
// Errors: *Errors with each of them.
func (f *Foreign) Allow(list []*Scenario) error {
	if f == nil || f.AllowExec {
		return nil
	}
	wrong := &Errors{}
	for _, s := range list {
		if len(s.Client.Run) == 0 {
			continue
		}
		at := partPosition(s, "client.run")
		wrong.Problems = append(wrong.Problems, Problem{
			Position: at, Source: lineOf(s, at.Line),
			Message: fmt.Sprintf("scenario %s runs the program %q; give --allow-exec when you trust the file, or leave it out with --skip", s.ID, s.Client.Run[0]),
		})
	}
	if len(wrong.Problems) == 0 {
		return nil
	}
	wrong.Problems = sortProblems(wrong.Problems)
	return wrong
}

// optionLack is what a scenario asks of its client that only a builtin one has.
func optionLack(s *Scenario) lack {
	c := s.Client
	for _, o := range []struct {
		asked bool
		name  string
	}{
		{c.Cache != nil, "a digest cache"},
		{c.V2Only, "v2-only"},
		{c.Meta != nil, "meta headers"},
		{c.TrustKey != "", "a trust key"},
		{c.Concurrency > 0, "concurrency"},
		{c.Chunk > 0, "a chunk size"},
		{c.Clock != 0, "a clock that is wrong"},
		{s.Image.Tags != nil, "local tags"},
		{c.Platform != "" || len(s.Image.Platforms) > 0, "an image for several platforms"},
		{len(s.Image.Foreign) > 0 || len(s.Image.Annotations) > 0 || s.Image.Subject != "", "a manifest of its own"},
		{slices.ContainsFunc(s.Steps, pushesAllTags), "a push of all tags"},
	} {
		if o.asked {
			return lack{o.name, fmt.Sprintf("needs %s, which only builtin clients have", o.name)}
		}
	}
	return lack{}
}

// pushesAllTags reports whether a step pushes a repository, or a digest.
func pushesAllTags(t Step) bool {
	if t.Push == "" {
		return false
	}
	_, tag, _ := splitReference(t.Push)
	return tag == "" || strings.Contains(tag, ":")
}

// abilityLack is what a scenario needs and an adapter does not say that its client
// can.
func abilityLack(s *Scenario, a Adapter) lack {
	for _, n := range foreignNeeds(s) {
		if !slices.Contains(a.Can, n) {
			return lack{n, fmt.Sprintf("needs %s, which %s cannot", n, a.Name)}
		}
	}
	return lack{}
}

// foreignNeeds are the abilities that a scenario needs of a foreign client: those
// that it names, and those that follow from what it does.
func foreignNeeds(s *Scenario) []string {
	needs := slices.Clone(s.Needs)
	for i, r := range s.Registries {
		switch {
		case i > 0:
			continue
		case r.Kind == KindV1:
			needs = append(needs, "v1")
		}
		if r.Auth != "" && s.Client.Login != nil {
			needs = append(needs, r.Auth)
		}
		if r.TLS {
			needs = append(needs, "tls")
		}
		if r.TLS && (s.Client.Trust || s.Client.Secure) {
			needs = append(needs, "ca")
		}
		if r.Has != nil {
			needs = append(needs, "same-bytes")
		}
	}
	switch s.Image.Media {
	case "oci":
		needs = append(needs, "oci")
	case "docker":
		needs = append(needs, "schema2")
	}
	if slices.ContainsFunc(allFaults(s), func(f Fault) bool { return f.Where.Digest != "" }) {
		needs = append(needs, "same-bytes")
	}
	return needs
}

// seenLack is what of a scenario cannot be seen from the registry's side, or does
// not reach a client over real sockets.
func seenLack(s *Scenario) lack {
	for _, x := range allExpects(s) {
		switch {
		case x.Cache != nil:
			return lack{"cache", "its expect.cache can be seen of builtin clients only"}
		case x.Progress != nil:
			return lack{"progress", "its expect.progress is about the words of docker"}
		}
	}
	for _, f := range allFaults(s) {
		if ofNames(f) {
			return lack{"dns", fmt.Sprintf("fault %s needs a client that asks our resolver", f.Name)}
		}
	}
	return lack{}
}

func allExpects(s *Scenario) []Expect {
	list := []Expect{s.Expect}
	for _, t := range s.Steps {
		if t.Expect != nil {
			list = append(list, *t.Expect)
		}
	}
	return list
}
