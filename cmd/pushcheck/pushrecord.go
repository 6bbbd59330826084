package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
	"github.com/pushcheck/pushcheck/scenarios/record"
)

// A pushRecording is the recording of a push of ours. A nil one records nothing.
type pushRecording struct {
	dir    string
	host   string // as the push names the registry
	proxy  *record.Proxy
	step   *recording.Step
	stream *pusher.Stream
	said   *bytes.Buffer
}

// startRecording puts a recording proxy between the client of a config and a
// registry. The client keeps the registry's name.
func (f pushFlags) startRecording(ctx context.Context, config *pusher.Config, host string, in recording.Input) (*pushRecording, error) {
	if f.record == "" {
		return nil, nil
	}
	rc := record.Config{Upstream: "http://" + host, Name: host}
	scheme := "http"
	if speaksTLS(ctx, withPort(host)) {
		scheme, rc.Upstream = "https", "https://"+host
		upstream, err := f.recordTLS(config, host, &rc)
		if err != nil {
			return nil, err
		}
		rc.UpstreamTLS = upstream
	}
	p, err := record.Start(ctx, rc)
	if err != nil {
		return nil, broken("", err)
	}
	var d net.Dialer
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == withPort(host) || address == host+":80" {
			address = p.Host()
		}
		return d.DialContext(ctx, network, address)
	}
	in.Secure = scheme == "https" && !f.insecure
	r := &pushRecording{
		dir: f.record, host: host, proxy: p, said: &bytes.Buffer{},
		step: &recording.Step{Client: config.Era.Name, Scenario: filepath.Base(f.record), Name: nextStep(f.record, config.Era.Name), Scheme: scheme, Input: in},
	}
	r.stream = pusher.NewStream(r.said, config.Era)
	return r, nil
}

// recordTLS makes the proxy speak TLS with a certificate that the client believes,
// and says whom the proxy is to believe: whoever the client would have.
func (f pushFlags) recordTLS(config *pusher.Config, host string, rc *record.Config) (*tls.Config, error) {
	cert, pem, err := recording.NewCertificate(hostOf(withPort(host)))
	if err != nil {
		return nil, broken("", err)
	}
	rc.Certificate = &cert
	upstream := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure} //nolint:gosec // asked for
	if f.ca != "" {
		if _, upstream.RootCAs, err = readCA("ca", f.ca); err != nil {
			return nil, err
		}
	}
	if f.insecure {
		return upstream, nil
	}
	config.Secure, config.CertsDir = []string{host}, cmp.Or(config.CertsDir, filepath.Join(config.TempDir, "certs.d"))
	dir := filepath.Join(config.CertsDir, host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, broken("", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), pem, 0o600); err != nil {
		return nil, broken("", err)
	}
	return upstream, nil
}

// speaksTLS asks a port whether it speaks TLS; anything but yes is no.
func speaksTLS(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nothing is said
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, "443")
}

// teller tells the recording what show is told.
func (r *pushRecording) teller(show func(pusher.Event)) func(pusher.Event) {
	if r == nil {
		return show
	}
	return func(e pusher.Event) {
		_ = r.stream.Write(e) // a buffer takes everything
		show(e)
	}
}

// write writes the recording of a push that ended with err.
func (r *pushRecording) write(err error, w io.Writer) error {
	if r == nil {
		return nil
	}
	if err := r.proxy.Close(); err != nil {
		return broken("", err)
	}
	r.step.Exchanges, r.step.Stream = r.proxy.Exchanges(), r.said.Bytes()
	if err != nil {
		r.step.Exit, r.step.Error = scenarios.ExitFailed, err.Error()
		if errors.Is(err, context.Canceled) {
			r.step.Exit = scenarios.ExitInterrupted
		}
	}
	return keepStep(r.dir, r.step, append(r.proxy.Hosts(), r.host), nil, w)
}

func (r *pushRecording) close() {
	if r != nil {
		_ = r.proxy.Close()
	}
}
