package wire

import "strings"

// ScrubMessage masks in a text for a person what Scrub masks in the URLs of a trace:
// passwords, tokens, signatures, _state and upload sessions; and cookies that an error quotes. Hosts stay, for the person
// has to know which one. It is safe for concurrent use.
func ScrubMessage(text string) string {
	s := NewScrubber()
	for link := range links(text) {
		s.learnSession(splitLink(link).session())
	}
	var b strings.Builder
	done := 0
	for link, at := range links(text) {
		b.WriteString(text[done:at])
		b.WriteString(s.link(link))
		done = at + len(link)
	}
	return s.text(maskCookies(b.String() + text[done:]))
}

// maskCookies masks the value of a cookie in the words with which net/http refuses a
// header that is none: it quotes the line.
func maskCookies(text string) string {
	const name = "cookie: "
	at := strings.Index(strings.ToLower(text), name)
	if at < 0 || len(strings.ToLower(text)) != len(text) {
		return text
	}
	at += len(name)
	end := len(text)
	if quote := strings.LastIndex(text, `"`); quote > at {
		end = quote
	}
	return text[:at] + maskCookie + text[end:]
}

// links are what may be URLs in a text, absolute or not, with where they begin.
func links(text string) func(yield func(link string, at int) bool) {
	return func(yield func(string, int) bool) {
		for at := 0; at < len(text); {
			n := strings.IndexFunc(text[at:], endsLink)
			if n < 0 {
				n = len(text) - at
			}
			link := strings.TrimRight(text[at:at+n], ".,:;")
			if (strings.Contains(link, "://") || strings.HasPrefix(link, "/")) && !yield(link, at) {
				return
			}
			at += n + 1
		}
	}
}

// endsLink tells what no URL holds.
func endsLink(c rune) bool {
	return c <= ' ' || c == 0x7f || strings.ContainsRune(`"'<>()[]{}|`+"`\\", c)
}
