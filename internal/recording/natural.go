package recording

import (
	"cmp"
	"strings"
)

// compareNatural orders names as a person does: "2-second" before "10-tenth", and
// a name before those that it begins.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		na, ra := cutNumber(a)
		nb, rb := cutNumber(b)
		if na != "" && nb != "" {
			ta, tb := strings.TrimLeft(na, "0"), strings.TrimLeft(nb, "0")
			if c := cmp.Or(cmp.Compare(len(ta), len(tb)), cmp.Compare(ta, tb), cmp.Compare(len(na), len(nb))); c != 0 {
				return c
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// cutNumber cuts the digits off that s begins with.
func cutNumber(s string) (number, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}
