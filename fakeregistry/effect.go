package fakeregistry

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A replacement answers instead of the registry, which never hears of the
// request. The request's body is read to its end first.
type replacement func(w http.ResponseWriter, r *http.Request)

// Disturb implements Effect.
func (e replacement) Disturb(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	strikeOf(r).took(r.Context())
	drain(r)
	e(w, r)
}

// A correction changes the head of the registry's answer. It reports whether
// there was anything to change.
type correction func(r *http.Request, status int, h http.Header) bool

// Disturb implements Effect.
func (e correction) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	edited(w, r, next, func(status int, h http.Header) {
		if e(r, status, h) {
			s.took(r.Context())
		} else {
			s.missed()
		}
	})
}

// A detour does something about the request and lets the registry go on, or not.
type detour func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Disturb implements Effect.
func (e detour) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) { e(w, r, next) }

// An aside is a detour of ClassBeside.
type aside struct{ detour }

// Class implements Classed.
func (aside) Class() Class { return ClassBeside }

// A selective effect is another one with a condition.
type selective struct {
	Effect
	when func(q *query) bool
}

func (e selective) suits(q *query) bool { return e.when(q) }

// Class implements Classed.
func (e selective) Class() Class { return classOf(e.Effect) }

// pass lets the registry go on as if there were no fault.
func pass(w http.ResponseWriter, r *http.Request, next http.Handler) {
	strikeOf(r).missed()
	next.ServeHTTP(w, r)
}

// A page is an answer that somebody in front of the registry gives, or the
// registry itself.
type page struct {
	status  int
	headers map[string]string // names as given
	kind    string            // Content-Type; "" is none
	body    string
}

// write answers with p. Header names keep their letters.
func (p page) write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = nil // net/http must not guess
	if p.kind != "" {
		h.Set("Content-Type", p.kind)
	}
	given := false
	for name := range p.headers {
		given = given || strings.EqualFold(name, "Content-Length")
		if strings.EqualFold(name, "Content-Type") {
			h["Content-Type"] = nil
		}
		if strings.EqualFold(name, "Date") {
			h["Date"] = nil
		}
	}
	if !given {
		h.Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	for _, name := range slices.Sorted(maps.Keys(p.headers)) {
		h[name] = []string{p.headers[name]}
	}
	w.WriteHeader(p.status)
	_, _ = w.Write([]byte(p.body)) // a HEAD has no body, and the client may be gone
}

// htmlPage is what a proxy shows of a status.
func htmlPage(status int) string {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return "<html>\n<head><title>" + title + "</title></head>\n<body>\n<h1>" + title +
		"</h1>\n<hr>\n<p>proxy in front of the registry</p>\n</body>\n</html>\n"
}

// pageOf makes an answer of a body as faults name it: html, empty, json, or text.
func pageOf(status int, body string, code Code) page {
	switch body {
	case "html":
		return page{status: status, kind: "text/html", body: htmlPage(status)}
	case "empty":
		return page{status: status}
	case "json":
		return envelope(status, &Error{Code: code})
	}
	kind := "text/plain; charset=utf-8"
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		kind = "application/json"
	}
	return page{status: status, kind: kind, body: body}
}

// envelope is the registry's own refusal. status 0 is the first error's.
func envelope(status int, errs ...*Error) page {
	list := make(Errors, len(errs))
	for i, e := range errs {
		list[i] = e
	}
	c := &caught{header: http.Header{}}
	WriteError(c, list)
	p := page{status: c.status, kind: c.header.Get("Content-Type"), body: c.body.String()}
	if status != 0 {
		p.status = status
	}
	return p
}

// caught is an http.ResponseWriter for short answers.
type caught struct {
	header http.Header
	status int
	body   strings.Builder
}

func (c *caught) Header() http.Header         { return c.header }
func (c *caught) WriteHeader(status int)      { c.status = status }
func (c *caught) Write(p []byte) (int, error) { return c.body.Write(p) }

// refuse answers as the registry itself does, with its version header.
func refuse(w http.ResponseWriter, p page) {
	registryHeader(w.Header())
	p.write(w)
}
