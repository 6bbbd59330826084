package conformance

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// transportChecks look at what is below the protocol.
func transportChecks() list { return list{ping06, http02, http05, http07, http10, mono15} }

var errNoTLS = &SkipError{Reason: "the registry is asked without TLS"}

// shake makes a TLS handshake of its own.
func (p *Probe) shake(ctx context.Context, change func(c *tls.Config)) (*tls.ConnectionState, error) {
	t, ok := p.transport.(*http.Transport)
	if !ok {
		return nil, &SkipError{Reason: "there is no way to a socket of the registry"}
	}
	config := &tls.Config{} //nolint:gosec // the check sets the version
	if t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	config.ServerName, config.NextProtos = p.base.Hostname(), []string{"h2", "http/1.1"}
	change(config)
	if err := p.manners.take(ctx, 0); err != nil {
		return nil, err
	}
	ctx, cancel := p.clock.WithTimeout(ctx, p.timeout)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.base.Hostname(), portOf(p.base)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState() //nolint:forcetypeassert // crypto/tls says so
	return &state, nil
}

var ping06 = &Check{
	ID: "ping-06", Level: May, Pull: true, Silent: true, Spec: "TLS", Requires: list{ping01},
	Doc:   "the certificate is good for the registry's name, and nothing older than TLS 1.2 is spoken",
	Hurts: "docker, which refuses any other certificate unless the registry is insecure",
	Run: func(ctx context.Context, p *Probe) error {
		if p.base.Scheme != "https" {
			return errNoTLS
		}
		state, err := p.shake(ctx, func(c *tls.Config) { c.InsecureSkipVerify, c.MinVersion = false, tls.VersionTLS12 })
		if skip := new(SkipError); errors.As(err, &skip) {
			return err
		}
		if err != nil {
			return &Violation{Want: "a certificate that is good for " + p.base.Hostname(), Got: err.Error()}
		}
		p.note("speaks", strings.TrimSuffix(tls.VersionName(state.Version)+" "+state.NegotiatedProtocol, " "))
		_, err = p.shake(ctx, func(c *tls.Config) {
			c.InsecureSkipVerify, c.MinVersion, c.MaxVersion = true, tls.VersionTLS10, tls.VersionTLS11
		})
		if err == nil {
			return &Violation{Want: "TLS 1.2 or later", Got: "TLS 1.1 or 1.0 too"}
		}
		return ctx.Err()
	},
}

var http02 = &Check{
	ID: "http-02", Level: May, Silent: true, Spec: "HTTP/2", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "over HTTP/2, where it is offered, a push is answered as over HTTP/1.1",
	Hurts: "every client written in Go, which takes HTTP/2 where it is offered",
	Run: func(ctx context.Context, p *Probe) error {
		t, ok := p.transport.(*http.Transport)
		if p.base.Scheme != "https" || !ok {
			return errNoTLS
		}
		state, err := p.shake(ctx, func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 })
		if err != nil {
			return err
		}
		if state.NegotiatedProtocol != "h2" {
			return &SkipError{Reason: "there is no HTTP/2"}
		}
		var said [2][]string
		for i, two := range []bool{false, true} {
			via := t.Clone()
			via.Protocols = new(http.Protocols)
			via.Protocols.SetHTTP1(!two)
			via.Protocols.SetHTTP2(two)
			said[i], err = p.pushVia(ctx, via, fmt.Sprint("over ", i))
			via.CloseIdleConnections()
			if err != nil {
				return err
			}
		}
		one, two := strings.Join(said[0], " "), strings.Join(said[1], " ")
		if one != two {
			return &Violation{Want: "over HTTP/2 what HTTP/1.1 gets: " + one, Got: two}
		}
		return nil
	},
}

// pushVia pushes a blob over a transport, and tells the statuses.
func (p *Probe) pushVia(ctx context.Context, via http.RoundTripper, name string) ([]string, error) {
	b := p.blob(name, 3000)
	a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, via: via})
	if err != nil {
		return nil, err
	}
	said := []string{a.said()}
	location, err := a.location()
	if err != nil {
		return nil, of("mono-02", err)
	}
	for _, r := range []request{
		{method: http.MethodPut, url: withDigest(location, b.digest.String()), body: b.data, header: header("Content-Type", "application/octet-stream")},
		{method: http.MethodHead, url: blobPath(p.Repository, b.digest)},
		{method: http.MethodGet, url: blobPath(p.Repository, b.digest)},
		{method: http.MethodGet, url: blobPath(p.Repository, p.blob("absent", 10).digest)},
	} {
		r.via = via
		if a, err = p.send(ctx, r); err != nil {
			return nil, err
		}
		said = append(said, a.said())
	}
	p.remember(blobPath(p.Repository, b.digest))
	return said, nil
}

var http05 = &Check{
	ID: "http-05", Level: Should, Timed: true, Silent: true, Spec: "HTTP/1.1", Requires: list{mono02},
	Doc:   "a refusal that comes while a large body is sent can be read: the connection is not reset before",
	Hurts: "docker, which says \"connection reset\" or \"broken pipe\" in place of what is wrong",
	Run: func(ctx context.Context, p *Probe) error {
		var last error
		failed := 0
		for range 3 { // it is a race, and one that is lost once is no verdict
			_, err := p.send(ctx, request{
				method: http.MethodPut, url: withDigest(uploadsPath(p.Repository)+"00000000-0000-4000-8000-000000000000", p.blob("b", 9).digest.String()),
				large: &largeBlob{size: 2 << 20, block: p.blob("block", 64<<10).data}, header: header("Content-Type", "application/octet-stream"),
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed, last = failed+1, err
			}
		}
		if failed > 1 {
			return last
		}
		return nil
	},
}

var http07 = &Check{
	ID: "http-07", Level: May, Spec: "proxying", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a ?ns= that a mirror would look at changes nothing, or comes back in OCI-Namespace",
	Hurts: "containerd, which sends it to every mirror",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.get(ctx, manifestPath(p.Repository, "tag")+"?ns=registry.example", "Accept", acceptAll)
		if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data)); err != nil {
			return err
		}
		if said := a.header.Get("Oci-Namespace"); said != "" && said != "registry.example" {
			return a.violation("OCI-Namespace registry.example, or none", said)
		}
		return nil
	},
}

var http10 = &Check{
	ID: "http-10", Level: May, Silent: true, Spec: "names of upload urls", Requires: list{mono02},
	Doc:   "an absolute Location has the port and the brackets of the address that was asked",
	Hurts: "users of registries on another port, or of IPv6: \"blob upload unknown\"",
	Run: func(ctx context.Context, p *Probe) error {
		port := p.base.Port()
		if port == "" {
			port = "5443"
		}
		for _, host := range []string{p.base.Host, "[::1]:" + port} {
			a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, header: header("Host", host)})
			if err != nil {
				return err
			}
			if a.status != http.StatusAccepted {
				if host == p.base.Host {
					return of("mono-01", a.want(http.StatusAccepted))
				}
				continue // a registry need not answer to every name
			}
			said := a.header.Get("Location")
			u, err := url.Parse(said)
			if err != nil {
				return a.violation("a Location that is a URL", said)
			}
			asked := &url.URL{Host: host}
			if u.Host != "" && strings.EqualFold(u.Hostname(), asked.Hostname()) && u.Port() != asked.Port() {
				return a.violation("a Location at "+host, said)
			}
		}
		return nil
	},
}

var mono15 = &Check{
	ID: "mono-15", Level: Should, Timed: true, Silent: true, Spec: "HTTP/1.1 framing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "what comes after a body's Content-Length is no part of the blob, nor of the next request's answer",
	Hurts: "users behind a proxy: requests of others can be smuggled in",
	Run: func(ctx context.Context, p *Probe) error {
		whole := p.blob("overlong", 150)
		part := blob{digestOf(whole.data[:100]), whole.data[:100]}
		for _, b := range []blob{part, whole} {
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return err
			}
			text, status, second, err := p.overlong(ctx, s, b, whole.data)
			if err != nil {
				return err
			}
			switch {
			case status >= 500 || second >= 500 && second != http.StatusNotImplemented:
				return p.rawViolation(text, max(status, second), "statuses below 500 to a body of 100 bytes and 50 more", told(max(status, second)))
			case len(b.data) == 150 && status/100 == 2:
				return p.rawViolation(text, status, "no 201 for 150 bytes where Content-Length is 100", told(status))
			case len(b.data) == 100 && status == http.StatusCreated:
				if err := p.kept(ctx, b); err != nil {
					return err
				}
			case len(b.data) == 100 && status/100 != 4 && status != 0:
				return p.rawViolation(text, status, "201, or a 4xx, to a body of 100 bytes and 50 more", told(status))
			}
			s.cancel(ctx)
		}
		return nil
	},
}

// overlong closes an upload with 150 bytes of which Content-Length names 100, and
// tells the status of that and of what follows; 0 where there is no answer.
func (p *Probe) overlong(ctx context.Context, s *session, b blob, data []byte) (text string, status, second int, err error) {
	head, err := p.rawHead(http.MethodPut, withDigest(s.location, b.digest.String()), "Content-Type: application/octet-stream", "Content-Length: "+strconv.Itoa(100))
	if err != nil {
		return "", 0, 0, err
	}
	conn, err := p.dial(ctx)
	if err != nil {
		return "", 0, 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(p.clock.Now().Add(min(p.timeout, p.options.Prompt)))
	text = head + string(data) + "\r\n\r\n"
	if _, err := io.WriteString(conn, text); err != nil {
		return text, 0, 0, nil //nolint:nilerr // the registry closed first: there is no answer
	}
	in := bufio.NewReader(conn)
	for i := range 2 {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return text, status, 0, nil //nolint:nilerr // no answer
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, bodyLimit))
		_ = resp.Body.Close()
		if i == 0 {
			status = resp.StatusCode
		} else {
			second = resp.StatusCode
		}
	}
	return text, status, second, nil
}
