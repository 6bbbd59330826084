package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a suffix of sizes and what it stands for in bytes.
type unit struct {
	name  string
	bytes float64
}

// units are the suffixes that sizes may have, longest first.
var units = [...]unit{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// ParseSize reads a size as scenario files write it: "1MiB", "64 KiB", "4096".
//
// Errors: what it should have been.
func ParseSize(text string) (bytes int64, err error) { return parseSize(text) }

// parseSize reads "1MiB", "64 KiB", "1.5MB" or "4096", in bytes.
func parseSize(s string) (int64, error) {
	number, factor := strings.TrimSpace(s), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && float64(n)*factor < math.MaxInt64 {
		return n * int64(factor), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	bytes := f * factor
	if err != nil || bytes < 0 || bytes >= math.MaxInt64 || bytes != math.Trunc(bytes) {
		return 0, fmt.Errorf("%q is not a size; want a number of bytes such as 4096, 64KiB or 4MiB", s)
	}
	return int64(bytes), nil
}

// formatSize is the shortest text that parseSize reads as n.
func formatSize(n int64) string {
	for _, u := range []unit{units[3], units[2], units[1], units[0]} {
		if f := int64(u.bytes); n >= f && n%f == 0 {
			return strconv.FormatInt(n/f, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseRate reads "30KiB/s", in bytes a second.
func parseRate(s string) (int64, error) {
	size, ok := strings.CutSuffix(strings.TrimSpace(s), "/s")
	if ok {
		if n, err := parseSize(size); err == nil && n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q is not a rate; want a size a second such as 30KiB/s", s)
}

// parseDuration reads "5s", "1m30s", "0s"; "∞" is a negative duration.
func parseDuration(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	if text == "∞" || text == "infinite" {
		return -1, nil
	}
	d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if err != nil || d < 0 {
		if _, number := strconv.ParseFloat(text, 64); number == nil {
			return 0, fmt.Errorf("%s has no unit; want a time such as %ss, 500ms or 2m", text, strings.TrimPrefix(text, "-"))
		}
		return 0, fmt.Errorf("%q is not a time; want one such as 5s, 500ms or 2m", s)
	}
	return d, nil
}

// parseFraction reads "15%" or "0.15", more than 0 and at most 1.
func parseFraction(s string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f > 0 && f <= 1) {
		return 0, fmt.Errorf("%q is not a chance; want more than 0%% and at most 100%%, such as 15%%", s)
	}
	return f, nil
}

// A quantity is what the numbers of a Range measure.
type quantity int

const (
	plain quantity = iota
	bytesQuantity
	timeQuantity
)

func (q quantity) parse(s string) (int64, error) {
	switch q {
	case bytesQuantity:
		return parseSize(s)
	case timeQuantity:
		d, err := parseDuration(s)
		return int64(d), err
	default:
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		return n, nil
	}
}

func (q quantity) format(n int64) string {
	switch q {
	case bytesQuantity:
		return formatSize(n)
	case timeQuantity:
		return time.Duration(n).String()
	default:
		return strconv.FormatInt(n, 10)
	}
}

func (q quantity) example() string {
	return [...]string{`2, "<= 3", "> 0" or 1..3`, `4MiB, "<= 1MiB", "> 0" or 1KiB..2KiB`, `5s, ">= 5s" or 1s..2s`}[q]
}

// parseRange reads "2", "<= 3", "< 3", ">= 1", "> 0" or "1..3".
func parseRange(s string, q quantity) (Range, error) {
	text := strings.TrimSpace(s)
	bad := fmt.Errorf("%q is not understood; want %s", s, q.example())
	one := func(t string) (int64, bool) {
		n, err := q.parse(t)
		return n, err == nil
	}
	if from, to, ok := strings.Cut(text, ".."); ok {
		a, okA := one(from)
		b, okB := one(to)
		if !okA || !okB || a > b {
			return Range{}, bad
		}
		return Range{a, b}, nil
	}
	for _, op := range []string{"<=", ">=", "<", ">"} {
		rest, ok := strings.CutPrefix(text, op)
		if !ok {
			continue
		}
		n, ok := one(rest)
		if !ok {
			return Range{}, bad
		}
		switch op {
		case "<=":
			return Range{0, n}, nil
		case "<":
			if n == 0 {
				return Range{}, bad
			}
			return Range{0, n - 1}, nil
		case ">":
			return Range{n + 1, math.MaxInt64}, nil
		}
		return Range{n, math.MaxInt64}, nil
	}
	n, ok := one(text)
	if !ok {
		return Range{}, bad
	}
	return Range{n, n}, nil
}

// formatRange is the inverse of parseRange.
func formatRange(r Range, q quantity) string {
	switch {
	case r.Min == r.Max:
		return q.format(r.Min)
	case r.Max == math.MaxInt64:
		return ">= " + q.format(r.Min)
	case r.Min == 0:
		return "<= " + q.format(r.Max)
	}
	return q.format(r.Min) + ".." + q.format(r.Max)
}

// in reports whether n lies in r.
func in(n int64, r Range) bool { return r.Min <= n && n <= r.Max }
