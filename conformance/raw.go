package conformance

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// raw sends bytes that are no request which net/http would send, and reads one
// answer. With cut, it ends the connection after the bytes instead.
//
// Errors: a *SkipError when the target's transport is not one that dials.
func (p *Probe) raw(ctx context.Context, text string, cut bool) (status int, err error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(p.clock.Now().Add(min(p.timeout, 10*time.Second)))
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, nil //nolint:nilerr // the registry closed first: there is no answer
	}
	if cut {
		p.hangUp(conn)
		return 0, nil
	}
	if status, err = p.hear(conn); err != nil {
		return 0, nil //nolint:nilerr // no answer
	}
	return status, nil
}

// hear reads one answer of a raw connection.
func (p *Probe) hear(conn net.Conn) (int, error) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// told says what a raw status was, in words.
func told(status int) string {
	if status == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status)))
}

// cutWait is how long a registry may take to notice that a body will not go on.
const cutWait = 2 * time.Second

// hangUp ends what is sent in the middle of a body, and waits until the registry has
// noticed and ended the connection from its side: what is asked next is asked
// after that. A registry that does not notice costs cutWait.
func (p *Probe) hangUp(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = conn.SetReadDeadline(p.clock.Now().Add(min(p.timeout, cutWait)))
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 64<<10)) // an answer, if it gives one, does not matter
}

// dial opens a connection to the registry.
func (p *Probe) dial(ctx context.Context) (net.Conn, error) {
	t, ok := p.transport.(*http.Transport)
	if !ok || t.Proxy != nil && p.base.Scheme == "https" && proxied(t, p.base) {
		return nil, &SkipError{Reason: "there is no way to a socket of the registry"}
	}
	if err := p.manners.take(ctx, 0); err != nil {
		return nil, err
	}
	host := net.JoinHostPort(p.base.Hostname(), portOf(p.base))
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", host)
	if err != nil || p.base.Scheme == "http" {
		return conn, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	config.ServerName, config.NextProtos = p.base.Hostname(), []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// dialled is dial, for whoever would say where to.
func (p *Probe) dialled(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) }

func proxied(t *http.Transport, to *url.URL) bool {
	u, err := t.Proxy(&http.Request{URL: to})
	return err != nil || u != nil
}

// head of a raw request to an address of the registry, with what gets one in.
func (p *Probe) rawHead(method, address string, lines ...string) (string, error) {
	u, err := p.base.Parse(address)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u.RequestURI(), u.Host)
	if value := p.authorization(request{method: method, url: address}); value != "" && p.sameHost(u) {
		b.WriteString("Authorization: " + value + "\r\n")
	}
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	return b.String() + "\r\n", nil
}

// rawViolation is what a check returns when a raw request was not answered as it
// should be. It shows the request, without what gets one in.
func (p *Probe) rawViolation(text string, status int, want, got string) *Violation {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	e := wire.Exchange{Seq: p.began(), Response: wire.Response{Status: status}}
	method, target, _ := strings.Cut(lines[0], " ")
	target, _, _ = strings.Cut(target, " ")
	e.Request = wire.Request{Method: method, Scheme: p.base.Scheme, Host: p.base.Host, Target: target, Header: http.Header{}}
	if u, err := p.base.Parse(target); err == nil {
		e.Route = wire.ParseRoute(method, u)
	}
	for i, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if strings.EqualFold(name, "Authorization") {
			lines[i+1] = "Authorization: …"
			continue
		}
		e.Request.Header.Add(name, value)
	}
	to := "nc " + p.base.Hostname() + " " + portOf(p.base)
	if p.base.Scheme == "https" {
		to = "openssl s_client -quiet -connect " + net.JoinHostPort(p.base.Hostname(), portOf(p.base))
	}
	escaped := strings.NewReplacer(`\`, `\\`, "\r", `\r`, "\n", `\n`, "'", `'\''`).Replace(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
	return &Violation{Want: want, Got: got, Exchange: &e, Curl: "printf '%b' '" + escaped + "' | " + to}
}

// portOf is the port of an address, the scheme's own where none is written.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
