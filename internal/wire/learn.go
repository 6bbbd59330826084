package wire

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// How long a word that was seen in a secret place must be before it is masked
// in free text too: shorter ones also mean something else.
const (
	tokenLimit    = 8
	passwordLimit = 4
	sessionLimit  = 8
)

// learn notes hosts, sessions and secrets in the order in which e shows them.
// The caller holds mu.
func (s *Scrubber) learn(e Exchange) {
	s.learnHost(e.Request.Host)
	if e.Link != "" {
		s.terms.add(e.Link, maskClient, true)
	}
	s.learnSession(e.Route.Session)
	if e.Route.Op != OpEvent {
		s.learnLink(e.Request.Target)
	}
	s.learnHeader(e.Request.Header)
	s.learnHeader(e.Response.Header)
	s.learnBody(e.Request.Body, e.Request.Header)
	s.learnBody(e.Response.Body, e.Response.Header)
}

func (s *Scrubber) learnHost(host string) {
	if host == "" || s.hosts[host] != "" {
		return
	}
	name := numbered("HOST", len(s.hosts)+1, 1)
	s.hosts[host] = name
	if strings.ContainsAny(host, ".:") {
		s.terms.add(host, name, true)
	}
}

func (s *Scrubber) learnSession(session string) {
	if session == "" || s.sessions[session] != "" {
		return
	}
	name := numbered("SESSION", len(s.sessions)+1, 0)
	s.sessions[session] = name
	if len(session) >= sessionLimit {
		s.terms.add(session, name, true)
	}
}

func (s *Scrubber) learnToken(token string) {
	if len(token) >= tokenLimit && !isMask(token) {
		s.terms.add(token, maskToken, false)
	}
}

func (s *Scrubber) learnPassword(password string) {
	if len(password) >= passwordLimit && !isMask(password) {
		s.terms.add(password, maskPassword, true)
	}
}

func isMask(s string) bool {
	switch s {
	case maskCredentials, maskPassword, maskToken, maskCookie, maskSignature, maskState, maskDate, maskID, maskSecret:
		return true
	}
	return false
}

// learnLink looks at a URL, absolute or not.
func (s *Scrubber) learnLink(link string) {
	p := splitLink(link)
	if p.host != "" {
		s.learnHost(p.host)
	}
	if _, password, ok := strings.Cut(p.user, ":"); ok {
		s.learnPassword(unescape(password))
	}
	s.learnSession(p.session())
	s.learnQuery(p.query)
}

func (s *Scrubber) learnQuery(query string) {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		switch queryMask(unescape(key)) {
		case maskToken:
			s.learnToken(unescape(value))
			s.learnToken(value)
		case maskPassword:
			s.learnPassword(unescape(value))
			s.learnPassword(value)
		}
	}
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// learnHeader looks at every header that names a host, a session or a secret.
func (s *Scrubber) learnHeader(h http.Header) {
	for _, name := range [...]string{"Location", "Content-Location", "Referer"} {
		for _, v := range h[name] {
			s.learnLink(v)
		}
	}
	for _, v := range h["Www-Authenticate"] {
		if _, realm, _, ok := cutRealm(v); ok {
			s.learnLink(realm)
		}
	}
	for _, v := range h["X-Docker-Endpoints"] {
		for endpoint := range strings.SplitSeq(v, ",") {
			s.learnEndpoint(strings.TrimSpace(endpoint))
		}
	}
	for _, v := range h["Docker-Upload-Uuid"] {
		s.learnSession(v)
	}
	for _, v := range h["X-Docker-Token"] {
		s.learnToken(v)
	}
	for _, name := range [...]string{"Authorization", "Proxy-Authorization"} {
		for _, v := range h[name] {
			s.learnAuthorization(v)
		}
	}
}

func (s *Scrubber) learnEndpoint(endpoint string) {
	if strings.Contains(endpoint, "://") {
		s.learnLink(endpoint)
		return
	}
	host, _, _ := strings.Cut(endpoint, "/")
	s.learnHost(host)
}

func (s *Scrubber) learnAuthorization(v string) {
	scheme, rest, _ := strings.Cut(v, " ")
	rest = strings.TrimSpace(rest)
	s.learnToken(rest)
	if !strings.EqualFold(scheme, "basic") {
		return
	}
	if plain, err := base64.StdEncoding.DecodeString(rest); err == nil {
		_, password, _ := strings.Cut(string(plain), ":")
		s.learnPassword(password)
	}
}

func (s *Scrubber) learnBody(b Body, h http.Header) {
	switch {
	case len(b.Head) == 0:
	case isForm(h):
		s.learnQuery(string(b.Head))
	case looksJSON(b.Head):
		walkJSON(b.Head, func(key, value string) string {
			switch mask := jsonMask(key); mask {
			case maskToken:
				s.learnToken(value)
			case maskPassword:
				s.learnPassword(value)
			}
			return ""
		})
	}
}
