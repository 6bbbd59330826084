package scenarios

import "slices"

// minimise returns a part of list that holds and from which no single item can be
// taken, by delta debugging (Zeller and Hildebrandt, 2002): chunks, then what is
// left without one of them, in ever finer division. That the whole list holds is
// taken for granted; holds must not change the list that it is given.
func minimise[T any](list []T, holds func([]T) bool) []T {
	if len(list) == 0 || holds(nil) {
		return nil
	}
	for n := 2; len(list) >= 2; {
		smaller, found := reduced(list, n, holds)
		switch {
		case found && len(smaller) <= (len(list)+n-1)/n: // one chunk
			list, n = smaller, 2
		case found:
			list, n = smaller, max(n-1, 2)
		case n >= len(list):
			return list
		default:
			n = min(2*n, len(list))
		}
	}
	return list
}

// reduced is the first of n chunks of a list, or of the list without one of them,
// that holds.
func reduced[T any](list []T, n int, holds func([]T) bool) (smaller []T, found bool) {
	chunks := slices.Collect(slices.Chunk(list, (len(list)+n-1)/n))
	for _, chunk := range chunks {
		if holds(chunk) {
			return chunk, true
		}
	}
	if len(chunks) == 2 { // what is left is the other chunk
		return nil, false
	}
	for i := range chunks {
		if rest := slices.Concat(slices.Delete(slices.Clone(chunks), i, i+1)...); holds(rest) {
			return rest, true
		}
	}
	return nil, false
}
