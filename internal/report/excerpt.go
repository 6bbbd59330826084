package report

import (
	"strconv"
	"strings"
)

// excerptLimit is how many characters of a source line are shown at most.
const excerptLimit = 110

// excerpt shows where in a file a failure points, with carets under it.
func (p painter) excerpt(b *strings.Builder, f Failure) {
	at := f.Position
	if at.File == "" {
		if f.Note != "" {
			b.WriteString("   " + visible(f.Note) + "\n")
		}
		return
	}
	number := strconv.Itoa(at.Line)
	gutter := strings.Repeat(" ", len(number)+1)
	b.WriteString(gutter + p.paint(cyan, "-->") + " " + at.visible() + "\n")
	if f.Source == "" || at.Line <= 0 {
		if f.Note != "" {
			b.WriteString(gutter + "  " + visible(f.Note) + "\n")
		}
		return
	}
	source, column, length := window(f.Source, max(at.Column, 1), max(at.Length, 1))
	b.WriteString(gutter + p.paint(cyan, "|") + "\n")
	b.WriteString(p.paint(cyan, number+" |") + " " + source + "\n")
	under := strings.Repeat("^", length)
	if f.Note != "" {
		under += " " + visible(f.Note)
	}
	b.WriteString(gutter + p.paint(cyan, "|") + " " + strings.Repeat(" ", column-1) + p.paint(red, under) + "\n")
}

// window makes a source line visible and cuts it to what surrounds the column,
// which it moves along with the cut. A column behind the line's end stays just
// behind it: something is missing there.
func window(source string, column, length int) (text string, at, n int) {
	var line []rune
	var place []int // in line, of each character of source and of its end
	for _, c := range source {
		place = append(place, len(line))
		if c == '\t' {
			c = ' '
		}
		line = append(line, []rune(visible(string(c)))...)
	}
	place = append(place, len(line))
	last := len(place) - 1
	from, to := place[min(column-1, last)], place[min(column-1+length, last)]
	if len(line) > excerptLimit {
		start := min(max(0, from-excerptLimit/3), len(line)-excerptLimit)
		end := start + excerptLimit
		cut := append([]rune(nil), line[start:end]...)
		if start > 0 {
			cut[0] = '…'
		}
		if end < len(line) {
			cut[len(cut)-1] = '…'
		}
		line, from, to = cut, from-start, min(to-start, excerptLimit)
	}
	return strings.TrimRight(string(line), " "), from + 1, max(to-from, 1)
}

// visible is the place as editors and terminals make it a link.
func (p Position) visible() string {
	s := visible(p.File)
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}
