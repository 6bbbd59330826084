package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// curlBody is the largest body that stands in a command itself, in bytes.
const curlBody = 8 << 10

// curlInline is from where on made content is made by the command.
const curlInline = 100

// curl is what a person types to see the same answer. An upload session that the
// request went to is started first. It is "" for what curl cannot send.
func (a *answer) curl() string {
	if a.url == nil { // the request could not even be made
		return ""
	}
	var b strings.Builder
	if !a.writeCurl(&b, "curl -si", 0) {
		return ""
	}
	return strings.TrimRight(b.String(), "\n")
}

// writeCurl writes the commands that the request builds on, and its own.
func (a *answer) writeCurl(b *strings.Builder, command string, depth int) bool {
	before := a.req.after
	if before == nil || depth > 8 {
		return a.writeOwn(b, command)
	}
	if !before.writeCurl(b, "LOCATION=$(curl -si", depth+1) {
		return false
	}
	for _, also := range a.req.besides {
		if !also.writeOwn(b, "curl -si") {
			return false
		}
	}
	return a.writeOwn(b, command)
}

// writeOwn writes the request's own command.
func (a *answer) writeOwn(b *strings.Builder, command string) bool { //nolint:gocognit // one line of the command after another
	target := a.url.String()
	if before := a.req.after; before != nil {
		if location, err := before.location(); err == nil && strings.HasPrefix(target, location) {
			target = "$LOCATION" + strings.TrimPrefix(target, location)
		}
	}
	made := ""
	if len(a.req.body) > curlInline {
		if made = seqOf(a.req.body); made == "" && len(a.req.body) > curlBody {
			return false
		}
	}
	if a.req.large != nil || !utf8.Valid(a.req.body) || bytes.IndexByte(a.req.body, 0) >= 0 {
		return false
	}
	if made != "" {
		before, after, ok := strings.Cut(command, "curl")
		if !ok {
			before, after = "", command
		}
		command = before + made + " | curl" + after
	}
	b.WriteString(command)
	b.WriteString(methodFlag(a.req.method))
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
		if made != "" {
			b.WriteString(" --data-binary @-")
		} else {
			b.WriteString(" --data-binary " + quote(string(a.req.body)))
		}
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

func methodFlag(method string) string {
	switch method {
	case "GET":
		return ""
	case "HEAD":
		return " -I"
	default:
		return " -X " + method
	}
}

// seqOf is the command that makes a part of made content; "" for other bytes.
func seqOf(body []byte) string {
	newline := bytes.IndexByte(body, '\n')
	if newline < 0 || len(body) < newline+1+lineLength {
		return ""
	}
	word, number, ok := strings.Cut(string(body[newline+1:newline+lineLength]), "-")
	n, err := strconv.Atoi(number)
	from := (n-1)*lineLength - newline - 1
	if !ok || err != nil || from < 0 || !bytes.Equal(seededLines(word, from, len(body)), body) {
		return ""
	}
	return fmt.Sprintf("seq -f '%s-%%06.0f' 1 %d | tail -c +%d | head -c %d", word, (from+len(body))/lineLength+1, from+1, len(body))
}

// quote quotes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
