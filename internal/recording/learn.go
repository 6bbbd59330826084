package recording

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Learn reads an exchange for what must be hidden in all of them: passwords,
// tokens, and what names upload sessions.
func (s *Scrubber) Learn(e Exchange) {
	for _, line := range e.ReqHeaders {
		s.learnHeader(line)
	}
	for _, line := range e.RespHeaders {
		s.learnHeader(line)
	}
	s.learnQuery(e.Path)
	s.learnSession(e.Path)
	if strings.HasPrefix(headerOf(e.ReqHeaders, "Content-Type"), "application/x-www-form-urlencoded") {
		s.learnQuery("?" + e.ReqBody)
	}
	for _, body := range []string{e.ReqBody, e.RespBody} {
		s.learnMembers(body)
	}
}

// shortest is how long what the wire tells to be secret must be to be hidden
// elsewhere, too: a token "t" would hide every t. Where it stood it is hidden anyway.
const shortest = 4

// found learns a secret that the wire told.
func (s *Scrubber) found(text, word string) {
	if len(text) >= shortest {
		s.secret(text, word)
	}
}

// secret learns a secret in every spelling in which it might stand.
func (s *Scrubber) secret(text, word string) {
	if text == "" || text == word {
		return
	}
	s.learn(text, word)
	s.learn(url.QueryEscape(text), word)
	s.learn(url.PathEscape(text), word)
	if quoted, err := json.Marshal(text); err == nil {
		s.learn(strings.Trim(string(quoted), `"`), word)
	}
	if plain, err := encode(text); err == nil {
		s.learn(strings.Trim(string(plain), `"`), word)
	}
	s.learn(base64.StdEncoding.EncodeToString([]byte(text)), word)
}

func (s *Scrubber) learnHeader(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization":
		s.learnCredentials(value)
	case "x-docker-token":
		s.learnSignature(value)
	case "docker-upload-uuid":
		s.learn(value, Upload)
	case "location":
		s.learnQuery(value)
		s.learnSession(value)
	case "set-cookie":
		cookie, _, _ := strings.Cut(value, ";")
		_, content, _ := strings.Cut(cookie, "=")
		s.long(content, Cookie)
	}
}

func (s *Scrubber) learnCredentials(value string) {
	scheme, rest, _ := strings.Cut(value, " ")
	switch strings.ToLower(scheme) {
	case "basic":
		if user, password, ok := decodeBasic(rest); ok {
			s.found(password, Password)
			s.learn(rest, base64.StdEncoding.EncodeToString([]byte(user+":"+Password)))
		}
	case "token":
		s.learnSignature(rest)
	default:
		s.found(rest, Token)
	}
}

func (s *Scrubber) learnSignature(token string) {
	_, rest, ok := strings.Cut(token, "signature=")
	if signature, _, _ := strings.Cut(rest, ","); ok {
		s.long(signature, sig)
	}
}

// long learns what is long enough not to stand somewhere by accident.
func (s *Scrubber) long(text, word string) {
	if len(text) >= 8 {
		s.learn(text, word)
	}
}

// hiddenKeys are the parameters of queries and forms, and the members of objects,
// that hold what must be hidden or differs from run to run.
func hiddenKey(name string) (word string, secret bool) {
	switch strings.ToLower(name) {
	case "password":
		return Password, true
	case "token", "access_token", "refresh_token", "identitytoken", "identity_token", "registrytoken":
		return Token, true
	case "_state", "state":
		return State, false
	case "issued_at":
		return Date, false
	}
	return "", false
}

// learnQuery learns from the query of a path or URL.
func (s *Scrubber) learnQuery(path string) {
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(raw)
		if err != nil {
			value = raw
		}
		word, secret := hiddenKey(name)
		switch {
		case secret:
			s.found(value, word)
		case word == State:
			s.long(raw, word)
			s.long(value, word)
		}
	}
}

// learnSession learns the name of an upload session from its location: what
// follows "blobs/uploads/".
func (s *Scrubber) learnSession(path string) {
	path, _, _ = strings.Cut(path, "?")
	if _, session, ok := strings.Cut(path, "/blobs/uploads/"); ok {
		s.long(strings.Trim(session, "/"), Upload)
	}
}

// learnMembers learns tokens from the members of a JSON object.
func (s *Scrubber) learnMembers(body string) {
	var members map[string]any
	if !strings.HasPrefix(strings.TrimSpace(body), "{") || json.Unmarshal([]byte(body), &members) != nil {
		return
	}
	for name, value := range members {
		if text, ok := value.(string); ok {
			if word, secret := hiddenKey(name); secret {
				s.found(text, word)
			}
		}
	}
}

// scrubQuery hides values in the query of a path or URL, letter by letter the same
// otherwise.
func scrubQuery(path string) string {
	before, query, ok := strings.Cut(path, "?")
	if !ok {
		return path
	}
	return before + "?" + scrubForm(query)
}

func scrubForm(form string) string {
	pairs := strings.Split(form, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if word, _ := hiddenKey(name); word != "" && value != "" {
			pairs[i] = name + "=" + word
		}
	}
	return strings.Join(pairs, "&")
}

// scrubMembers hides members of a JSON object, letter by letter the same
// otherwise.
func scrubMembers(body string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(body), &members) != nil {
		return body
	}
	for name, raw := range members {
		word, _ := hiddenKey(name)
		if word == "" || word == State || len(raw) < 2 || raw[0] != '"' {
			continue
		}
		body = strings.ReplaceAll(body, string(raw), `"`+word+`"`)
	}
	return body
}
