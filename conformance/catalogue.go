package conformance

import "slices"

// Checks is the catalogue, in the order of reports.
func Checks() []*Check {
	return slices.Concat(
		pingChecks(), authChecks(), tokenChecks(), blobChecks(), monoChecks(), chunkChecks(), sessionChecks(), resumeChecks(), mountChecks(), digestChecks(),
		manifestChecks(), manifestContentChecks(), tagChecks(), pagingChecks(), referrerChecks(), deleteChecks(), errorChecks(),
		concurrencyChecks(), limitChecks(), securityChecks(), httpChecks(),
	)
}

// A list is the checks of a group.
type list = []*Check
