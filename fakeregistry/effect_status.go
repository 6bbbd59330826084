package fakeregistry

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

func statusKinds() []Kind {
	kinds := []Kind{
		{
			Name: "respond", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "Any answer at all, by whoever stands in front of the registry, which never hears of the request. The other faults of this layer have a cause; this one has none.",
			Params: []Param{
				{Name: "status", Type: ParamStatus, Doc: "the status; that of error, or 500, when it is not given"},
				textParam("error", "", "an error code: its envelope is the body"),
				textParam("message", "", "the error's message; empty is the code's usual one"),
				textParam("detail", "", "the error's detail; empty leaves it out"),
				{Name: "headers", Type: ParamMap, Doc: "more headers, named as they are to be written"},
				textParam("body", "", "html, empty, or the text itself; empty is the error's envelope, or no body"),
			},
			New: newRespond,
		},
		{
			Name: "unavailable", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "An overloaded registry, or the balancer before it, asks for patience.",
			Params: []Param{
				timeParam("retry-after", nil, "what Retry-After says, in whole seconds; no such header when it is not given"),
				statusParam("the status", 503),
			},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					if d, ok := a["retry-after"].(time.Duration); ok {
						w.Header().Set("Retry-After", seconds(d))
					}
					envelope(a.status(), CodeUnavailable.With(nil)).write(w)
				}), nil
			},
		},
	}
	return append(append(kinds, limitKinds()...), append(policyKinds(), redirectKinds()...)...)
}

// seconds are whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((max(d, 0)+time.Second-1)/time.Second), 10)
}

func newRespond(a Args) (Effect, error) {
	status := 0
	if n, ok := a["status"].(int64); ok {
		status = int(n)
	}
	p := page{status: status}
	code := Code(a.text("error"))
	if code != "" {
		e := &Error{Code: code, Message: a.text("message")}
		if d := a.text("detail"); d != "" {
			e.Detail = d
		}
		p = envelope(status, e)
	}
	if p.status == 0 {
		p.status = http.StatusInternalServerError
	}
	if body := a.text("body"); body != "" {
		p = pageOf(p.status, body, code)
	}
	p.headers = a.pairs("headers")
	if p.status < 200 {
		return nil, fmt.Errorf("status: %d is not the status of an answer", p.status)
	}
	return replacement(func(w http.ResponseWriter, _ *http.Request) { p.write(w) }), nil
}

// limitKinds are refusals of too much.
func limitKinds() []Kind {
	return []Kind{
		{
			Name: "too-many", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "A rate limit. Clients that come back at once make it worse.",
			Params: []Param{
				timeParam("retry-after", time.Second, "how long the client is asked to wait, in whole seconds"),
				enumParam("form", "how Retry-After says so; none leaves it out", "seconds", "date", "none"),
				{Name: "enforce", Type: ParamBool, Default: false, Doc: "whether who returns earlier is refused again, whatever the trigger says"},
			},
			New: func(a Args) (Effect, error) { return tooMany(a), nil },
		},
		{
			Name: "gateway-timeout", Layer: "status", Where: []string{"upload.put", "manifest.put"}, Seam: SeamRequest,
			Doc: "The proxy loses patience while the registry behind it goes on: a failure is told of what succeeds.",
			Params: []Param{
				timeParam("by", time.Duration(0), "how long it waits before it gives up"),
				{Name: "commit", Type: ParamBool, Default: true, Doc: "whether the registry does what was asked"},
			},
			New: func(a Args) (Effect, error) { return gatewayTimeout(a), nil },
		},
		{
			Name: "too-large", Layer: "status", Where: []string{"upload.*"}, Seam: SeamRequest,
			Doc: "A proxy limits the size of request bodies, and has its own page to say so.",
			Params: []Param{
				sizeParam("limit", int64(1<<20), "the largest body that passes"),
				textParam("body", "html", "html, json, empty, or the text itself"),
			},
			New: func(a Args) (Effect, error) {
				return bodyLimit{a.number("limit"), pageOf(http.StatusRequestEntityTooLarge, a.text("body"), CodeSizeInvalid)}, nil
			},
		},
		{
			Name: "chunk-too-large", Layer: "status", Where: []string{"upload.patch"}, Seam: SeamRequest,
			Doc:    "The registry takes no chunk above a size, and does not say so before.",
			Params: []Param{sizeParam("limit", int64(4<<20), "the largest chunk that is taken")},
			New: func(a Args) (Effect, error) {
				return bodyLimit{a.number("limit"), envelope(0, CodeRangeInvalid.With(nil))}, nil
			},
		},
	}
}

func tooMany(a Args) Effect {
	wait := a.time("retry-after")
	return replacement(func(w http.ResponseWriter, r *http.Request) {
		s := strikeOf(r)
		switch a.text("form") {
		case "seconds":
			w.Header().Set("Retry-After", seconds(wait))
		case "date":
			at := s.server().now().Add(wait + time.Second - 1) // dates have no fractions
			w.Header().Set("Retry-After", at.UTC().Format(http.TimeFormat))
		}
		if a.flag("enforce") && !s.goesOn() {
			s.persist(wait)
		}
		refuse(w, envelope(0, CodeTooManyRequests.With(nil)))
	})
}

func gatewayTimeout(a Args) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		s.took(r.Context())
		if a.flag("commit") {
			ask(next, r).end()
		} else {
			drain(r)
		}
		if s.hold(r, a.time("by")) != nil {
			abort()
		}
		pageOf(http.StatusGatewayTimeout, "html", "").write(w)
	})
}

// bodyLimit refuses bodies above a size with a page. A body whose length nobody
// told goes to the registry up to the limit and ends there, as a broken one.
type bodyLimit struct {
	limit int64
	page  page
}

// Disturb implements Effect.
func (e bodyLimit) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.ContentLength >= 0 && r.ContentLength <= e.limit || r.Body == nil {
		pass(w, r, next)
		return
	}
	s := strikeOf(r)
	if r.ContentLength > e.limit {
		s.took(r.Context())
		drain(r)
		e.page.write(w)
		return
	}
	whole := r.Body
	body := &limitedBody{ReadCloser: whole, left: e.limit, over: func() { s.took(r.Context()) }}
	r.Body = body
	mute := &muteWriter{ResponseWriter: w, mute: func() bool { return body.exceeded }}
	next.ServeHTTP(mute, r)
	if !body.exceeded {
		s.missed()
		return
	}
	s.cutShort()
	r.Body = whole
	drain(r)
	e.page.write(w)
}

// policyKinds are refusals on purpose.
func policyKinds() []Kind {
	return []Kind{
		{
			Name: "denied", Layer: "status", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The user may not. To try again is pointless, and the registry's words should reach the user.",
			Params: []Param{textParam("error", "DENIED", "the error code"), textParam("message", "", "the error's message; empty is the code's usual one")},
			New: func(a Args) (Effect, error) {
				status := 0
				code := Code(a.text("error"))
				if code.Message() == "" {
					status = http.StatusForbidden
				}
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					refuse(w, envelope(status, &Error{Code: code, Message: a.text("message")}))
				}), nil
			},
		},
		{
			Name: "immutable-tag", Layer: "status", Where: []string{"manifest.put"}, Seam: SeamRequest,
			Doc:    "A tag that exists may not be pushed again, not even with the same manifest. One that does not exist is set.",
			Params: []Param{statusParam("the status", 400, 403, 409)},
			New:    func(a Args) (Effect, error) { return immutableTag(a.status()), nil },
		},
		{
			Name: "quota", Layer: "status", Where: []string{"upload.put", "manifest.put"}, Seam: SeamRequest,
			Doc:    "The project's quota is reached half way through the image.",
			Params: []Param{sizeParam("bytes", int64(1<<20), "how much the registry takes in this run")},
			New:    func(a Args) (Effect, error) { return quota(a.number("bytes")), nil },
		},
		{
			Name: "read-only", Layer: "status", Where: []string{"upload.*", "manifest.put"}, Seam: SeamRequest,
			Doc:    "The registry is under maintenance and takes nothing.",
			Params: []Param{statusParam("the status", 405)},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					if a.status() == http.StatusMethodNotAllowed { // distribution's own words (P-309)
						w.Header().Set("Allow", "GET, HEAD")
						refuse(w, page{status: a.status(), kind: "text/plain; charset=utf-8", body: "Method not allowed\n"})
						return
					}
					refuse(w, envelope(a.status(), CodeUnsupported.With(nil)))
				}), nil
			},
		},
	}
}

// manifestTypes are the media types of manifests that have a tag.
var manifestTypes = []string{
	mediatype.Schema1Signed,
	mediatype.Schema1,
	mediatype.Schema2,
	mediatype.List,
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
}

func immutableTag(status int) Effect {
	codes := map[int]Code{http.StatusForbidden: CodeDenied, http.StatusConflict: "TAG_ALREADY_EXISTS"}
	code := codes[status]
	if code == "" {
		code = CodeTagInvalid
	}
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		look := r.Clone(r.Context())
		look.Method, look.Body, look.ContentLength = http.MethodHead, http.NoBody, 0
		look.Header["Accept"] = manifestTypes // a registry says 404 to who accepts too little
		there := ask(next, look)
		there.end()
		if there.status != http.StatusOK {
			pass(w, r, next)
			return
		}
		strikeOf(r).took(r.Context())
		drain(r)
		tag := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		refuse(w, envelope(status, &Error{Code: code, Message: fmt.Sprintf("tag %s exists and may not be changed", tag)}))
	})
}

func quota(limit int64) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		used := s.received() + max(r.ContentLength, 0)
		if used <= limit {
			pass(w, r, next)
			return
		}
		s.took(r.Context())
		drain(r)
		refuse(w, envelope(0, &Error{
			Code:    CodeDenied,
			Message: fmt.Sprintf("the quota of this project is %d bytes and %d would be used", limit, used),
		}))
	})
}
