package pusher

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// bestAuth answers the challenges of a registry, whenever they come, and renews a
// token before it expires. It is safe for concurrent use.
type bestAuth struct {
	host   *bestHost
	scopes []string // what tokens are asked for

	turn *clock.Limit // of one, and guards everything below

	header  string // value of Authorization; "" for none
	number  int    // of header: how often it changed
	expires time.Time
	life    time.Duration // of the token; 0 when it is none
	realm   *url.URL      // of the token service; nil before it was named
	service string
	fetched int
	first   time.Time
}

func newBestAuth(h *bestHost) *bestAuth {
	a := &bestAuth{host: h, turn: clock.NewLimit(h.job.Clock, 1), scopes: []string{"repository:" + h.job.Name.Remote + ":pull,push"}}
	if token := h.job.Credentials.RegistryToken; token != "" {
		a.header = "Bearer " + token
	}
	return a
}

// lock takes the turn.
func (a *bestAuth) lock(ctx context.Context) (unlock func(), err error) {
	place := a.turn.Queue()
	if err := place.Wait(ctx); err != nil {
		place.Leave()
		return nil, err
	}
	return place.Leave, nil
}

// value is what to put into Authorization, and which one it is.
func (a *bestAuth) value(ctx context.Context) (header string, number int, err error) {
	unlock, err := a.lock(ctx)
	if err != nil {
		return "", 0, err
	}
	defer unlock()
	if a.life > 0 && !a.host.job.Clock.Now().Before(a.expires.Add(-min(a.life/10, 10*time.Second))) {
		if err := a.fetch(ctx); err != nil {
			return "", 0, err
		}
	}
	return a.header, a.number, nil
}

// left is for how long the authorization is good; < 0 is for ever.
func (a *bestAuth) left(ctx context.Context) time.Duration {
	unlock, err := a.lock(ctx)
	if err != nil {
		return -1
	}
	defer unlock()
	if a.life == 0 {
		return -1
	}
	return max(a.expires.Sub(a.host.job.Clock.Now()), 0)
}

// renew gets another authorization after a 401 to a request that had the one of
// that number.
//
// Errors: why there is none.
func (a *bestAuth) renew(ctx context.Context, number int, refused *answer) error {
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if a.number != number {
		return nil // somebody else was quicker
	}
	refuse := func(format string, args ...any) error {
		return &finalError{fmt.Errorf("%w: %s", refused.err(), fmt.Sprintf(format, args...))}
	}
	var list []challenge
	for _, line := range refused.header.Values("WWW-Authenticate") {
		list = append(list, splitChallenges(line)...)
	}
	c := a.host.job.Credentials
	if c.RegistryToken != "" {
		return refuse("the registry does not take the token that it was given")
	}
	if i := slices.IndexFunc(list, func(c challenge) bool { return c.scheme == "bearer" }); i >= 0 {
		if a.realm, err = a.host.realm(list[i].params["realm"]); err != nil {
			return refuse("%v", err)
		}
		a.service = list[i].params["service"]
		a.widen(list[i].params["scope"])
		return a.fetch(ctx)
	}
	if !slices.ContainsFunc(list, func(c challenge) bool { return c.scheme == "basic" }) {
		return refuse("it does not say how to authorize")
	}
	if c.Username == "" || c.Password == "" {
		return refuse("it wants a user and a password for %s, and there are none; log in there", a.host.root.Host)
	}
	if a.header != "" {
		return refuse("it does not take the password of user %s for %s", c.Username, a.host.root.Host)
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(c.Username, c.Password)
	a.header, a.life = req.Header.Get("Authorization"), 0
	a.number++
	return nil
}

// widen adds what the registry says is missing from the scopes.
func (a *bestAuth) widen(scope string) {
	for s := range strings.FieldsSeq(scope) {
		name, actions, ok := cutLast(s, ":")
		covered := slices.ContainsFunc(a.scopes, func(have string) bool {
			owned, own, _ := cutLast(have, ":")
			list := strings.Split(own, ",")
			for action := range strings.SplitSeq(actions, ",") {
				if !slices.Contains(list, action) {
					return false
				}
			}
			return owned == name
		})
		if ok && !covered {
			a.scopes = append(a.scopes, s)
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// fetch asks for a token. The caller has the turn.
func (a *bestAuth) fetch(ctx context.Context) error {
	now := a.host.job.Clock.Now()
	if a.fetched == 0 {
		a.first = now
	}
	a.fetched++
	if a.fetched > bestRequests+int(now.Sub(a.first)/(30*time.Second)) {
		return &finalError{fmt.Errorf("token service %s: %d tokens in %s, and the registry takes none of them for long", a.realm.Host, a.fetched-1, now.Sub(a.first).Round(time.Second))}
	}
	got, err := a.host.do(ctx, a.request())
	if err != nil {
		return &finalError{err}
	}
	if !got.ok() {
		return &finalError{got.err()}
	}
	var token struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(got.body, &token); err != nil {
		return &finalError{fmt.Errorf("token service %s: its answer is no JSON", a.realm.Host)}
	}
	value := cmp.Or(token.Token, token.AccessToken)
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return &finalError{fmt.Errorf("token service %s: there is no token in its answer", a.realm.Host)}
	}
	a.header, a.life = "Bearer "+value, time.Minute // what there is to a token that does not say
	if token.ExpiresIn > 0 {
		a.life = time.Duration(min(token.ExpiresIn, 1e9) * float64(time.Second))
	}
	a.expires = now.Add(a.life) // by this clock alone: the service's may be wrong
	a.number++
	return nil
}

// request is what asks for a token.
func (a *bestAuth) request() call {
	c, u := a.host.job.Credentials, *a.realm
	// each fetch is one thing of its own: fetch bounds how many there are
	one := call{method: http.MethodGet, bare: true, tries: 2, about: fmt.Sprint(a.fetched), header: http.Header{}}
	if c.IdentityToken != "" {
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {c.IdentityToken}, "service": {a.service},
			"client_id": {"pushcheck"}, "scope": {strings.Join(a.scopes, " ")},
		}
		one.method, one.address, one.small = http.MethodPost, u.String(), []byte(form.Encode())
		one.header.Set("Content-Type", "application/x-www-form-urlencoded")
		return one
	}
	q := u.Query()
	if a.service != "" {
		q.Set("service", a.service)
	}
	for _, s := range a.scopes {
		q.Add("scope", s)
	}
	if c.Username != "" && c.Password != "" {
		q.Set("account", c.Username)
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(c.Username, c.Password)
		one.header.Set("Authorization", req.Header.Get("Authorization"))
	}
	u.RawQuery = q.Encode()
	one.address = u.String()
	return one
}

// realm reads where tokens come from. Credentials go there, so it is over TLS, or
// on the registry's own host where that itself is spoken to without.
func (h *bestHost) realm(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("its token service has no address")
	}
	plain := h.root.Scheme == "http" && strings.EqualFold(u.Hostname(), h.root.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !plain) {
		return nil, fmt.Errorf("it names a token service at %s://%s, to which no secret is sent: it is neither on https nor on the registry's own host", u.Scheme, u.Host)
	}
	u.User = nil
	return u, nil
}

// splitChallenges reads every challenge of a header line (RFC 9110, section 11.6.1):
// schemes and parameters are told apart by the equals sign.
func splitChallenges(line string) []challenge {
	var list []challenge
	for rest := skipSpace(line); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		word, after := cutToken(rest)
		if word == "" {
			return list
		}
		value, found := strings.CutPrefix(skipSpace(after), "=")
		if !found || len(list) == 0 {
			list = append(list, challenge{scheme: strings.ToLower(word), params: map[string]string{}})
			rest = after
			continue
		}
		text, left := cutTokenOrQuoted(skipSpace(value))
		list[len(list)-1].params[strings.ToLower(word)] = text
		rest = left
	}
	return list
}
