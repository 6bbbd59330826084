package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// A link is one connection of the client.
type link struct {
	proxy  *Proxy
	conn   net.Conn
	raw    net.Conn // below TLS, for a reset
	r      *bufio.Reader
	number int
}

// requests records requests until the connection ends.
func (p *Proxy) requests(l *link) {
	for asked := 0; ; asked++ {
		head, err := recording.ReadHead(l.r)
		switch {
		case err == nil:
		case asked == 0:
			p.event(l.number, recording.EventNoRequest, notEOF(err))
			return
		default:
			return // the end of a connection that was kept
		}
		if !l.exchange(head) {
			return
		}
	}
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// exchange records one request. It reports whether the connection goes on.
func (l *link) exchange(head *recording.Head) (more bool) {
	p := l.proxy
	e := p.begin(recording.Exchange{
		Conn: l.number, Method: head.Method, Path: head.Path, Proto: head.Proto, ReqHeaders: head.Headers,
	})
	from, length, err := head.Body(l.r)
	if err != nil {
		return l.cannot(e, http.StatusBadRequest, err)
	}
	if from != nil && strings.EqualFold(head.Header("Expect"), "100-continue") {
		if _, err := io.WriteString(l.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return l.cannot(e, http.StatusBadRequest, err)
		}
	}
	sent := newTap(from, length)
	req, err := p.request(head, sent, length)
	if err != nil {
		return l.cannot(e, http.StatusBadRequest, err)
	}
	resp, err := p.client.RoundTrip(req)
	if err != nil {
		l.lost(e, sent, err)
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	return l.answer(e, head, sent, resp)
}

// cannot answers what cannot be passed on.
func (l *link) cannot(e *recording.Exchange, status int, err error) bool {
	text := "pushcheck record: " + err.Error() + "\n"
	l.proxy.finish(e, func(e *recording.Exchange) {
		e.Status, e.Err = status, err.Error()
		e.RespHeaders = []string{"Connection: close", fmt.Sprintf("Content-Length: %d", len(text))}
		e.RespLen, e.RespBody = int64(len(text)), text
	})
	_, _ = fmt.Fprintf(l.conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(text), text)
	recording.Part(l.conn, l.r)
	return false
}

// lost does to the client what the registry did: it hung up without an answer.
func (l *link) lost(e *recording.Exchange, sent *tap, err error) {
	var text string
	broken := sent.failure()
	switch {
	case broken != nil:
		text = "request body: " + broken.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "recorder closed the connection instead of a response, as the registry did"
	default:
		text = "recorder reset the connection instead of a response: " + err.Error()
	}
	l.proxy.finish(e, func(e *recording.Exchange) {
		sent.fill(e)
		e.Err = text
	})
	if broken == nil && strings.Contains(text, "recorder closed") {
		recording.Part(l.conn, sent.beside(l.r))
		return
	}
	recording.HangUp(l.raw)
}
