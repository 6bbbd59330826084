package conformance

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A keyring is what a run knows of how to get in. It is shared by its probes.
type keyring struct {
	mu     sync.Mutex        // guards everything below
	basic  bool              // the registry asked for name and password
	tokens map[string]string // by repository: the last token for it
	issued map[string]bool   // every token that was given out: none of them may stand in a report
}

// keep notes a token that was given out.
func (k *keyring) keep(tokens ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tokens {
		if len(t) > 8 { // a shorter one would blot out words
			k.issued[t] = true
		}
	}
}

// secrets are the tokens that were given out.
func (k *keyring) secrets() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.issued))
}

// repositoryOf is the repository that a request is about.
func (p *Probe) repositoryOf(r request) string {
	u, err := p.base.Parse(r.url)
	if err != nil {
		return ""
	}
	path := *u
	path.Path = strings.TrimPrefix(u.Path, p.base.Path)
	return wire.ParseRoute(r.method, &path).Repository
}

// authorization is what a request carries before anybody asked.
func (p *Probe) authorization(r request) string {
	if r.bare {
		return ""
	}
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	if p.keys.basic {
		return p.basicValue()
	}
	if len(p.keys.tokens) == 0 {
		return "" // as long as nobody asked, what a request is about need not be known
	}
	return p.keys.tokens[p.tokenKey(r)]
}

// tokenKey is under what a token is kept: where one request needs more than
// another for the same repository, so does its key.
func (p *Probe) tokenKey(r request) string {
	key := p.repositoryOf(r)
	if key == "" {
		key = p.Repository
	}
	if r.method == http.MethodDelete {
		key += " delete"
	}
	if strings.Contains(r.url, "from=") {
		key += " " + r.url
	}
	return key
}

func (p *Probe) basicValue() string {
	return basicOf(p.credentials.Username, p.credentials.Password)
}

// basicOf is the Authorization of a name and a password.
func basicOf(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// authorize answers the challenges of a 401. It returns "" where none can be
// answered; the 401 then stands.
func (p *Probe) authorize(ctx context.Context, r request, a *answer) (string, error) {
	for _, c := range challengesOf(a.header) {
		switch {
		case c.scheme == "bearer" && p.credentials.RegistryToken != "":
			return "Bearer " + p.credentials.RegistryToken, nil
		case c.scheme == "bearer":
			token, err := p.token(ctx, r, c)
			if err != nil {
				return "", err
			}
			value := "Bearer " + token
			p.keys.mu.Lock()
			p.keys.tokens[p.tokenKey(r)] = value
			p.keys.mu.Unlock()
			return value, nil
		case c.scheme == "basic" && p.credentials.Username != "":
			p.keys.mu.Lock()
			p.keys.basic = true
			p.keys.mu.Unlock()
			return p.basicValue(), nil
		}
	}
	return "", nil
}

// A tokenReply is what a token service says.
type tokenReply struct {
	Token       string `json:"token"`
	AccessToken string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// A tokenAnswer is a reply, and the answer that it came in.
type tokenAnswer struct {
	reply  tokenReply
	answer *answer
}

// token asks the realm of a challenge for a token.
//
// Errors: a *Violation when the service does not give one; another when the realm
// is one that no credential should go to.
func (p *Probe) token(ctx context.Context, r request, c challenge) (string, error) {
	said, err := p.fetchToken(ctx, r, c)
	if err != nil {
		return "", err
	}
	return said.reply.word(), nil
}

// word is the token itself.
func (t tokenReply) word() string {
	if t.Token != "" {
		return t.Token
	}
	return t.AccessToken
}

func (p *Probe) fetchToken(ctx context.Context, r request, c challenge) (tokenAnswer, error) {
	realm, err := url.Parse(c.params["realm"])
	if err != nil || realm.Host == "" {
		return tokenAnswer{}, fmt.Errorf("the challenge names no realm that could be asked: %q", c.params["realm"])
	}
	if err := p.trusts(realm); err != nil {
		return tokenAnswer{}, err
	}
	q := realm.Query()
	if s := c.params["service"]; s != "" {
		q.Set("service", s)
	}
	for _, scope := range p.scopes(r, c.params["scope"]) {
		q.Add("scope", scope)
	}
	value := ""
	if p.credentials.Username != "" {
		q.Set("account", p.credentials.Username)
		value = p.basicValue()
	}
	realm.RawQuery = q.Encode()
	return p.decodeToken(p.askRealm(ctx, realm, value))
}

// decodeToken reads what a token service answered.
func (p *Probe) decodeToken(a *answer) (tokenAnswer, error) {
	if a.err != nil {
		return tokenAnswer{}, fmt.Errorf("the token service: %w", a.err)
	}
	var said tokenReply
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil || said.Token+said.AccessToken == "" {
		return tokenAnswer{}, a.violation("a token from the service that the challenge names", a.said())
	}
	p.keys.keep(said.Token, said.AccessToken, said.Refresh)
	return tokenAnswer{said, a}, nil
}

// askRealm is the one request that takes credentials to another host.
func (p *Probe) askRealm(ctx context.Context, realm *url.URL, value string) *answer {
	r := request{method: http.MethodGet, url: realm.String(), realm: true}
	if value != "" && !p.sameHost(realm) {
		r.header = header("Authorization", value)
	}
	a, _ := p.once(ctx, r, value)
	a.req.header = nil // no command shows it
	return a
}

// trusts says why credentials must not go to a realm, or nil.
func (p *Probe) trusts(realm *url.URL) error {
	if p.real != nil && originOf(realm) == originOf(p.base) {
		return nil // the proxy of the run's own, in the registry's name
	}
	base := cmp.Or(p.real, p.base)
	if realm.Scheme != "https" && realm.Scheme != base.Scheme {
		return fmt.Errorf("the registry speaks %s and sends its users to the realm %s: credentials stay here", base.Scheme, realm.Host)
	}
	if isLocal(realm.Hostname()) && !isLocal(base.Hostname()) {
		return fmt.Errorf("the registry sends its users to the realm %s, an address of this machine: credentials stay here", realm.Host)
	}
	return nil
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}

// scopes are what a token is asked for: what the registry said, and what the
// check needs in its own repositories.
func (p *Probe) scopes(r request, said string) []string {
	scopes := strings.Fields(said)
	repository := p.repositoryOf(r)
	if repository == "" {
		repository = p.Repository
	}
	actions := "pull,push"
	if r.method == http.MethodDelete {
		actions += ",delete"
	}
	if own := "repository:" + repository + ":" + actions; said == "" || said != own {
		scopes = append(scopes, own)
	}
	if u, err := url.Parse(r.url); err == nil && u.Query().Get("from") != "" {
		scopes = append(scopes, "repository:"+u.Query().Get("from")+":pull")
	}
	return scopes
}
