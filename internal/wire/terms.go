package wire

import (
	"sort"
	"strings"
)

// terms are literals that are replaced in free text, all in one pass, so that no
// replacement is itself replaced.
type terms struct{ list []term }

type term struct {
	literal, name string
	word          bool // only where no letter, digit or underscore adjoins
}

// add puts a literal in, longest first; a known one stays as it is.
func (t *terms) add(literal, name string, word bool) {
	for _, known := range t.list {
		if known.literal == literal {
			return
		}
	}
	i := sort.Search(len(t.list), func(i int) bool { return len(t.list[i].literal) < len(literal) })
	t.list = append(t.list, term{})
	copy(t.list[i+1:], t.list[i:])
	t.list[i] = term{literal, name, word}
}

// replace returns text with every term replaced by its name.
func (t *terms) replace(text string) string {
	if len(t.list) == 0 || text == "" {
		return text
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); {
		found := t.at(text, i)
		if found == nil {
			i++
			continue
		}
		b.WriteString(text[done:i])
		b.WriteString(found.name)
		i += len(found.literal)
		done = i
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

func (t *terms) at(text string, i int) *term {
	for k := range t.list {
		w := &t.list[k]
		if !strings.HasPrefix(text[i:], w.literal) {
			continue
		}
		end := i + len(w.literal)
		if w.word && (i > 0 && isWord(text[i-1]) && isWord(text[i]) || end < len(text) && isWord(text[end]) && isWord(text[end-1])) {
			continue
		}
		return w
	}
	return nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// maskAddresses replaces every address with a port ("127.0.0.1:40312",
// "[::1]:5000") in an error's text.
func maskAddresses(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); {
		if n := addressAt(text, i); n > 0 && (i == 0 || !isWord(text[i-1]) && text[i-1] != '.') {
			b.WriteString(text[done:i] + maskAddress)
			i += n
			done = i
			continue
		}
		i++
	}
	return b.String() + text[done:]
}

// addressAt is the length of the address with a port at i, or 0.
func addressAt(text string, i int) int {
	host := text[i:]
	switch {
	case host[0] == '[':
		end := strings.IndexByte(host, ']')
		if end < 0 || !strings.Contains(host[:end], ":") {
			return 0
		}
		return port(host, end+1)
	case host[0] >= '0' && host[0] <= '9':
		n := strings.IndexFunc(host, func(c rune) bool { return c != '.' && (c < '0' || c > '9') })
		if n < 0 || strings.Count(host[:n], ".") != 3 {
			return 0
		}
		return port(host, n)
	}
	return 0
}

func port(text string, i int) int {
	j := i + 1
	for j < len(text) && text[j] >= '0' && text[j] <= '9' {
		j++
	}
	if i >= len(text) || text[i] != ':' || j == i+1 {
		return 0
	}
	return j
}
