package scenarios

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"cuelabs.dev/go/oci/ociregistry/ociauth"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A remote is a registry of somebody else's as the bench itself asks it: past the
// proxy and its faults, with credentials of its own.
type remote struct {
	base   *url.URL
	client *http.Client

	mu     sync.Mutex // guards failed
	failed error      // the first question that it did not answer
}

// answerTime is how long a registry may take to begin an answer to the bench.
const answerTime = 30 * time.Second

// newRemote makes what asks the registry of spec. It asks nothing yet.
//
// Errors: an address that is none.
func newRemote(spec Registry, ca []byte) (*remote, error) {
	base, err := url.Parse(spec.URL)
	if err != nil {
		return nil, errors.New("its url is not an address")
	}
	t := &http.Transport{
		DisableCompression: true, ResponseHeaderTimeout: answerTime, TLSHandshakeTimeout: answerTime,
		DialContext:     (&net.Dialer{Timeout: answerTime}).DialContext,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: spec.Insecure}, //nolint:gosec // asked for
	}
	if ca != nil {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca) // NewProxy has seen that there is one
	}
	login := loginOf{host: base.Host, entry: ociauth.ConfigEntry{Username: spec.User, Password: spec.Password}}
	return &remote{base: base, client: &http.Client{
		Transport: ociauth.NewStdTransport(ociauth.StdTransportParams{Config: login, Transport: t}),
	}}, nil
}

// A loginOf is the credentials for one host, and for no other.
type loginOf struct {
	host  string
	entry ociauth.ConfigEntry
}

// EntryForRegistry implements ociauth.Config.
func (l loginOf) EntryForRegistry(host string) (ociauth.ConfigEntry, error) {
	if host != l.host {
		return ociauth.ConfigEntry{}, nil
	}
	return l.entry, nil
}

// ServeHTTP asks the registry what r asks.
func (m *remote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u := *m.base
	u.Path, u.RawQuery = r.URL.Path, r.URL.RawQuery
	out := (&http.Request{Method: r.Method, URL: &u, Header: r.Header.Clone(), Host: u.Host}).WithContext(r.Context())
	resp, err := m.client.Do(out)
	if err != nil {
		m.fail(fmt.Errorf("%s %s: %w", r.Method, u.String(), withoutURL(err)))
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	if r.Method != http.MethodDelete && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden || resp.StatusCode >= 500) {
		m.fail(fmt.Errorf("%s %s: %s", r.Method, u.String(), resp.Status))
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		m.fail(fmt.Errorf("%s %s: its answer broke off: %w", r.Method, u.String(), err))
	}
}

// withoutURL is an error of http.Client without the address, which is said anyway.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (m *remote) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = err
	}
}

// unseen is why something could not be found out; nil when all could.
func (m *remote) unseen() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Storage implements fakeregistry.Registry: there is none.
func (m *remote) Storage() *fakeregistry.Storage { return nil }

// Close implements fakeregistry.Registry.
func (m *remote) Close() error {
	m.client.CloseIdleConnections()
	return nil
}

// unseen is why the state of a registry of somebody else's is not known; nil when
// it is.
func (w *world) unseen() error {
	for _, h := range w.hosts {
		m, ok := h.look.registry.(*remote)
		if !ok || m.unseen() == nil {
			continue
		}
		hint := "give registry a user and a password that may read and, for cleanup, delete"
		if h.spec.User != "" {
			hint = "see whether registry's user may read there"
		}
		return fmt.Errorf("what the registry holds cannot be found out: %w; %s", m.unseen(), hint)
	}
	return nil
}

// reachable asks whether the registries of somebody else's are there at all.
//
// Errors: one that is not.
func (w *world) reachable(ctx context.Context) error {
	for _, h := range w.hosts {
		if p, ok := h.registry.(*fakeregistry.Proxy); ok {
			if _, err := p.Check(ctx); err != nil {
				return fmt.Errorf("registry: %w", err)
			}
		}
	}
	return nil
}

// tidy deletes what was pushed to registries of somebody else's, as far as they
// allow it.
func (w *world) tidy(ctx context.Context, pushes []*seenPush) {
	look := w.hosts[0].look
	if _, ok := look.registry.(*remote); !ok || !w.s.Cleanup {
		return
	}
	for _, p := range pushes {
		base := "/v2/" + p.repository
		for _, tag := range p.tags {
			t := p.after.tags[tagKey(p.repository, tag)]
			if t.digest == "" || t.same(p.before.tags[tagKey(p.repository, tag)]) {
				continue
			}
			for _, d := range []digest.Digest{t.payload, t.digest} { // a signed one is known by its payload
				if d != "" {
					look.ask(ctx, http.MethodDelete, base+"/manifests/"+d.String(), io.Discard)
				}
			}
		}
		for d, b := range p.after.blobs {
			if b.present {
				look.ask(ctx, http.MethodDelete, base+"/blobs/"+d.String(), io.Discard)
			}
		}
	}
}

// realmsOf are the hosts to which a registry of somebody else's itself sends
// clients for a token.
func realmsOf(r fakeregistry.Registry) []string {
	if p, ok := r.(*fakeregistry.Proxy); ok {
		return p.Realms()
	}
	return nil
}
