package pusher

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
)

// A Version is a generation of the registry protocol.
type Version int

// The protocol generations.
const (
	V1 Version = 1
	V2 Version = 2
)

// String is docker's word for it.
func (v Version) String() string { return fmt.Sprintf("v%d", int(v)) }

// The addresses of docker.io (P-050).
const (
	officialV2 = "https://registry-1.docker.io"
	officialV1 = "https://index.docker.io"
)

// An Endpoint is an address and a version at which a push may be tried.
type Endpoint struct {
	URL      string // "https://127.0.0.1:5000"
	Version  Version
	Mirror   bool
	Official bool // docker.io's own: no version header is demanded (P-061)
	Insecure bool // certificates are not verified (P-057)
}

// An EndpointRule is one line of an era's endpoint order.
type EndpointRule struct {
	Scheme  string // "http" stands only for insecure registries
	Version Version
}

// A target is an endpoint with what is needed to speak to it.
type target struct {
	Endpoint
	tls *tls.Config
}

// targets lists where a push of name may go, in the era's order (P-060 to P-064).
//
// Errors: of the certificates directory, in docker's words (P-057).
func (c *Client) targets(ctx context.Context, name Name) ([]target, error) {
	if name.Index == officialIndex {
		return c.officialTargets(ctx)
	}
	insecure := c.insecure(ctx, name.Index)
	conf, err := c.tlsConfig(name.Index, insecure)
	if err != nil {
		return nil, err
	}
	var list []target
	for _, rule := range c.config.Era.Endpoints {
		if rule.Scheme == "http" && !insecure || rule.Version == V1 && c.config.V2Only {
			continue
		}
		list = append(list, target{
			Endpoint: Endpoint{URL: rule.Scheme + "://" + name.Index, Version: rule.Version, Insecure: insecure},
			tls:      conf,
		})
	}
	return list, nil
}

// officialTargets is targets of docker.io, with the mirrors before it where the
// era pushes to them (P-062).
func (c *Client) officialTargets(ctx context.Context) ([]target, error) {
	var list []target
	if c.config.Era.PushesToMirrors {
		for _, mirror := range c.mirrors {
			insecure := c.insecure(ctx, mirror.Host)
			conf, err := c.tlsConfig(mirror.Host, insecure)
			if err != nil {
				return nil, err
			}
			list = append(list, target{
				Endpoint: Endpoint{URL: mirror.String(), Version: V2, Mirror: true, Insecure: insecure},
				tls:      conf,
			})
		}
	}
	conf, err := c.tlsConfig("", false)
	if err != nil {
		return nil, err
	}
	list = append(list, target{Endpoint: Endpoint{URL: officialV2, Version: V2, Official: true}, tls: conf})
	if c.config.Era.OfficialV1 && !c.config.V2Only {
		if conf, err = c.tlsConfig(officialIndex, false); err != nil {
			return nil, err
		}
		list = append(list, target{Endpoint: Endpoint{URL: officialV1, Version: V1, Official: true}, tls: conf})
	}
	return list, nil
}

// parseMirror checks a mirror and gives it the slash that docker stores it with
// (P-058).
func parseMirror(mirror string) (*url.URL, error) {
	u, err := url.Parse(mirror)
	if err != nil {
		return nil, fmt.Errorf("%s is not a valid URI", mirror)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("Unsupported scheme %s", u.Scheme) //nolint:staticcheck,revive // docker's words
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("Unsupported path/query/fragment at end of the URI") //nolint:staticcheck,revive // docker's words
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}, nil
}

// An insecureList is which registries count as insecure (P-056).
type insecureList struct {
	hosts  map[string]bool // exact name → insecure
	blocks []*net.IPNet
}

// newInsecureList reads --insecure-registry values: CIDR blocks, and hosts for
// everything else. 127.0.0.0/8 is always among them; docker.io never is.
func newInsecureList(insecure, secure []string) insecureList {
	l := insecureList{hosts: map[string]bool{}}
	for _, r := range append(slices.Clone(insecure), "127.0.0.0/8") {
		if _, block, err := net.ParseCIDR(r); err == nil {
			l.blocks = append(l.blocks, block)
			continue
		}
		if r == "index."+officialIndex {
			r = officialIndex
		}
		l.hosts[r] = true
	}
	for _, r := range secure {
		l.hosts[r] = false
	}
	l.hosts[officialIndex] = false
	return l
}

// insecure decides for one registry, "host" or "host:port". A host that cannot
// be looked up is secure unless it is an address.
func (l insecureList) insecure(index string, lookup func(host string) ([]net.IP, error)) bool {
	if known, ok := l.hosts[index]; ok {
		return known
	}
	host, _, err := net.SplitHostPort(index)
	if err != nil {
		host = index
	}
	ips, err := lookup(host)
	if err != nil {
		if ip := net.ParseIP(host); ip != nil {
			ips = []net.IP{ip}
		}
	}
	return slices.ContainsFunc(ips, func(ip net.IP) bool {
		return slices.ContainsFunc(l.blocks, func(b *net.IPNet) bool { return b.Contains(ip) })
	})
}

// insecure decides for one registry with the client's resolver.
func (c *Client) insecure(ctx context.Context, index string) bool {
	return c.insecures.insecure(index, func(host string) ([]net.IP, error) {
		if ip := net.ParseIP(host); ip != nil {
			return []net.IP{ip}, nil // what a lookup of an address answers
		}
		return c.config.Resolve(ctx, host)
	})
}

// systemResolve is the resolver that a nil Config.Resolve stands for.
func systemResolve(ctx context.Context, host string) ([]net.IP, error) {
	return net.DefaultResolver.LookupIP(ctx, "ip", host)
}
