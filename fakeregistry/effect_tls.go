package fakeregistry

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func tlsKinds() []Kind { return append(certificateKinds(), handshakeKinds()...) }

// certificateKinds are certificates that a client should not take.
func certificateKinds() []Kind {
	kind := func(name, doc string, make func(a Args) func(*authority) (tls.Certificate, error), params ...Param) Kind {
		return Kind{
			Name: name, Layer: "tls", Where: []string{"tls"}, Seam: SeamConn, Doc: doc, Params: params,
			New: func(a Args) (Effect, error) { return shown{make: make(a)}, nil },
		}
	}
	fixed := func(make func(*authority) (tls.Certificate, error)) func(Args) func(*authority) (tls.Certificate, error) {
		return func(Args) func(*authority) (tls.Certificate, error) { return make }
	}
	return []Kind{
		kind("tls-expired", "The certificate is past its date.", fixed((*authority).expired)),
		kind("tls-wrong-host", "The certificate is for another name.",
			func(a Args) func(*authority) (tls.Certificate, error) {
				return func(x *authority) (tls.Certificate, error) { return x.named(a.texts("names")) }
			}, Param{Name: "names", Type: ParamStrings, Default: []string{"wrong.invalid"}, Doc: "the names that it is for"}),
		kind("tls-untrusted", "The certificate is of a CA that the client was not given.",
			func(a Args) func(*authority) (tls.Certificate, error) {
				return func(x *authority) (tls.Certificate, error) { return x.untrusted(a.text("kind") == "self-signed") }
			}, enumParam("kind", "by whom it is signed: itself, or a root that nobody knows", "self-signed", "unknown-root")),
		kind("tls-incomplete-chain", "The certificate between root and server is not sent, which browsers forgive and others do not.",
			fixed((*authority).incomplete)),
		{
			Name: "tls-rotates", Layer: "tls", Where: []string{"any"}, Seam: SeamConn,
			Doc:    "The certificate changes between two connections of one push, to another one of the same CA, which all later connections see.",
			Params: []Param{{Name: "after", Type: ParamInt, Default: int64(1), Doc: "how many connections still see the old one"}},
			New:    func(a Args) (Effect, error) { return rotation{after: a.number("after")}, nil },
		},
	}
}

// handshakeKinds are handshakes that fail, hang or never begin.
func handshakeKinds() []Kind {
	return []Kind{
		{
			Name: "tls-old", Layer: "tls", Where: []string{"tls"}, Seam: SeamConn,
			Doc:    "The server speaks only a version that clients of today refuse.",
			Params: []Param{enumParam("max", "the newest version that it speaks", "1.1", "1.0")},
			New: func(a Args) (Effect, error) {
				version := map[string]uint16{"1.1": tls.VersionTLS11, "1.0": tls.VersionTLS10}[a.text("max")]
				return configured(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, version }), nil
			},
		},
		{
			Name: "tls-stall", Layer: "tls", Where: []string{"tls"}, Seam: SeamConn,
			Doc: "The handshake comes to a halt.",
			Params: []Param{
				enumParam("after", "after what: hello is the client's first message, cert the server's certificate, in TLS 1.2", "hello", "cert"),
				timeParam("for", time.Duration(-1), "for how long; then it goes on"),
			},
			New: func(a Args) (Effect, error) { return halt{cert: a.text("after") == "cert", hold: a.time("for")}, nil },
		},
		{
			Name: "tls-plaintext", Layer: "tls", Where: []string{"tls"}, Seam: SeamConn,
			Doc: "The port that the client tries with HTTPS speaks plain HTTP. Whether to go on without TLS must be decided once, and for insecure registries only.",
			New: func(Args) (Effect, error) { return plain{}, nil },
		},
		{
			Name: "tls-client-cert", Layer: "tls", Where: []string{"tls"}, Seam: SeamConn,
			Doc:    "The server demands a certificate of the client, signed by its own CA.",
			Params: []Param{enumParam("send", "what a client without gets: the alert of TLS, or an answer with status 400", "alert", "400")},
			New:    func(a Args) (Effect, error) { return mutual{page: a.text("send") == "400"}, nil },
		},
		{
			Name: "tls-cut", Layer: "tls", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The connection ends below TLS, without the message that says so: what came must not pass as complete.",
			Params: []Param{sizeParam("after", int64(0), "how many bytes of the answer's body pass first")},
			New: func(a Args) (Effect, error) {
				return selective{truncation{a.number("after")}, func(q *query) bool { return q.r.TLS != nil }}, nil
			},
		},
		{
			Name: "tls-alpn", Layer: "tls", Where: []string{"tls"}, Seam: SeamConn,
			Doc:    "The server knows one protocol only, or does not negotiate any.",
			Params: []Param{enumParam("offer", "the protocol", "h2", "http/1.1", "none")},
			New: func(a Args) (Effect, error) {
				return configured(func(c *tls.Config) { offerOnly(c, a.text("offer")) }), nil
			},
		},
	}
}

// offerOnly lets a server know one protocol. Go's own does not mind a client that
// knows HTTP/1.1 only where it knows HTTP/2 only; others do.
func offerOnly(c *tls.Config, protocol string) {
	if protocol == "none" {
		c.NextProtos = nil
		return
	}
	c.NextProtos = []string{protocol}
	strict := c.Clone()
	strict.NextProtos = []string{"no protocol"}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(hello.SupportedProtos) > 0 && !slices.Contains(hello.SupportedProtos, protocol) {
			return strict, nil
		}
		return nil, nil //nolint:nilnil // it means the config that there is
	}
}

// A handshaking effect strikes a connection before its TLS begins.
type handshaking interface {
	// handshake changes config, a copy of its own. plain says that TLS is not
	// spoken at all.
	handshake(s *strike, c *conn, a *authority, config *tls.Config) (plain bool, err error)
}

// A tlsFault strikes handshakes.
type tlsFault struct{}

// places: whatever was written, it strikes where TLS begins.
func (tlsFault) places([]Pattern) ([]Pattern, string) { return patterns("tls"), "" }

// Disturb implements Effect; a handshake has no request.
func (tlsFault) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) { pass(w, r, next) }

// Class implements Classed.
func (tlsFault) Class() Class { return ClassBreak }

// shown is another certificate.
type shown struct {
	tlsFault
	make func(*authority) (tls.Certificate, error)
}

func (e shown) handshake(_ *strike, _ *conn, a *authority, config *tls.Config) (bool, error) {
	cert, err := e.make(a)
	show(config, cert)
	return false, err
}

// show makes cert the server's certificate.
func show(config *tls.Config, cert tls.Certificate) {
	config.Certificates, config.GetCertificate = []tls.Certificate{cert}, nil
}

// rotation shows another certificate after a while.
type rotation struct {
	tlsFault
	after int64
}

func (e rotation) handshake(s *strike, _ *conn, a *authority, config *tls.Config) (bool, error) { //nolint:unparam // of an interface
	seen := int64(0)
	s.note("connections", func(n *int64) { *n++; seen = *n })
	if seen <= e.after {
		s.missed()
		return false, nil
	}
	cert, err := a.second()
	show(config, cert)
	return false, err
}

// settings is another way to speak TLS.
type settings struct {
	tlsFault
	change func(*tls.Config)
}

func configured(change func(*tls.Config)) Effect { return settings{change: change} }

func (e settings) handshake(_ *strike, _ *conn, _ *authority, config *tls.Config) (bool, error) { //nolint:unparam // of an interface
	e.change(config)
	return false, nil
}

// halt stops a handshake.
type halt struct {
	tlsFault
	cert bool
	hold time.Duration
}

func (e halt) handshake(s *strike, c *conn, _ *authority, config *tls.Config) (bool, error) { //nolint:unparam // of an interface
	if e.cert {
		config.MaxVersion = tls.VersionTLS12 // in 1.3 nothing comes after it that a client waits for
		c.patient = true
	}
	c.before = func(ctx context.Context) {
		_ = s.server().clock.Hold(ctx, c.link, e.hold) // ends with the connection at the latest
	}
	return false, nil
}

// plain speaks no TLS.
type plain struct{ tlsFault }

func (plain) handshake(*strike, *conn, *authority, *tls.Config) (bool, error) { return true, nil }

// mutual wants to see a certificate.
type mutual struct {
	tlsFault
	page bool
}

func (e mutual) handshake(_ *strike, c *conn, a *authority, config *tls.Config) (bool, error) { //nolint:unparam // of an interface
	if err := a.ready(); err != nil {
		return false, err
	}
	config.ClientCAs = a.pool()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if e.page {
		config.ClientAuth = tls.VerifyClientCertIfGiven
		c.wantsCert = true
	}
	return false, nil
}

// demanding refuses requests of connections whose client should have shown a
// certificate and did not, as proxies do.
func demanding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r.Context()); c != nil && c.wantsCert && r.TLS != nil && len(r.TLS.PeerCertificates) == 0 {
			drain(r)
			p := pageOf(http.StatusBadRequest, "html", "")
			p.body = "<html>\n<head><title>400 No required SSL certificate was sent</title></head>\n</html>\n"
			p.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// truncation ends a connection below TLS.
type truncation struct{ after int64 }

// Class implements Classed.
func (truncation) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (e truncation) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	out := &cutWriter{ResponseWriter: w, left: e.after, cut: func() {
		s.took(r.Context())
		wire.MarkFailure(r.Context(), wire.FailureClosed, "the fault ended the connection below TLS")
		if s != nil {
			s.broke = wire.FailureClosed
		}
		if c := connOf(r.Context()); c != nil {
			c.truncate()
		}
	}}
	next.ServeHTTP(out, r)
	out.WriteHeader(http.StatusOK)
	if out.done {
		abort()
	}
	s.missed()
}

// secured lets faults strike the beginning of TLS on a connection. It returns how
// to speak it; nil is not at all.
func (in *injector) secured(c *conn, addr string, a *authority) (*tls.Config, error) {
	config := a.config
	if in.offersH2() {
		config = config.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	if !in.strikesTLS() {
		return config, nil
	}
	q := connQuery(wire.OpTLS, addr, c.link)
	var hits []hit
	in.mu.Lock()
	for _, r := range *in.rules.Load() {
		if _, ok := r.Effect.(handshaking); ok && r.match.op(wire.OpTLS) && r.match.request(q) {
			hits = in.ask(r, q, hits)
		}
	}
	in.mu.Unlock()
	var errs []error
	for _, h := range hits {
		config = config.Clone()
		isPlain, err := h.effect.(handshaking).handshake(h.strike, c, a, config) //nolint:errcheck,forcetypeassert // seen above
		errs = append(errs, err)
		if h.strike.told.CompareAndSwap(false, true) {
			h.strike.announce()
			in.bench.recorder.MarkLink(c.link, h.strike.firing.Fault)
		}
		if isPlain {
			return nil, errors.Join(errs...)
		}
	}
	return config, errors.Join(errs...)
}

// strikesTLS reports whether there are faults that strike handshakes.
func (in *injector) strikesTLS() bool {
	for _, r := range *in.rules.Load() {
		if _, ok := r.Effect.(handshaking); ok {
			return true
		}
	}
	return false
}
