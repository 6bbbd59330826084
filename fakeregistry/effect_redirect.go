package fakeregistry

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// redirectKinds are answers that lead elsewhere.
func redirectKinds() []Kind {
	return []Kind{
		{
			Name: "redirect", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The registry hands an upload or blob on to object storage. The Authorization header must stay at home.",
			Params: []Param{
				textParam("to", "", "an address, or a host that keeps path and query; empty leads back here, once"),
				statusParam("the status", 307, 301, 302, 303, 308),
			},
			New: newRedirect,
		},
		{
			Name: "redirect-loop", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "One redirect leads to the next, without end.",
			Params: []Param{
				{Name: "length", Type: ParamInt, Default: int64(2), Doc: "how many different addresses the loop has"},
				statusParam("the status", 307, 301, 302, 303, 308),
			},
			New: func(a Args) (Effect, error) {
				length := max(a.number("length"), 1)
				return replacement(func(w http.ResponseWriter, r *http.Request) {
					u := *r.URL
					q := u.Query()
					hop, _ := strconv.ParseInt(q.Get(loopMark), 10, 64) // 0 at first
					q.Set(loopMark, strconv.FormatInt((hop+1)%length, 10))
					u.RawQuery = q.Encode()
					page{status: a.status(), headers: map[string]string{"Location": u.RequestURI()}}.write(w)
				}), nil
			},
		},
		{
			Name: "captive-portal", Layer: "status", Where: []string{"ping"}, Seam: SeamRequest,
			Doc:    "A login page or web front end answers every address with 200 and its own content.",
			Params: []Param{textParam("body", "html", "html, empty, or the text itself")},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					pageOf(http.StatusOK, a.text("body"), "").write(w)
				}), nil
			},
		},
	}
}

// Queries by which a redirected request is known again.
const (
	homeMark = "redirected"
	loopMark = "hop"
)

func newRedirect(a Args) (Effect, error) {
	to := a.text("to")
	if to != "" && !strings.Contains(to, "://") {
		to = "//" + to
	}
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		q := r.URL.Query()
		if q.Has(homeMark) {
			q.Del(homeMark)
			r = r.Clone(r.Context())
			r.URL.RawQuery = q.Encode()
			pass(w, r, next)
			return
		}
		strikeOf(r).took(r.Context())
		drain(r)
		page{status: a.status(), headers: map[string]string{"Location": redirectTarget(r, target)}}.write(w)
	}), nil
}

// redirectTarget is where a request is sent: target, completed from the request.
func redirectTarget(r *http.Request, target *url.URL) string {
	u := *target
	if u.Host == "" {
		q := r.URL.Query()
		q.Set(homeMark, "1")
		return (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).RequestURI()
	}
	if u.Scheme == "" {
		u.Scheme = "http"
		if r.TLS != nil {
			u.Scheme = "https"
		}
	}
	if u.Path == "" {
		u.Path, u.RawQuery = r.URL.Path, r.URL.RawQuery
	}
	return u.String()
}
