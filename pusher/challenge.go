package pusher

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A challenge is one parsed WWW-Authenticate header.
type challenge struct {
	scheme string            // lower case
	params map[string]string // keys in lower case
}

// challengesOf are the challenges of an answer: one per header line, and only
// of a 401 (P-093, P-130).
func challengesOf(resp *http.Response) []challenge {
	if resp.StatusCode != http.StatusUnauthorized {
		return nil
	}
	var list []challenge
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		if c, ok := parseChallenge(line); ok {
			list = append(list, c)
		}
	}
	return list
}

// parseChallenge reads a scheme and key=value pairs. It stops at the first
// malformed pair, which includes an empty value, and keeps what it had; a second
// challenge on the same line is not told from a pair (P-130).
func parseChallenge(line string) (challenge, bool) {
	scheme, rest := cutToken(line)
	if scheme == "" {
		return challenge{}, false
	}
	c := challenge{scheme: strings.ToLower(scheme), params: map[string]string{}}
	rest = "," + skipSpace(rest)
	for strings.HasPrefix(rest, ",") {
		var key, value string
		key, rest = cutToken(skipSpace(rest[1:]))
		if key == "" || !strings.HasPrefix(rest, "=") {
			break
		}
		value, rest = cutTokenOrQuoted(rest[1:])
		if value == "" {
			break
		}
		c.params[strings.ToLower(key)] = value
		rest = skipSpace(rest)
	}
	return c, true
}

// String prints the challenge so that parseChallenge reads it back, its keys
// sorted and every value quoted.
func (c challenge) String() string {
	var b strings.Builder
	b.WriteString(c.scheme)
	for i, key := range slices.Sorted(maps.Keys(c.params)) {
		if i > 0 {
			b.WriteByte(',')
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(key + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.params[key]) + `"`)
	}
	return b.String()
}

// cutToken cuts a token off the front (RFC 2616, section 2.2).
func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(c))
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// cutTokenOrQuoted cuts a token or a quoted string off the front and takes the
// quotes and backslashes away. A string without end is empty, and so is the
// rest.
func cutTokenOrQuoted(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		return cutToken(s)
	}
	var b strings.Builder
	escaped := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case escaped:
			escaped = false
			b.WriteByte(c)
		case c == '\\':
			escaped = true
		case c == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return "", ""
}
