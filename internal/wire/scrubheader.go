package wire

import (
	"net/http"
	"strings"
)

// header scrubs a copy; an empty one becomes nil.
func (s *Scrubber) header(h http.Header) http.Header {
	var out http.Header
	for name, values := range h {
		if len(values) == 0 {
			continue
		}
		if out == nil {
			out = make(http.Header, len(h))
		}
		scrubbed := make([]string, len(values))
		for i, v := range values {
			scrubbed[i] = s.text(s.headerValue(name, v))
		}
		name = s.secrets.mask(name)
		out[name] = append(out[name], scrubbed...)
	}
	return out
}

// headerValue scrubs by what the header means.
func (s *Scrubber) headerValue(name, v string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Proxy-Authorization":
		return scrubAuthorization(v)
	case "X-Docker-Token":
		if v == "true" { // the client asks for one (P-423)
			return v
		}
		return maskToken
	case "Set-Cookie", "Cookie":
		return maskCookie
	case "X-Registry-Auth", "X-Registry-Config":
		return maskCredentials
	case "Date", "Last-Modified", "Expires", "If-Modified-Since", "If-Unmodified-Since":
		return scrubDate(v)
	case "Retry-After":
		return scrubDate(v)
	case "Location", "Content-Location", "Referer":
		return s.link(v)
	case "Www-Authenticate":
		if before, realm, after, ok := cutRealm(v); ok {
			return before + s.link(realm) + after
		}
		if scheme, rest, _ := strings.Cut(v, " "); strings.EqualFold(scheme, "token") && strings.Contains(rest, "signature=") {
			return scheme + " " + maskToken // V1 hands out its token here too (P-442)
		}
		return v
	case "X-Docker-Endpoints":
		return s.endpoints(v)
	case "Docker-Upload-Uuid":
		return s.sessionName(v)
	case "X-Request-Id", "X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Id-2", "Cf-Ray":
		return maskID
	case "User-Agent":
		return scrubAgent(v)
	}
	return v
}

// scrubAuthorization keeps the scheme where it is one that says nothing.
func scrubAuthorization(v string) string {
	scheme, _, found := strings.Cut(v, " ")
	switch strings.ToLower(scheme) {
	case "basic", "digest", "negotiate":
		if found {
			return scheme + " " + maskCredentials
		}
	case "bearer", "token":
		if found {
			return scheme + " " + maskToken
		}
	default:
		return maskCredentials
	}
	return v
}

// scrubDate leaves numbers ("-1", "120") alone.
func scrubDate(v string) string {
	if strings.Trim(v, "-0123456789 ") == "" {
		return v
	}
	return maskDate
}

// cutRealm cuts a challenge around the value of its realm.
func cutRealm(v string) (before, realm, after string, ok bool) {
	i := strings.Index(strings.ToLower(v), `realm="`)
	if i < 0 {
		return "", "", "", false
	}
	i += len(`realm="`)
	j := strings.IndexByte(v[i:], '"')
	if j < 0 {
		return "", "", "", false
	}
	return v[:i], v[i : i+j], v[i+j:], true
}

func (s *Scrubber) endpoints(v string) string {
	list := strings.Split(v, ",")
	for i, item := range list {
		trimmed := strings.TrimSpace(item)
		var scrubbed string
		if strings.Contains(trimmed, "://") {
			scrubbed = s.link(trimmed)
		} else {
			host, _, _ := strings.Cut(trimmed, "/")
			scrubbed = s.hostName(host) + trimmed[len(host):]
		}
		list[i] = strings.Replace(item, trimmed, scrubbed, 1)
	}
	return strings.Join(list, ",")
}

// scrubAgent makes docker's User-Agent the same on every machine.
func scrubAgent(v string) string {
	words := strings.Split(v, " ")
	for i, w := range words {
		product, _, ok := strings.Cut(w, "/")
		if !ok {
			continue
		}
		switch product {
		case "go", "kernel", "os", "arch":
			words[i] = product + "/" + strings.ToUpper(product)
		}
	}
	return strings.Join(words, " ")
}
