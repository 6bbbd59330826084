package fakeregistry_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

func TestProxySpeaksTLSToTheRegistry(t *testing.T) {
	t.Parallel()
	far := start(t, fakeregistry.Config{TLS: true, Registry: fakeregistry.NewV2(fakeregistry.V2Options{})})
	for _, row := range []struct {
		name    string
		options fakeregistry.ProxyOptions
		status  int
	}{
		{"with its authority", fakeregistry.ProxyOptions{CA: far.CAPEM()}, 200},
		{"with no authority", fakeregistry.ProxyOptions{Insecure: true}, 200},
		{"with an authority that it does not know", fakeregistry.ProxyOptions{}, 502},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.options.Upstream = far.URL()
			s := startProxy(t, row.options)
			got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil)
			require.NoError(t, got.Err)
			require.Equal(t, row.status, got.Status)
			p, err := fakeregistry.NewProxy(row.options)
			require.NoError(t, err)
			defer p.Close()
			status, err := p.Check(t.Context())
			if row.status == 200 {
				require.NoError(t, err)
				require.Equal(t, 200, status)
			} else {
				require.ErrorContains(t, err, far.URL()+" cannot be reached: tls: failed to verify certificate")
			}
		})
	}
}

// Realms that lead elsewhere are remembered, for one who must know where a
// registry's clients are sent.
func TestProxyRemembersRealms(t *testing.T) {
	t.Parallel()
	far := start(t, fakeregistry.Config{Registry: handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Www-Authenticate", `Bearer realm="https://auth.example/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	})})
	p, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: far.URL()})
	require.NoError(t, err)
	s := start(t, fakeregistry.Config{Registry: p})
	for range 3 {
		require.Equal(t, 401, do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil).Status)
	}
	require.Equal(t, []string{"auth.example"}, p.Realms())
}

// HTTP/2 clients have many requests on one connection; the registry has one for each.
func TestProxyOfHTTP2(t *testing.T) {
	t.Parallel()
	far := start(t, fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{})})
	p, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: far.URL()})
	require.NoError(t, err)
	s := start(t, fakeregistry.Config{Registry: p, TLS: true, Faults: []fakeregistry.Fault{fault(t, "tls-alpn", "tls", "offer=h2")}})
	c := client(t, s)
	c.Transport.(*http.Transport).ForceAttemptHTTP2, c.Transport.(*http.Transport).DisableKeepAlives = true, false
	for range 3 {
		got := do(t, c, http.MethodGet, s.URL()+"/v2/", nil)
		require.NoError(t, got.Err)
		require.Equal(t, 200, got.Status)
	}
}
