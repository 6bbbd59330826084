package scenarios

// SkipReason says why a scenario cannot run here ("needs era docker-20.10,
// which this version does not have"), or "".
func SkipReason(s *Scenario) string { return "" }
