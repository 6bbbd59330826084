package fakeregistry

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A User is somebody who may do something.
type User struct {
	Password string
	// Rights are the actions (pull, push, delete, or * for all) that are granted in
	// repositories whose name matches a pattern, as path.Match has it; the pattern *
	// alone matches every name. nil grants everything everywhere.
	Rights map[string][]string
}

// Users are by name. A name without an entry is nobody.
type Users map[string]User

// Passwords makes users who may do everything.
func Passwords(passwords map[string]string) Users {
	users := Users{}
	for name, password := range passwords {
		users[name] = User{Password: password}
	}
	return users
}

// login reports whether name and password belong together.
func (u Users) login(name, password string) bool {
	user, ok := u[name]
	return subtle.ConstantTimeCompare([]byte(user.Password), []byte(password)) == 1 && ok
}

// may reports whether a user may do all that is asked.
func (u User) may(asked []access) bool {
	for _, a := range asked {
		if !u.grants(a.Name, a.Action) {
			return false
		}
	}
	return true
}

// grants reports whether a user has one right.
func (u User) grants(repository, action string) bool {
	if u.Rights == nil {
		return true
	}
	for pattern, actions := range u.Rights {
		if ok, err := path.Match(pattern, repository); pattern == "*" || err == nil && ok {
			if slices.Contains(actions, action) || slices.Contains(actions, "*") {
				return true
			}
		}
	}
	return false
}

// An access is one right that a request needs. Its JSON is the detail of
// distribution's refusals (P-150).
type access struct {
	Type   string
	Class  string
	Name   string
	Action string
}

// needs lists what a V2 request must be allowed (P-151). The base route needs
// nothing but to be somebody.
func needs(r *http.Request, route wire.Route) []access {
	if route.Repository == "" {
		if r.URL.Path == "/v2/_catalog" {
			return []access{{Type: "registry", Name: "catalog", Action: "*"}}
		}
		return nil
	}
	var actions []string
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		actions = []string{"pull"}
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		actions = []string{"pull", "push"}
	case http.MethodDelete:
		actions = []string{"delete"}
	}
	var list []access
	for _, action := range actions {
		list = append(list, access{Type: "repository", Name: route.Repository, Action: action})
	}
	if from := r.URL.Query().Get("from"); from != "" {
		list = append(list, access{Type: "repository", Name: from, Action: "pull"})
	}
	return list
}

// guarded reports whether a request is the V2 registry's to refuse: a path that
// it does not know is not found before anybody is asked who he is.
func guarded(r *http.Request) (wire.Route, bool) {
	if p := r.URL.Path; p != "/v2" && !strings.HasPrefix(p, "/v2/") {
		return wire.Route{}, false
	}
	route := wire.ParseRoute(r.Method, r.URL)
	if r.URL.Path == "/v2/_catalog" {
		return route, true
	}
	return route, route.Op != wire.OpOther || route.Repository != ""
}

// unauthorized is distribution's refusal. challenge "" sends none.
func unauthorized(w http.ResponseWriter, challenge string, detail []access) {
	h := w.Header()
	registryHeader(h)
	h.Set("Content-Type", "application/json; charset=utf-8")
	if challenge != "" {
		h.Set("Www-Authenticate", challenge)
	}
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{struct { // the client may be gone
		Code    Code     `json:"code"`
		Message string   `json:"message"`
		Detail  []access `json:"detail"`
	}{CodeUnauthorized, CodeUnauthorized.Message(), detail}}})
}

// registryHeader is what every answer of a V2 registry carries (P-315).
func registryHeader(h http.Header) { h.Set("Docker-Distribution-Api-Version", "registry/2.0") }

// A challenger is a guard that can say whom it wants to see.
type challenger interface {
	// challenge is a WWW-Authenticate header for a request. problem is
	// insufficient_scope, invalid_token or "".
	challenge(r *http.Request, problem string, asked []access) string
	// admits reports whether a request carries what the guard wants for it.
	admits(r *http.Request, asked []access) bool
}

type openKey struct{}

// opened marks a request that the guard lets pass.
func opened(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), openKey{}, true))
}

func isOpen(r *http.Request) bool { return r.Context().Value(openKey{}) != nil }
