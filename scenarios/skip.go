package scenarios

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// abilities are what this version can do of what a scenario's needs may name.
var abilities = [...]string{"v1", "v2", "schema1", "basic", "bearer", "tls"}

// SkipReason says why a scenario cannot run here ("needs era docker-20.10, which
// is not in this version"), or "".
func SkipReason(s *Scenario) string {
	for _, reason := range []string{clientReason(s), registryReason(s), faultReason(s), needReason(s)} {
		if reason != "" {
			return reason
		}
	}
	if len(s.Unset) > 0 {
		return "needs the environment variable " + strings.Join(s.Unset, " and ")
	}
	return ""
}

func clientReason(s *Scenario) string {
	c := s.Client
	switch _, built := eraOf(EraName(c)); {
	case c.Adapter != "":
		return fmt.Sprintf("needs the client %s; foreign clients are not driven by this version", c.Adapter)
	case len(c.Run) > 0:
		return fmt.Sprintf("needs the program %s; foreign clients are not driven by this version", c.Run[0])
	case !built:
		return fmt.Sprintf("needs era %s, which is not in this version", EraName(c))
	case c.Concurrency > 0:
		return fmt.Sprintf("needs concurrency, which era %s does not have", EraName(c))
	case c.Chunk > 0:
		return fmt.Sprintf("needs chunks, which era %s does not send", EraName(c))
	case c.Clock != 0:
		return "needs a client whose clock is wrong, which is not in this version"
	}
	return ""
}

func registryReason(s *Scenario) string {
	for _, r := range s.Registries {
		switch {
		case r.Kind == KindExternal:
			return "needs a registry at a URL, which is not driven by this version"
		case r.Kind == KindProgram:
			return "needs a registry that is a program, which is not driven by this version"
		case (r.Kind == "" || r.Kind == KindV2) && len(r.Quirks) > 0:
			return "quirks are those of registry kind fake"
		}
	}
	switch {
	case s.Cleanup:
		return "needs cleanup, which is not in this version"
	case s.Image.Media == "oci":
		return "needs an OCI image, which no era of this version pushes"
	case len(s.Image.Foreign) > 0:
		return "needs foreign layers, which no era of this version knows"
	}
	return ""
}

func faultReason(s *Scenario) string {
	lists := [][]Fault{s.Faults}
	for _, t := range s.Steps {
		lists = append(lists, t.Faults)
	}
	for _, list := range lists {
		for _, f := range list {
			names := f.AnyOf
			if f.Name != "" {
				names = []string{f.Name}
			}
			for _, name := range names {
				if _, built := fakeregistry.KindOf(name); !built {
					return fmt.Sprintf("needs fault %s, which is not in this version", name)
				}
			}
			switch {
			case f.EachNth:
				return "needs nth: each, which is not in this version"
			case f.Where.Attempt > 0 || f.Where.Client != "":
				return "needs faults that select by client or attempt, which are not in this version"
			}
		}
	}
	return ""
}

func needReason(s *Scenario) string {
need:
	for _, n := range s.Needs {
		for _, have := range abilities {
			if n == have {
				continue need
			}
		}
		return "needs " + n
	}
	return ""
}
