package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// abilities are what this version can do of what a scenario's needs may name.
var abilities = [...]string{"v1", "v2", "schema1", "basic", "bearer", "tls"}

// SkipReason says why a scenario cannot run here ("needs era docker-20.10, which
// is not in this version"), or "".
func SkipReason(s *Scenario) string { return lackOf(s).reason }

// A lack is what a scenario needs and cannot have.
type lack struct {
	need   string // in a word: "docker-20.10"
	reason string // "" for none
}

func lackOf(s *Scenario) lack {
	if foreignClient(s.Client) {
		return lack{ClientName(s.Client), fmt.Sprintf("needs the client %s, which is driven only when it is asked for", ClientName(s.Client))}
	}
	for _, find := range []func(*Scenario) lack{clientLack, registryLack, faultLack, needLack} {
		if l := find(s); l.reason != "" {
			return l
		}
	}
	return unsetLack(s)
}

func unsetLack(s *Scenario) lack {
	if len(s.Unset) == 0 {
		return lack{}
	}
	names := strings.Join(s.Unset, " and ")
	return lack{names, "needs the environment variable " + names}
}

func clientLack(s *Scenario) lack {
	c := s.Client
	era := EraName(c)
	switch e, built := eraOf(era); {
	case !built:
		return lack{era, fmt.Sprintf("needs era %s, which is not in this version", era)}
	case c.Concurrency > 0 && e.Layers.Concurrency == 0:
		return lack{"concurrency", fmt.Sprintf("needs concurrency, which era %s does not have", era)}
	case c.Chunk > 0 && e.Way != pusher.WayBest:
		return lack{"chunks", fmt.Sprintf("needs chunks, which era %s does not send", era)}
	case c.Clock != 0:
		return lack{"clock", "needs a client whose clock is wrong, which is not in this version"}
	}
	return lack{}
}

func registryLack(s *Scenario) lack {
	for _, r := range s.Registries {
		if r.Kind == KindProgram {
			return lack{"program", "needs a registry that is a program, which is not driven by this version"}
		}
	}
	return lack{}
}

func faultLack(s *Scenario) lack {
	for _, f := range allFaults(s) {
		if f.Where.Attempt > 0 || f.Where.Client != "" {
			return lack{"selectors", "needs faults that select by client or attempt, which are not in this version"}
		}
	}
	return lack{}
}

func needLack(s *Scenario) lack {
	for _, n := range s.Needs {
		if !slices.Contains(abilities[:], n) {
			return lack{n, "needs " + n}
		}
	}
	return lack{}
}
