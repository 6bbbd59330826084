package fakeregistry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func authKinds() []Kind {
	return append(append(challengeKinds(), tokenKinds()...), scopeKinds()...)
}

// simple is a kind of the auth layer without parameters.
func simple(name, where, doc string, e Effect) Kind {
	return Kind{
		Name: name, Layer: "auth", Where: []string{where}, Seam: SeamRequest, Doc: doc,
		New: func(Args) (Effect, error) { return e, nil },
	}
}

// challengeKinds are faults of what the registry asks for.
func challengeKinds() []Kind {
	return []Kind{
		simple("no-challenge", "any", "The registry refuses and does not say what it wants to see.",
			replacement(func(w http.ResponseWriter, _ *http.Request) { unauthorized(w, "", nil) })),
		{
			Name: "odd-challenge", Layer: "auth", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "A challenge that the standards allow and that clients misread all the same. It strikes where the guard challenges.",
			Params: []Param{enumParam("form",
				"many puts another scheme first on the same line; unquoted leaves out the quotes that may be left out; lower-case writes the scheme so; comma-in-scope asks for several rights; extra-params adds some that nobody knows",
				"many", "unquoted", "lower-case", "comma-in-scope", "extra-params")},
			New: func(a Args) (Effect, error) {
				return editChallenge(func(_ *http.Request, c string) string { return oddly(a.text("form"), c) }), nil
			},
		},
		{
			Name: "realm-elsewhere", Layer: "auth", Where: []string{"ping"}, Seam: SeamRequest,
			Doc:    "The challenge names a token service that is not the registry's, and a client that believes it hands over its password.",
			Params: []Param{textParam("host", "realm.invalid", "the host, with or without port")},
			New: func(a Args) (Effect, error) {
				return editChallenge(func(_ *http.Request, c string) string { return moveRealm(c, a.text("host")) }), nil
			},
		},
		simple("lazy-auth", "upload.start", "The ping passes without credentials and nothing else does: a client that takes its cue from the ping has none to offer.", lazyAuth{}),
		simple("auth-loop", "any", "The registry wants to be asked again for ever, although the credentials are right. The token service goes on issuing tokens.",
			detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				route := wire.ParseRoute(r.Method, r.URL)
				if route.Op == wire.OpToken {
					pass(w, r, next)
					return
				}
				asked := needs(r, route)
				replacement(func(w http.ResponseWriter, r *http.Request) {
					unauthorized(w, challengeFor(r, "", asked), asked)
				}).Disturb(w, r, next)
			})),
		{
			Name: "challenge-changes", Layer: "auth", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "In the middle of a push the registry begins to want another scheme. Who follows is let in.",
			Params: []Param{enumParam("to", "the scheme that is wanted from now on", "basic", "bearer")},
			New:    func(a Args) (Effect, error) { return newScheme(a.text("to") == "bearer"), nil },
		},
	}
}

// challengeFor is the challenge of the server's guard, or one made up.
func challengeFor(r *http.Request, problem string, asked []access) string {
	c, ok := benchOf(r.Context()).guard.(challenger)
	if !ok {
		c = &Bearer{}
	}
	return c.challenge(r, problem, asked)
}

// editChallenge changes the challenge of a refusal.
func editChallenge(edit func(r *http.Request, c string) string) Effect {
	return correction(func(r *http.Request, status int, h http.Header) bool {
		old := h.Get("Www-Authenticate")
		if status != http.StatusUnauthorized || old == "" {
			return false
		}
		h.Set("Www-Authenticate", edit(r, old))
		return h.Get("Www-Authenticate") != old
	})
}

func oddly(form, c string) string {
	scheme, params, _ := strings.Cut(c, " ")
	switch form {
	case "many":
		return `Newauth realm="apps", type=1, title="Log in to \"apps\"", ` + c
	case "unquoted": // a realm is always quoted (RFC 9110, 11.5); what is not a token must be
		quoted := regexp.MustCompile(`(service|error)="([A-Za-z0-9!#$%&'*+.^_|~-]+)"`)
		return scheme + " " + quoted.ReplaceAllString(params, "$1=$2")
	case "lower-case":
		return strings.ToLower(scheme) + " " + params
	case "comma-in-scope":
		if before, scope, ok := strings.Cut(params, `scope="`); ok {
			return scheme + " " + before + `scope="registry:catalog:*,pull ` + scope
		}
		return c + `,scope="repository:any/name:pull,push registry:catalog:*"`
	}
	return c + `,charset="UTF-8",error_description="a \"quoted\" text, with a comma",x-since=2015`
}

// moveRealm sends the realm of a Bearer challenge to another host.
func moveRealm(c, host string) string {
	before, rest, ok := strings.Cut(c, `realm="`)
	realm, after, closed := strings.Cut(rest, `"`)
	u, err := url.Parse(realm)
	if !ok || !closed || err != nil || u.Host == "" {
		return c
	}
	u.Host = host
	return before + `realm="` + u.String() + `"` + after
}

// lazyAuth leaves open what comes before the place where it is written.
type lazyAuth struct{}

func (lazyAuth) places([]Pattern) ([]Pattern, string) { return patterns("ping"), "" }

// Disturb implements Effect.
func (lazyAuth) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if benchOf(r.Context()).guard == nil {
		pass(w, r, next)
		return
	}
	next.ServeHTTP(w, opened(r))
}

// forEver is longer than any scenario.
const forEver = 1000 * time.Hour

// newScheme asks for another scheme than the guard's, and takes it.
func newScheme(bearer bool) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		var other challenger
		switch g := benchOf(r.Context()).guard.(type) {
		case *Bearer:
			if !bearer {
				other = &Basic{Users: g.Users}
			}
		case *Basic:
			if bearer {
				other = g.bearer()
			}
		}
		if other == nil {
			pass(w, r, next)
			return
		}
		asked := needs(r, wire.ParseRoute(r.Method, r.URL))
		s := strikeOf(r)
		if other.admits(r, asked) {
			s.missed()
			next.ServeHTTP(w, opened(r))
			return
		}
		s.took(r.Context())
		s.persist(forEver)
		drain(r)
		unauthorized(w, other.challenge(r, "", asked), asked)
	})
}

// tokenKinds are faults of the token service.
func tokenKinds() []Kind {
	return []Kind{
		{
			Name: "realm-down", Layer: "auth", Where: []string{"token"}, Seam: SeamRequest,
			Doc:    "The registry works and its token service does not. Where both share a host, what is to be refused is reset.",
			Params: []Param{enumParam("how", "the connection is refused, the answer is an error, or there is none", "refuse", "5xx", "stall")},
			New: func(a Args) (Effect, error) {
				switch a.text("how") {
				case "5xx":
					return replacement(func(w http.ResponseWriter, _ *http.Request) {
						pageOf(http.StatusServiceUnavailable, "html", "").write(w)
					}), nil
				case "stall":
					return stall{hold: -1, side: "response"}, nil
				}
				return realmRefused{}, nil
			},
		},
		{
			Name: "token-garbage", Layer: "auth", Where: []string{"token"}, Seam: SeamRequest,
			Doc:    "The token service answers 200 and something that is no token.",
			Params: []Param{textParam("body", "{\"message\":\"hello\"}", "html, empty, or the text itself")},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					pageOf(http.StatusOK, a.text("body"), "").write(w)
				}), nil
			},
		},
		{
			Name: "token-ttl", Layer: "auth", Where: []string{"token"}, Seam: SeamRequest,
			Doc:    "Tokens live shortly, and say so honestly; a large layer outlives them.",
			Params: []Param{timeParam("ttl", time.Second, "how long, in whole seconds")},
			New: func(a Args) (Effect, error) {
				if a.time("ttl") < time.Second {
					return nil, fmt.Errorf("ttl: %v is not at least a second", a.time("ttl"))
				}
				return twist(tokenTwist{ttl: a.time("ttl").Truncate(time.Second)}), nil
			},
		},
		{
			Name: "clock-skew", Layer: "auth", Where: []string{"token"}, Seam: SeamRequest,
			Doc:    "The token service's clock is ahead of the registry's: the registry does not take its tokens yet.",
			Params: []Param{timeParam("by", time.Minute, "how far")},
			New:    func(a Args) (Effect, error) { return twist(tokenTwist{ahead: a.time("by")}), nil },
		},
	}
}

// realmRefused is a token service that is not there.
type realmRefused struct{}

// Class implements Classed.
func (realmRefused) Class() Class { return ClassBreak }

func (realmRefused) dial(_ context.Context, _ *strike, network, addr string) (string, error) {
	return "", refused(network, addr)
}

func (realmRefused) accept(_ *strike, c *conn) bool {
	c.reset()
	return false
}

// Disturb implements Effect.
func (realmRefused) Disturb(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	strikeOf(r).cutShort()
	snap(r, wire.FailureReset)
	abort()
}

// twist changes the token that is issued; without one it did not strike.
func twist(t tokenTwist) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		mine := t
		mine.used = func() { s.took(r.Context()) }
		next.ServeHTTP(w, twisted(r, mine))
		s.missed()
	})
}

// scopeKinds are faults of what a token allows.
func scopeKinds() []Kind {
	return []Kind{
		{
			Name: "expire-token", Layer: "auth", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "Every token issued so far is dead from now on, whatever it says of its lifetime; new ones work.",
			Params: []Param{enumParam("scope", "which tokens", "issued")},
			New: func(Args) (Effect, error) {
				return aside{func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					g, ok := benchOf(r.Context()).guard.(interface{ Revoke() int })
					if !ok || g.Revoke() == 0 {
						pass(w, r, next)
						return
					}
					strikeOf(r).took(r.Context())
					next.ServeHTTP(w, r)
				}}, nil
			},
		},
		{
			Name: "scope-narrowed", Layer: "auth", Where: []string{"token"}, Seam: SeamRequest,
			Doc:    "The token allows less than was asked for, and the answer does not say so.",
			Params: []Param{enumParam("drop", "the right to push, or the right to mount from another repository", "push", "mount")},
			New: func(a Args) (Effect, error) {
				return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					asked := parseScopes(r.URL.Query()["scope"])
					twist(tokenTwist{withhold: func(x access) bool {
						if a.text("drop") == "push" {
							return x.Action == "push"
						}
						return len(asked) > 0 && x.Name != asked[0].Name
					}}).Disturb(w, r, next)
				}), nil
			},
		},
		simple("insufficient-scope", "upload.mount", "The token does not cover the repository that a blob is to be mounted from: that must mean an upload, not the end.",
			replacement(func(w http.ResponseWriter, r *http.Request) {
				asked := needs(r, wire.ParseRoute(r.Method, r.URL))
				unauthorized(w, challengeFor(r, "insufficient_scope", asked), asked)
			})),
	}
}
