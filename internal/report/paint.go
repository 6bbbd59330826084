package report

import "strings"

// A painter writes styled text: with colours, or the bare text.
type painter struct{ color bool }

// The styles, as the numbers of ANSI's "select graphic rendition".
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint is text in a style. text must be visible: it goes to a terminal as it is.
func (p painter) paint(style, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// mark is the sign and style of an outcome.
func (o Outcome) mark() (sign, style string) {
	switch o {
	case Pass:
		return "✓", green
	case Warn:
		return "!", yellow
	case Known:
		return "~", yellow
	case Skipped:
		return "-", dim
	case Fail:
		return "✗", red
	case Broken:
		return "✗", red
	}
	return "?", red
}

// pad fills text up to width with spaces.
func pad(text string, width int) string {
	if n := width - runes(text); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}

func runes(s string) int { return len([]rune(s)) }

// crop shortens a text to width characters, with an ellipsis.
func crop(text string, width int) string {
	r := []rune(text)
	if width <= 0 || len(r) <= width {
		return text
	}
	return string(r[:width-1]) + "…"
}
