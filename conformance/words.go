package conformance

import "strconv"

// count is "one byte" or "12 bytes".
func count(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// quoteOr is a text in quotes, or "none".
func quoteOr(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s)
}

// excerpt is the beginning of a body, in quotes.
func excerpt(b []byte) string { return quoteOr(string(b[:min(len(b), 60)])) }

// span is the Content-Range of bytes from one on up to before another.
func span(from, to int) string { return strconv.Itoa(from) + "-" + strconv.Itoa(to-1) }
