package scenarios

import "slices"

// Meant is list without the cases that are about other clients. Where a case of a file
// names a client, it says how that client goes, and the cases of that file that name
// others say nothing of it. A case that names none is about every client, and so are
// all cases of a file in which none names this one. list is not changed.
func Meant(list []*Scenario, client string) []*Scenario {
	files, cases := map[string]bool{}, map[string]bool{} // that name it
	for _, s := range list {
		if s.CaseClient && ClientName(s.Client) == client {
			files[s.Position.File], cases[s.Position.File+" "+bare(s.ID)] = true, true
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(s *Scenario) bool {
		return s.CaseClient && files[s.Position.File] && !cases[s.Position.File+" "+bare(s.ID)]
	})
}
