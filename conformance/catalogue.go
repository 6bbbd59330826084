package conformance

import (
	"cmp"
	"slices"
)

// Checks is the catalogue, in the order of reports.
func Checks() []*Check {
	all := slices.Concat(
		pingChecks(), authChecks(), tokenChecks(), rightsChecks(), blobChecks(), monoChecks(), chunkChecks(), sessionChecks(), resumeChecks(),
		interruptChecks(), badLineChecks(), mountChecks(), foreignChecks(), digestChecks(), algorithmChecks(), manifestChecks(), manifestContentChecks(), schema1Checks(),
		conditionChecks(), tagChecks(), pagingChecks(), referrerChecks(), deleteChecks(), errorChecks(), rateChecks(), concurrencyChecks(), raceChecks(),
		limitChecks(), largeChecks(), securityChecks(), httpChecks(), transportChecks(), v1Checks(), eraChecks(), eraV1Checks(), perfChecks(),
	)
	slices.SortStableFunc(all, func(a, b *Check) int {
		return cmp.Or(cmp.Compare(groupOrder(a), groupOrder(b)), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// groups are the groups, in the order of reports.
func groups() []string {
	return []string{
		"ping", "auth", "blob", "mono", "chunk", "res", "mount", "dig", "man", "tag", "ref", "del", "err", "conc", "lim", "sec", "http", "v1", "era", "perf",
	}
}

func groupOrder(c *Check) int { return slices.Index(groups(), c.Group()) }

// A list is the checks of a group.
type list = []*Check
