package record

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// ofOneHop are headers that are about one connection and are not passed on.
var ofOneHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Host", "Content-Length",
}

// request makes the request to the registry. Its Host is the registry's own.
func (p *Proxy) request(head *recording.Head, body io.Reader, length int64) (*http.Request, error) {
	path := head.Path
	if u, err := url.Parse(path); err == nil && u.IsAbs() { // as a client of a proxy writes it
		path = u.RequestURI()
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("the path of the request cannot be read: %w", err)
	}
	u.Scheme, u.Host = p.upstream.Scheme, p.upstream.Host
	if length == 0 {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(p.life, head.Method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.URL, req.ContentLength = u, length
	for _, line := range head.Headers {
		name, value, ok := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		if ok && !slices.Contains(ofOneHop[:], name) {
			req.Header[name] = append(req.Header[name], strings.TrimSpace(value))
		}
	}
	if req.Header["User-Agent"] == nil {
		req.Header["User-Agent"] = []string{""} // or net/http would name itself
	}
	return req, nil
}

// bodyHeld is up to how many bytes of a body of unknown length are read before the
// answer is begun: most are shorter, and their length can be told.
const bodyHeld = 1 << 20

// answer passes the registry's answer on. It reports whether the connection goes on.
func (l *link) answer(e *recording.Exchange, head *recording.Head, sent *tap, resp *http.Response) (more bool) {
	silent := head.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	got := newTap(resp.Body, resp.ContentLength)
	headers := l.proxy.headers(resp.Header)
	var body io.Reader = got
	chunked := false
	switch {
	case silent:
		body = strings.NewReader("")
		if resp.ContentLength >= 0 && head.Method == http.MethodHead {
			headers = append(headers, "Content-Length: "+strconv.FormatInt(resp.ContentLength, 10))
		}
	case resp.ContentLength >= 0:
		headers = append(headers, "Content-Length: "+strconv.FormatInt(resp.ContentLength, 10))
	default:
		held, err := io.ReadAll(io.LimitReader(got, bodyHeld+1))
		body = io.MultiReader(strings.NewReader(string(held)), got)
		if chunked = err != nil || len(held) > bodyHeld; !chunked {
			headers = append(headers, "Content-Length: "+strconv.Itoa(len(held)))
		}
	}
	closing := asksToClose(head) || chunked || !sent.whole()
	if asksToClose(head) {
		headers = append(headers, "Connection: close")
	}
	slices.Sort(headers)
	framing := ""
	if closing && !asksToClose(head) {
		framing = "Connection: close\r\n"
	}
	err := l.write(resp, headers, framing, body)
	l.proxy.finish(e, func(e *recording.Exchange) {
		sent.fill(e)
		e.Status, e.RespHeaders = resp.StatusCode, headers
		if !silent {
			e.RespLen, e.RespSHA256, e.RespBody = got.kept(resp.Header.Get("Content-Type"))
		}
		e.Err = cutShort(got, err)
	})
	if got.failure() != nil {
		recording.HangUp(l.raw)
		return false
	}
	if err != nil || closing || !sent.whole() {
		recording.Part(l.conn, sent.beside(l.r))
		return false
	}
	return true
}

// cutShort is what to say of an answer that did not reach its end.
func cutShort(got *tap, err error) string {
	if broken := got.failure(); broken != nil {
		return fmt.Sprintf("recorder reset the response after %d bytes: %v", got.length(), broken)
	}
	if err != nil {
		return "response: " + err.Error()
	}
	return ""
}

// write sends the answer. A body of unknown length ends with the connection.
func (l *link) write(resp *http.Response, headers []string, framing string, body io.Reader) error {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\n", strings.TrimSpace(resp.Status))
	for _, line := range headers {
		b.WriteString(line + "\r\n")
	}
	b.WriteString(framing + "\r\n")
	if _, err := io.WriteString(l.conn, b.String()); err != nil {
		return err
	}
	_, err := io.Copy(l.conn, body)
	return err
}

func asksToClose(head *recording.Head) bool {
	return head.Proto == "HTTP/1.0" || strings.EqualFold(head.Header("Connection"), "close")
}

// headers are the registry's, with its address replaced by the proxy's. The date
// is left out.
func (p *Proxy) headers(h http.Header) []string {
	scheme := "http"
	if p.config.Certificate != nil {
		scheme = "https"
	}
	name := cmp.Or(p.config.Name, p.Host())
	own := scheme + "://" + name
	var lines []string
	for name, values := range h {
		if name == "Date" || slices.Contains(ofOneHop[:], name) {
			continue
		}
		for _, value := range values {
			for _, theirs := range []string{"http://", "https://"} {
				value = strings.ReplaceAll(value, theirs+p.upstream.Host, own)
			}
			if name == "X-Docker-Endpoints" {
				value = strings.ReplaceAll(value, p.upstream.Host, name)
			}
			lines = append(lines, name+": "+value)
		}
	}
	return lines
}
