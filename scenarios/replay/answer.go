package replay

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// An answer is a recorded response as it is played.
type answer struct {
	head, body []byte
	close      bool // the connection ends with it
	reset      bool // and not in peace
}

// newAnswer makes the response of an exchange that has one. host is where the
// registry is played.
func newAnswer(e recording.Exchange, host string) answer {
	a := answer{body: []byte(onHost(e.RespBody, host))}
	if e.RespBody == "" && e.RespLen > 0 {
		a.body = []byte(strings.Repeat(" ", int(min(e.RespLen, 1<<20)))) // a body that was not kept
	}
	if n, ok := cutAfter(e); ok && n < len(a.body) {
		a.body = a.body[:n]
	}
	silent := e.Method == http.MethodHead || e.Status == http.StatusNoContent || e.Status == http.StatusNotModified
	if silent {
		a.body = nil
	}
	var b strings.Builder
	text := http.StatusText(e.Status)
	if text == "" {
		text = fmt.Sprintf("status code %d", e.Status) // as net/http's servers have it
	}
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", e.Status, text)
	framed := silent
	for _, h := range e.RespHeaders {
		name, value, _ := strings.Cut(h, ": ")
		switch strings.ToLower(name) {
		case "content-length":
			framed = true
			if !silent {
				value = a.declare(e, value)
			}
		case "connection":
			a.close = a.close || strings.EqualFold(value, "close")
		}
		b.WriteString(name + ": " + onHost(value, host) + "\r\n")
	}
	a.close = a.close || !framed
	b.WriteString("\r\n")
	a.head = []byte(b.String())
	return a
}

// declare is the Content-Length to send: the body's, unless the recorded one was
// a lie, which stays as large a lie. A body that was cut off ends the connection.
func (a *answer) declare(e recording.Exchange, recorded string) string {
	n, err := strconv.ParseInt(recorded, 10, 64)
	if err != nil || e.RespLen < 0 {
		return strconv.Itoa(len(a.body))
	}
	missing := n - e.RespLen
	if cut, ok := cutAfter(e); ok && missing == 0 {
		missing = max(n-int64(cut), 0)
	}
	if missing != 0 {
		a.close = true
		a.reset = strings.Contains(e.Err, "reset")
	}
	return strconv.FormatInt(int64(len(a.body))+missing, 10)
}

// cutAfter is after how many bytes of its body an answer broke off, if the proxy
// said so: "recorder … the response after 20 bytes".
func cutAfter(e recording.Exchange) (int, bool) {
	_, rest, found := strings.Cut(e.Err, " after ")
	if !found || !strings.Contains(e.Err, "respon") {
		return 0, false
	}
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// onHost puts an address in the place of the word for it.
func onHost(s, host string) string { return strings.ReplaceAll(s, recording.Host, host) }

// send writes the answer. It reports whether the connection goes on.
func (a answer) send(w io.Writer) (more bool) {
	if _, err := w.Write(append(a.head, a.body...)); err != nil {
		return false
	}
	return !a.close
}
