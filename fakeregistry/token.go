package fakeregistry

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A tokenTwist is what a fault changes of a token that is issued under it.
type tokenTwist struct {
	ttl      time.Duration       // 0 is the guard's own
	ahead    time.Duration       // how far the token service's clock is ahead of the registry's
	withhold func(a access) bool // rights that are left out; nil leaves none out
	used     func()              // called when a token is issued
}

type twistKey struct{}

// twisted marks a request to the token service.
func twisted(r *http.Request, t tokenTwist) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), twistKey{}, t))
}

// A tokenRequest is what somebody asks the token service for.
type tokenRequest struct {
	user    string // "" is nobody
	rights  []access
	service string
	offline bool // wants a refresh token
	refresh string
	oauth   bool // asked by POST
}

// serveToken is the token service.
func (b *Bearer) serveToken(w http.ResponseWriter, r *http.Request) {
	var t tokenRequest
	var err error
	switch r.Method {
	case http.MethodGet:
		t, err = b.readGet(r)
	case http.MethodPost:
		t, err = b.readPost(r)
	default:
		w.Header().Set("Allow", "GET, POST")
		err = CodeUnsupported.With(nil)
	}
	if err != nil {
		refuseToken(w, err)
		return
	}
	answer := b.issue(r, t)
	w.Header().Set("Content-Type", "application/json")
	data, err := json.Marshal(answer)
	if err != nil { // it is made of texts and numbers
		return
	}
	_, _ = w.Write(data) // the client may be gone. Nothing follows the object: who decodes it has read to the end
}

// refuseToken answers as the reference token server does.
func refuseToken(w http.ResponseWriter, err error) {
	if e, ok := err.(*Error); ok && e.Code == CodeUnauthorized { //nolint:errorlint // of our own making
		w.Header().Set("Www-Authenticate", `Basic realm="token service"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}` + "\n"))
		return
	}
	WriteError(w, err)
}

// readGet reads a request by GET (distribution's "Token Authentication
// Specification").
func (b *Bearer) readGet(r *http.Request) (tokenRequest, error) {
	q := r.URL.Query()
	t := tokenRequest{service: q.Get("service"), rights: parseScopes(q["scope"]), offline: q.Get("offline_token") == "true"}
	name, password, given := r.BasicAuth()
	switch {
	case given && b.Users.login(name, password):
		t.user = name
	case given || b.Anonymous == nil:
		return t, CodeUnauthorized.With(nil)
	}
	return t, nil
}

// readPost reads a request by POST (distribution's "OAuth2 Token Authentication").
func (b *Bearer) readPost(r *http.Request) (tokenRequest, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, headerLimit)
	if err := r.ParseForm(); err != nil {
		return tokenRequest{}, &Error{Code: "MISSING_REQUIRED_FIELD", Message: "the form cannot be read", Status: http.StatusBadRequest}
	}
	f := r.PostForm
	t := tokenRequest{oauth: true, service: f.Get("service"), rights: parseScopes(f["scope"]), offline: f.Get("access_type") == "offline"}
	for _, field := range []string{"grant_type", "service", "client_id"} {
		if f.Get(field) == "" {
			return t, &Error{Code: "MISSING_REQUIRED_FIELD", Message: "missing required field", Detail: field, Status: http.StatusBadRequest}
		}
	}
	switch f.Get("grant_type") {
	case "password":
		if !b.Users.login(f.Get("username"), f.Get("password")) {
			return t, CodeUnauthorized.With(nil)
		}
		t.user = f.Get("username")
	case "refresh_token":
		t.refresh = f.Get("refresh_token")
		if t.user = b.userOf(t.refresh); t.user == "" {
			return t, CodeUnauthorized.With(nil)
		}
	default:
		return t, &Error{Code: "UNSUPPORTED_VALUE", Message: "unsupported grant type", Detail: f.Get("grant_type"), Status: http.StatusBadRequest}
	}
	return t, nil
}

func (b *Bearer) userOf(refresh string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refresh[refresh]
}

// A tokenAnswer is the token service's answer: to a GET token and access_token,
// to a POST access_token and scope.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	IssuedAt     string `json:"issued_at"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	Token        string `json:"token,omitempty"`
}

// issue makes a token for those of the rights asked for that the user has.
func (b *Bearer) issue(r *http.Request, t tokenRequest) tokenAnswer {
	twist, _ := r.Context().Value(twistKey{}).(tokenTwist)
	user := b.Users[t.user]
	if t.user == "" {
		user = *b.Anonymous
	}
	var rights []access
	for _, a := range t.rights {
		if user.grants(a.Name, a.Action) && (twist.withhold == nil || !twist.withhold(a)) {
			rights = append(rights, a)
		}
	}
	ttl := 300 * time.Second
	if b.TTL > 0 {
		ttl = b.TTL
	}
	if twist.ttl > 0 {
		ttl = twist.ttl
	}
	bench := benchOf(r.Context())
	at := bench.now().Add(twist.ahead)
	answer := tokenAnswer{ExpiresIn: int64(ttl / time.Second), IssuedAt: at.UTC().Format(time.RFC3339)}
	b.mu.Lock()
	defer b.mu.Unlock()
	answer.AccessToken = b.name(bench.seed)
	if b.grants == nil {
		b.grants, b.refresh = map[string]*grant{}, map[string]string{}
	}
	g := &grant{user: t.user, service: t.service, rights: rights, expires: at.Add(ttl)}
	if twist.ahead > 0 {
		g.notBefore = at
	}
	b.grants[answer.AccessToken] = g
	answer.RefreshToken = t.refresh
	if t.offline && t.user != "" && t.refresh == "" {
		answer.RefreshToken = b.name(bench.seed)
		b.refresh[answer.RefreshToken] = t.user
	}
	if t.oauth {
		answer.Scope = scopeOf(rights)
	} else {
		answer.Token = answer.AccessToken
	}
	if twist.used != nil {
		twist.used()
	}
	return answer
}

// name makes the next token. b.mu is held.
func (b *Bearer) name(seed uint64) string {
	b.issued++
	var key, count [8]byte
	binary.BigEndian.PutUint64(key[:], seed)
	binary.BigEndian.PutUint64(count[:], uint64(b.issued)) //nolint:gosec // a count
	h := hmac.New(sha256.New, key[:])
	h.Write(count[:])
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// parseScopes reads "repository:lib/app:push,pull", several in one text too. What
// is not understood grants nothing.
func parseScopes(texts []string) []access {
	var list []access
	for _, text := range texts {
		for scope := range strings.FieldsSeq(text) {
			kind, rest, ok := strings.Cut(scope, ":")
			i := strings.LastIndex(rest, ":")
			if !ok || i < 0 {
				continue
			}
			kind, _, _ = strings.Cut(kind, "(") // a class, as in repository(plugin)
			for action := range strings.SplitSeq(rest[i+1:], ",") {
				if a := (access{Type: kind, Name: rest[:i], Action: action}); action != "" && !slices.Contains(list, a) {
					list = append(list, a)
				}
			}
		}
	}
	return list
}
