package pusher

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// newTestClient makes a client of docker 1.8 on an empty store whose resolver
// knows two hosts.
func newTestClient(t *testing.T, c Config) *Client {
	t.Helper()
	if c.Images == nil {
		store, err := image.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		c.Images = store
	}
	if c.Resolve == nil {
		c.Resolve = func(_ context.Context, host string) ([]net.IP, error) {
			switch host {
			case "localhost":
				return []net.IP{net.IPv6loopback, net.IPv4(127, 0, 0, 1)}, nil
			case "registry.example":
				return []net.IP{net.IPv4(192, 0, 2, 7)}, nil
			}
			return nil, errors.New("no such host")
		}
	}
	if c.Era.Name == "" {
		c.Era = Docker18()
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	four := func(host string) []Endpoint {
		return []Endpoint{
			{URL: "https://" + host, Version: V2, Insecure: true},
			{URL: "http://" + host, Version: V2, Insecure: true},
			{URL: "https://" + host, Version: V1, Insecure: true},
			{URL: "http://" + host, Version: V1, Insecure: true},
		}
	}
	secure := []Endpoint{{URL: "https://registry.example", Version: V2}, {URL: "https://registry.example", Version: V1}}
	hub := []Endpoint{{URL: officialV2, Version: V2, Official: true}, {URL: officialV1, Version: V1, Official: true}}
	mirror := []Endpoint{{URL: "https://mirror.example/", Version: V2, Mirror: true}, {URL: "http://127.0.0.1:5001/", Version: V2, Mirror: true, Insecure: true}}
	tests := []struct {
		name       string
		config     Config
		repository string
		want       []Endpoint
	}{
		{"loopback", Config{}, "127.0.0.1:5000/a", four("127.0.0.1:5000")},
		{"a name of loopback", Config{}, "localhost:5000/a", four("localhost:5000")},
		{"a secure host", Config{}, "registry.example/a", secure},
		{"an insecure host", Config{InsecureRegistries: []string{"registry.example"}}, "registry.example/a", four("registry.example")},
		{"only V2", Config{V2Only: true}, "localhost/a", four("localhost")[:2]},
		{"only V2, secure", Config{V2Only: true}, "registry.example/a", secure[:1]},
		{"docker.io", Config{}, "ubuntu", hub},
		{"docker.io is never insecure", Config{InsecureRegistries: []string{"docker.io", "0.0.0.0/0"}}, "ubuntu", hub},
		{"docker.io, only V2", Config{V2Only: true}, "a/b", hub[:1]},
		{"mirrors come first", Config{Mirrors: []string{"https://mirror.example", "http://127.0.0.1:5001"}}, "ubuntu", append(mirror, hub...)}, // P-510
		{"mirrors are docker.io's alone", Config{Mirrors: []string{"https://mirror.example"}}, "registry.example/a", secure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name, err := ParseName(tt.repository)
			if err != nil {
				t.Fatal(err)
			}
			targets, err := newTestClient(t, tt.config).targets(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			var got []Endpoint
			for _, target := range targets {
				got = append(got, target.Endpoint)
				if target.tls.InsecureSkipVerify != target.Insecure {
					t.Errorf("%s %s: verification is %v", target.Version, target.URL, !target.tls.InsecureSkipVerify)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestInsecure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		index    string
		insecure []string
		secure   []string
		want     bool
	}{
		{index: "127.0.0.1:5000", want: true},
		{index: "127.9.9.9", want: true},
		{index: "localhost:5000", want: true},
		{index: "[::1]:5000", want: false},
		{index: "[::1]:5000", insecure: []string{"::1/128"}, want: true},
		{index: "registry.example:5000", want: false},
		{index: "registry.example:5000", insecure: []string{"registry.example"}, want: false},
		{index: "registry.example:5000", insecure: []string{"registry.example:5000"}, want: true},
		{index: "registry.example:5000", insecure: []string{"192.0.2.0/24"}, want: true},
		{index: "registry.example", insecure: []string{"192.0.3.0/24"}, want: false},
		{index: "unknown.example", insecure: []string{"0.0.0.0/0"}, want: false},
		{index: "unknown.example", insecure: []string{"unknown.example"}, want: true},
		{index: "198.51.100.1:443", insecure: []string{"198.51.100.0/24"}, want: true},
		{index: "127.0.0.1:5000", secure: []string{"127.0.0.1:5000"}, want: false},
		{index: "docker.io", insecure: []string{"docker.io"}, want: false},
	}
	for _, tt := range tests {
		c := newTestClient(t, Config{InsecureRegistries: tt.insecure, Secure: tt.secure})
		if got := c.insecure(t.Context(), tt.index); got != tt.want {
			t.Errorf("%s with %v: insecure %v, want %v", tt.index, tt.insecure, got, tt.want)
		}
	}
}

func TestMirrorErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"ftp://mirror.example":    "Unsupported scheme ftp",
		"mirror.example":          "Unsupported scheme ",
		"https://mirror.example/": "Unsupported path/query/fragment at end of the URI",
		"https://m.example?x":     "Unsupported path/query/fragment at end of the URI",
		"https://m.example#x":     "Unsupported path/query/fragment at end of the URI",
		"https://%zz":             "https://%zz is not a valid URI",
	}
	for mirror, want := range tests {
		if _, err := parseMirror(mirror); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", mirror, err, want)
		}
	}
}
