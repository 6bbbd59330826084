package fakeregistry

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bearer is a Guard that wants a token, and the service that issues tokens, at
// /token of the same host or of its own. It answers as distribution 2.8 does
// (P-150, P-151) and issues as the token specification of the distribution
// project says, both by GET and by the OAuth2 POST.
//
// Tokens are opaque: the guard knows what it issued. They are made from the
// server's seed, the same for each run.
type Bearer struct {
	Users Users
	// Anonymous is what a token allows that is issued without credentials; nil
	// refuses to issue one.
	Anonymous *User
	Service   string        // "" is "registry"
	TTL       time.Duration // how long a token lives; 0 is 300 s
	// Leeway is how long after its end a token is still taken; distribution's is 60 s.
	Leeway time.Duration
	Own    bool // the token service has a host of its own: see Server.TokenHost

	mu      sync.Mutex // guards everything below
	host    string     // of the token service, when Own
	issued  int
	grants  map[string]*grant // by token
	refresh map[string]string // refresh token → user
}

// A grant is what one token allows.
type grant struct {
	user      string
	service   string
	rights    []access
	notBefore time.Time
	expires   time.Time
	revoked   bool
}

// Wrap implements Guard.
func (b *Bearer) Wrap(_ string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atService := !b.Own || localAddr(r) == b.tokenHost()
		if r.URL.Path == "/token" && atService {
			b.serveToken(w, r)
			return
		}
		if b.Own && atService {
			http.NotFound(w, r)
			return
		}
		route, ours := guarded(r)
		if !ours || isOpen(r) {
			next.ServeHTTP(w, r)
			return
		}
		asked := needs(r, route)
		if problem, ok := b.verify(r, asked); !ok {
			unauthorized(w, b.challenge(r, problem, asked), asked)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// verify checks the token of a request. problem is the challenge's error.
func (b *Bearer) verify(r *http.Request, asked []access) (problem string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || strings.Contains(token, " ") {
		return "", false
	}
	now := benchOf(r.Context()).now()
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.grants[token]
	if g == nil || g.revoked || g.service != b.service() || now.Before(g.notBefore) || !now.Before(g.expires.Add(b.Leeway)) {
		return "invalid_token", false
	}
	for _, a := range asked {
		if !slices.Contains(g.rights, a) && !slices.Contains(g.rights, access{Type: a.Type, Name: a.Name, Action: "*"}) {
			return "insufficient_scope", false
		}
	}
	return "", true
}

func (b *Bearer) challenge(r *http.Request, problem string, asked []access) string {
	s := fmt.Sprintf("Bearer realm=%q,service=%q", b.realm(r), b.service())
	if scope := scopeOf(asked); scope != "" {
		s += fmt.Sprintf(",scope=%q", scope)
	}
	if problem != "" {
		s += fmt.Sprintf(",error=%q", problem)
	}
	return s
}

// realm is the token service's address as the client can reach it.
func (b *Bearer) realm(r *http.Request) string {
	host := r.Host
	if b.Own {
		host = b.tokenHost()
	}
	if r.TLS != nil {
		return "https://" + host + "/token"
	}
	return "http://" + host + "/token"
}

// scopeOf writes rights as a challenge does, push before pull as recorded.
func scopeOf(asked []access) string {
	var order []string
	actions := map[string][]string{}
	for _, a := range asked {
		resource := a.Type + ":" + a.Name
		if actions[resource] == nil {
			order = append(order, resource)
		}
		actions[resource] = append(actions[resource], a.Action)
	}
	for i, resource := range order {
		list := actions[resource]
		slices.Reverse(list)
		order[i] = resource + ":" + strings.Join(list, ",")
	}
	return strings.Join(order, " ")
}

func (b *Bearer) service() string {
	if b.Service == "" {
		return "registry"
	}
	return b.Service
}

func (b *Bearer) admits(r *http.Request, asked []access) bool {
	_, ok := b.verify(r, asked)
	return ok
}

func (b *Bearer) ownHost() bool { return b.Own }

func (b *Bearer) setTokenHost(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.host = host
}

func (b *Bearer) tokenHost() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.host
}

// Revoke ends every token issued so far, as somebody does who leaves them valid
// by their own words: only the registry knows. Refresh tokens stay. It returns
// how many tokens there were.
func (b *Bearer) Revoke() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, g := range b.grants {
		if !g.revoked {
			g.revoked = true
			n++
		}
	}
	return n
}

// Restart forgets every token, refresh tokens too.
func (b *Bearer) Restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grants, b.refresh = nil, nil
}

// localAddr is the address at which a request arrived.
func localAddr(r *http.Request) string {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return ""
	}
	return a.String()
}
