package scenarios

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// secretsStay: credentials and tokens go where they belong and nowhere else.
func secretsStay(p *seenPush) []finding {
	w := secretWatch{p: p, secure: map[string]bool{}, tokens: map[string]string{}}
	for _, e := range p.trace {
		w.exchange(e)
	}
	w.shown()
	return w.found
}

// A secretWatch follows secrets through a trace.
type secretWatch struct {
	p      *seenPush
	secure map[string]bool   // hosts that TLS worked with
	tokens map[string]string // token → host that it was first sent to
	found  []finding
}

func (w *secretWatch) exchange(e seen) {
	host := e.Request.Host
	what := w.carries(e)
	if what != "" && e.reached() {
		switch {
		case !slices.Contains(w.p.registry, host) && !slices.Contains(w.p.realms, host):
			w.found = append(w.found, finding{
				broken: fmt.Sprintf("%s sent the %s to %s, for which it is not meant", label(e), what, host),
				rules:  foreignRules(e), seq: e.Seq,
			})
		case e.Request.Scheme == "http" && w.secure[host]:
			w.found = append(w.found, finding{
				broken: fmt.Sprintf("%s sent the %s to %s in plain text after TLS had worked there", label(e), what, host),
				rules:  []string{"P-060"}, seq: e.Seq,
			})
		}
	} else if e.Route.Op == wire.OpToken && w.p.login != nil && w.foreign(host) && e.reached() {
		w.found = append(w.found, finding{rules: foreignRules(e)}) // tempted, and kept it
	}
	if e.Request.Scheme == "https" && e.Response.Status != 0 {
		w.secure[host] = true
	}
}

func (w *secretWatch) foreign(host string) bool {
	return !slices.Contains(w.p.registry, host) && !slices.Contains(w.p.realms, host)
}

// foreignRules are the rules that explain a secret at a foreign host: of a realm
// that the registry named (P-141), of V1 endpoints that it named (P-160).
func foreignRules(e seen) []string {
	switch {
	case e.Route.Op == wire.OpToken:
		return []string{"P-141"}
	case strings.HasPrefix(string(e.Route.Op), "v1."):
		return []string{"P-160", "P-161"}
	}
	return nil
}

// carries names the secret of a request: "password", "token", or "".
func (w *secretWatch) carries(e seen) string {
	auth := e.Request.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(auth, " ")
	switch {
	case w.hasPassword(auth), w.hasPassword(e.Request.Target), w.hasPassword(string(e.Request.Body.Head)):
		return "password"
	case strings.EqualFold(scheme, "bearer") && rest != "", strings.EqualFold(scheme, "token") && rest != "":
		if _, ok := w.tokens[rest]; !ok {
			w.tokens[rest] = e.Request.Host
		}
		return "token"
	}
	return ""
}

// hasPassword looks for the password as it may stand in a request.
func (w *secretWatch) hasPassword(text string) bool {
	l := w.p.login
	if l == nil || l.Password == "" || text == "" {
		return false
	}
	basic := base64.StdEncoding.EncodeToString([]byte(l.User + ":" + l.Password))
	return strings.Contains(text, l.Password) || strings.Contains(text, basic) || strings.Contains(text, url.QueryEscape(l.Password))
}

// shown looks for secrets in what people get to see.
func (w *secretWatch) shown() {
	texts := []string{w.p.log}
	for _, e := range w.p.events {
		texts = append(texts, e.Status)
	}
	if w.p.err != nil {
		texts = append(texts, w.p.err.Error())
	}
	for i, text := range texts {
		place := "the progress"
		if i == 0 {
			place = "the log"
		} else if i == len(texts)-1 && w.p.err != nil {
			place = "the error"
		}
		if w.hasPassword(text) {
			w.found = append(w.found, finding{broken: "the password is in " + place})
		}
		for token := range w.tokens {
			if len(token) >= 8 && strings.Contains(text, token) {
				w.found = append(w.found, finding{broken: "a token is in " + place})
			}
		}
	}
}
