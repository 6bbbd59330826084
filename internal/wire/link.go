package wire

import (
	"net/http"
	"net/url"
	"strings"
)

// A linkParts is a URL taken apart without changing a byte of it:
// scheme://user@host path ?query #fragment.
type linkParts struct {
	scheme, user, host, path, query, fragment string
	hasQuery, hasFragment, hasUser, absolute  bool
}

func splitLink(link string) linkParts {
	var p linkParts
	rest := link
	rest, p.fragment, p.hasFragment = strings.Cut(rest, "#")
	rest, p.query, p.hasQuery = strings.Cut(rest, "?")
	scheme, after, ok := strings.Cut(rest, "://")
	if ok && scheme != "" && !strings.Contains(scheme, "/") {
		p.scheme, p.absolute, rest = scheme, true, after
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			i = len(rest)
		}
		p.host, rest = rest[:i], rest[i:]
		if at := strings.LastIndexByte(p.host, '@'); at >= 0 {
			p.user, p.host, p.hasUser = p.host[:at], p.host[at+1:], true
		}
	}
	p.path = rest
	return p
}

func (p linkParts) String() string {
	var b strings.Builder
	if p.absolute {
		b.WriteString(p.scheme + "://")
		if p.hasUser {
			b.WriteString(p.user + "@")
		}
		b.WriteString(p.host)
	}
	b.WriteString(p.path)
	if p.hasQuery {
		b.WriteString("?" + p.query)
	}
	if p.hasFragment {
		b.WriteString("#" + p.fragment)
	}
	return b.String()
}

// session is the upload session that the link's path names, as it is written.
func (p linkParts) session() string {
	u, err := url.ParseRequestURI(p.path)
	if err != nil || !strings.HasPrefix(p.path, "/") {
		return ""
	}
	if ParseRoute(http.MethodPatch, u).Session == "" {
		return ""
	}
	return p.path[strings.LastIndexByte(p.path, '/')+1:]
}

// link scrubs a URL, absolute or not.
func (s *Scrubber) link(link string) string {
	p := splitLink(link)
	p.host = s.hostName(p.host)
	if user, _, ok := strings.Cut(p.user, ":"); ok {
		p.user = user + ":" + maskPassword
	}
	if session := p.session(); session != "" {
		p.path = strings.TrimSuffix(p.path, session) + s.sessionName(session)
	}
	p.query = s.terms.replace(scrubQuery(p.query))
	return p.String()
}

// queryMask is what stands for the value of a query or form parameter; "" when
// the value may stay.
func queryMask(key string) string {
	switch strings.ToLower(key) {
	case "password", "passwd", "client_secret", "secret":
		return maskPassword
	case "refresh_token", "access_token", "token", "id_token", "x-amz-security-token":
		return maskToken
	case "_state":
		return maskState
	case "signature", "sig", "x-amz-signature", "x-goog-signature":
		return maskSignature
	case "awsaccesskeyid", "x-amz-credential", "x-goog-credential":
		return maskCredentials
	case "expires", "x-amz-date", "x-goog-date", "se", "st":
		return maskDate
	}
	return ""
}

// scrubQuery masks values of a query or a form; order and the writing of
// everything else stay.
func scrubQuery(query string) string {
	if query == "" {
		return ""
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if mask := queryMask(unescape(key)); found && value != "" && mask != "" {
			pairs[i] = key + "=" + mask
		}
	}
	return strings.Join(pairs, "&")
}
