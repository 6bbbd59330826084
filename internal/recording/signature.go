package recording

import "strings"

// hidden are the members of a signed manifest that differ from run to run, with
// the words that stand for them.
var hidden = [...][2]string{
	{"kid", "KID"}, {"x", "X"}, {"y", "Y"}, {"signature", "SIGNATURE"}, {"protected", "PROTECTED"},
}

// HideSignature puts words in the place of what differs from run to run in a
// signed manifest: the signature, its header and the key. Whatever else there is
// stays as it is, letter by letter.
func HideSignature(manifest string) string {
	i := strings.LastIndex(manifest, `"signatures"`)
	if i < 0 {
		return manifest
	}
	content, tail := manifest[:i], manifest[i:]
	for _, h := range hidden {
		tail = hideMember(tail, h[0], h[1])
	}
	return content + tail
}

// hideMember replaces the text of every string member of that name.
func hideMember(s, name, word string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, `"`+name+`"`)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		i += len(name) + 2
		b.WriteString(s[:i])
		s = s[i:]
		value := strings.TrimLeft(s, ": \t\n")
		text, rest, found := strings.Cut(strings.TrimPrefix(value, `"`), `"`)
		if !strings.HasPrefix(value, `"`) || !found || strings.Contains(text, `\`) {
			continue
		}
		b.WriteString(s[:len(s)-len(value)] + `"` + word + `"`)
		s = rest
	}
}
