package conformance

import (
	"net/http"
	"strings"
)

// A challenge is one way in that a registry offers (RFC 9110, section 11.6.1).
type challenge struct {
	scheme string            // lower case
	params map[string]string // keys in lower case
}

// challengesOf are all challenges of an answer: several lines, several in one
// line, with parameters in quotes or without.
func challengesOf(h http.Header) []challenge {
	var list []challenge
	for _, line := range h.Values("WWW-Authenticate") {
		list = append(list, parseChallenges(line)...)
	}
	return list
}

func parseChallenges(line string) []challenge {
	var list []challenge
	rest := line
	for {
		rest = strings.TrimLeft(rest, " \t,")
		var word string
		word, rest = cutToken(rest)
		if word == "" {
			return list
		}
		after := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(after, "=") || len(list) == 0 {
			list = append(list, challenge{scheme: strings.ToLower(word), params: map[string]string{}})
			rest = after
			continue
		}
		var value string
		value, rest = cutValue(strings.TrimLeft(after[1:], " \t"))
		list[len(list)-1].params[strings.ToLower(word)] = value
	}
}

func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && s[i] > ' ' && s[i] < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

// cutValue cuts a quoted string, or what stands before the next comma.
func cutValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexAny(s, ", \t"); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
