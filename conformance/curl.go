package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// curlBody is the largest body that a command carries, in bytes.
const curlBody = 1 << 16

// curl is what a person types to see the same answer. An upload session that the
// request went to is started first. It is "" for what curl cannot send.
func (a *answer) curl() string {
	var b strings.Builder
	if !a.writeCurl(&b, "curl -si", 0) {
		return ""
	}
	return strings.TrimRight(b.String(), "\n")
}

// writeCurl writes the commands that the request builds on, and its own.
func (a *answer) writeCurl(b *strings.Builder, command string, depth int) bool {
	target := a.url.String()
	if before := a.req.after; before != nil && depth < 8 {
		if !before.writeCurl(b, "LOCATION=$(curl -si", depth+1) {
			return false
		}
		location, err := before.location()
		if err == nil && strings.HasPrefix(target, location) {
			target = "$LOCATION" + strings.TrimPrefix(target, location)
		}
	}
	if len(a.req.body) > curlBody || !utf8.Valid(a.req.body) || bytes.IndexByte(a.req.body, 0) >= 0 {
		return false
	}
	b.WriteString(command)
	switch a.req.method {
	case "GET":
	case "HEAD":
		b.WriteString(" -I")
	default:
		b.WriteString(" -X " + a.req.method)
	}
	for _, name := range slices.Sorted(maps.Keys(a.req.header)) {
		fmt.Fprintf(b, " -H %s", quote(name+": "+a.req.header.Get(name)))
	}
	if a.req.stream {
		b.WriteString(" -H 'Transfer-Encoding: chunked'")
	}
	if a.req.body != nil {
		if a.req.header.Get("Content-Type") == "" {
			b.WriteString(" -H 'Content-Type:'")
		}
		b.WriteString(" --data-binary " + quote(string(a.req.body)))
	}
	if strings.HasPrefix(target, "$LOCATION") {
		b.WriteString(` "` + target + `"`)
	} else {
		b.WriteString(" " + quote(target))
	}
	if strings.HasPrefix(command, "LOCATION=") {
		b.WriteString(` | tr -d '\r' | sed -n 's/^[Ll]ocation: //p'`)
		if loc := a.header.Get("Location"); strings.HasPrefix(loc, "/") {
			fmt.Fprintf(b, " | sed 's|^/|%s://%s/|'", a.url.Scheme, a.url.Host)
		}
		b.WriteString(")")
	}
	b.WriteString("\n")
	return true
}

// quote quotes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
