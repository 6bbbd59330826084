package replay

// A pair is an element of one list and the one of another that it goes with; -1
// where there is none.
type pair struct{ a, b int }

// align pairs the elements of two lists with equal keys, as many as keep their
// order. What is left over stands where it was missed.
func align(n, m int, keyA, keyB func(int) string) []pair {
	// longest[i][j] is of a[i:] and b[j:].
	longest := make([][]int, n+1)
	for i := range longest {
		longest[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if keyA(i) == keyB(j) {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var pairs []pair
	i, j := 0, 0
	for i < n || j < m {
		switch {
		case i < n && j < m && keyA(i) == keyB(j):
			pairs = append(pairs, pair{i, j})
			i, j = i+1, j+1
		case j == m || i < n && longest[i+1][j] >= longest[i][j+1]:
			pairs = append(pairs, pair{i, -1})
			i++
		default:
			pairs = append(pairs, pair{-1, j})
			j++
		}
	}
	return pairs
}
