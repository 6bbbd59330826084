package main

import (
	"slices"
	"time"
)

// A pairing is two things measured alternately, so that a machine that gets
// slower does so for both.
type pairing struct {
	ours, peer time.Duration // medians
	ratio      float64       // median of the ratios, pair by pair
}

// pairs measures n pairs after one that does not count.
func pairs(n int, ours, peer func() (time.Duration, error)) (pairing, error) {
	var a, b []time.Duration
	var ratios []float64
	for i := range n + 1 {
		x, err := ours()
		if err != nil {
			return pairing{}, err
		}
		y, err := peer()
		if err != nil {
			return pairing{}, err
		}
		if i > 0 {
			a, b, ratios = append(a, x), append(b, y), append(ratios, float64(x)/float64(y))
		}
	}
	return pairing{median(a), median(b), median(ratios)}, nil
}

func median[T int64 | float64 | time.Duration](values []T) T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// timed is how long f takes.
func timed(f func() error) (time.Duration, error) {
	began := time.Now()
	err := f()
	return time.Since(began), err
}
