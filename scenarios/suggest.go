package scenarios

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest is the candidate that a person most likely meant by word; "" when none is
// near. It is safe for concurrent use.
func Nearest(word string, candidates []string) string {
	if names := near(word, candidates); len(names) > 0 {
		return names[0]
	}
	return ""
}

// near returns the candidates that a person may have meant by word, best first,
// at most three. Of two that are as far away, the one that begins more alike is the
// better.
func near(word string, candidates []string) []string {
	type scored struct {
		name            string
		distance, alike int
	}
	var found []scored
	limit := max(1, min(len(word), 9)/3)
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d <= limit {
			found = append(found, scored{c, d, alike(strings.ToLower(word), strings.ToLower(c))})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return cmp.Or(a.distance-b.distance, b.alike-a.alike) })
	var names []string
	for _, f := range found {
		if len(names) < 3 && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// didYouMean is "; did you mean "after"?", or "" when nothing is near.
func didYouMean(word string, candidates []string) string {
	if name := Nearest(word, candidates); name != "" {
		return "; did you mean " + quote(name) + "?"
	}
	return ""
}

// alike is how many bytes two words begin with alike.
func alike(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func quote(s string) string { return `"` + s + `"` }

// distance is how many letters must be put in, left out, changed or swapped with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
