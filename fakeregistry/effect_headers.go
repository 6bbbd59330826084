package fakeregistry

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func headerKinds() []Kind {
	return append(append(locationKinds(), rangeKinds()...), markKinds()...)
}

// locationKinds are faults of the Location header of an upload session.
func locationKinds() []Kind {
	place := []string{"upload.start", "upload.mount", "upload.patch"}
	kind := func(name, doc string, edit func(a Args) func(r *http.Request, u *url.URL), params ...Param) Kind {
		return Kind{
			Name: name, Layer: "headers", Where: place[:1], Seam: SeamRequest, Doc: doc, Params: params,
			New: func(a Args) (Effect, error) { return editLocation(edit(a)), nil },
		}
	}
	relative := kind("location-relative",
		"The registry answers a Location without scheme and host, which the standards allow; clients that join addresses by hand go astray.",
		makeRelative, enumParam("form", "absolute-path begins with a slash; relative is relative to the request's path", "absolute-path", "relative"))
	relative.Where = []string{"upload.start", "upload.patch"}
	missing := Kind{
		Name: "location-missing", Layer: "headers", Where: place[:1], Seam: SeamRequest,
		Doc: "A proxy or a faulty registry starts the upload session and does not say where it is.",
		New: func(Args) (Effect, error) { return dropHeader("Location"), nil },
	}
	return []Kind{
		relative,
		kind("location-downgrade",
			"A proxy ends TLS in front of the registry, which does not know and hands out addresses with the scheme that it sees itself.",
			func(a Args) func(*http.Request, *url.URL) {
				return func(r *http.Request, u *url.URL) { complete(r, u); u.Scheme = a.text("scheme") }
			}, textParam("scheme", "http", "the scheme that the Location gets")),
		kind("location-elsewhere",
			"The Location names another host or loses the port, as behind a proxy that changes the Host header. Credentials must not go there.",
			moveLocation,
			textParam("host", "", "the host of the Location; empty keeps it"),
			textParam("port", "", "its port; empty drops it unless a host is given that has one")),
		missing,
		kind("location-mangled",
			"A proxy rewrites the address, and what the registry put into it to find the session again is lost.",
			mangleLocation, enumParam("drop", "query drops everything after the question mark; slash drops the last slash of the path", "query", "slash")),
	}
}

// editLocation changes the Location header of an answer.
func editLocation(edit func(r *http.Request, u *url.URL)) Effect {
	return correction(func(r *http.Request, _ int, h http.Header) bool {
		old := h.Get("Location")
		u, err := url.Parse(old)
		if old == "" || err != nil {
			return false
		}
		edit(r, u)
		h.Set("Location", u.String())
		return u.String() != old
	})
}

// complete gives a relative Location the scheme and host of the request.
func complete(r *http.Request, u *url.URL) {
	if u.Host != "" {
		return
	}
	u.Scheme, u.Host = "http", r.Host
	if r.TLS != nil {
		u.Scheme = "https"
	}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = path.Join(path.Dir(r.URL.Path), u.Path)
	}
}

func makeRelative(a Args) func(r *http.Request, u *url.URL) {
	return func(r *http.Request, u *url.URL) {
		complete(r, u)
		u.Scheme, u.Host = "", ""
		if a.text("form") != "relative" {
			return
		}
		base := r.URL.Path[:strings.LastIndex(r.URL.Path, "/")+1]
		if rest, ok := strings.CutPrefix(u.Path, base); ok && rest != "" {
			u.Path, u.RawPath = rest, ""
		}
	}
}

func moveLocation(a Args) func(r *http.Request, u *url.URL) {
	return func(r *http.Request, u *url.URL) {
		complete(r, u)
		host := a.text("host")
		if host == "" {
			host = u.Hostname()
		}
		if port := a.text("port"); port != "" {
			host += ":" + port
		}
		u.Host = host
	}
}

func mangleLocation(a Args) func(r *http.Request, u *url.URL) {
	return func(_ *http.Request, u *url.URL) {
		if a.text("drop") == "query" {
			u.RawQuery = ""
			return
		}
		if i := strings.LastIndex(u.Path, "/"); i >= 0 {
			u.Path, u.RawPath = u.Path[:i]+u.Path[i+1:], ""
		}
	}
}

// dropHeader takes a header out of an answer that has it.
func dropHeader(name string) Effect {
	return correction(func(_ *http.Request, _ int, h http.Header) bool {
		had := h.Get(name) != ""
		h.Del(name)
		return had
	})
}

// rangeKinds are faults of the Range header of an upload session.
func rangeKinds() []Kind {
	kind := func(name, doc string, edit func(a Args, end int64) string, params ...Param) Kind {
		return Kind{
			Name: name, Layer: "headers", Where: []string{"upload.patch"}, Seam: SeamRequest, Doc: doc, Params: params,
			New: func(a Args) (Effect, error) {
				return editRange(func(end int64) string { return edit(a, end) }), nil
			},
		}
	}
	missing := Kind{
		Name: "range-missing", Layer: "headers", Where: []string{"upload.patch"}, Seam: SeamRequest,
		Doc: "The answer to a chunk does not say how much the session holds.",
		New: func(Args) (Effect, error) { return dropHeader("Range"), nil },
	}
	off := kind("range-off-by-one",
		"The registry counts the bytes and not the last one's number, as distribution 2.0.0 did.",
		func(a Args, end int64) string { return fmt.Sprintf("0-%d", max(0, end+a.number("by"))) },
		Param{Name: "by", Type: ParamInt, Default: int64(1), Doc: "what is added to the end of the range"})
	off.Where = []string{"upload.patch", "upload.status"}
	return []Kind{
		missing,
		kind("range-stuck", "All bytes are stored, but the range does not move, as one cloud registry does.",
			func(a Args, _ int64) string { return a.text("at") }, textParam("at", "0-0", "the range that is always told")),
		off,
		kind("range-short", "The range is far smaller than what was sent, and what lies behind it is what the registry kept, or not.",
			func(a Args, end int64) string {
				keep := (end + 1) / 2
				if k, ok := a["keep"].(int64); ok {
					keep = min(k, end+1)
				}
				return fmt.Sprintf("0-%d", max(0, keep-1))
			}, sizeParam("keep", nil, "how many bytes the range tells of; half of them when it is not given")),
	}
}

// editRange changes the Range header of an answer: edit gets the number of the last byte.
func editRange(edit func(end int64) string) Effect {
	return correction(func(_ *http.Request, _ int, h http.Header) bool {
		_, last, ok := strings.Cut(h.Get("Range"), "-")
		end, err := strconv.ParseInt(last, 10, 64)
		if !ok || err != nil {
			return false
		}
		told := edit(end)
		changed := told != h.Get("Range")
		h.Set("Range", told)
		return changed
	})
}

// markKinds are faults of the other headers.
func markKinds() []Kind {
	return []Kind{
		{
			Name: "digest-missing", Layer: "headers", Where: []string{"manifest.put", "upload.put"}, Seam: SeamRequest,
			Doc: "A proxy strips the Docker-Content-Digest header that names what was stored.",
			New: func(Args) (Effect, error) { return dropHeader("Docker-Content-Digest"), nil },
		},
		{
			Name: "digest-wrong", Layer: "headers", Where: []string{"manifest.*", "blob.head"}, Seam: SeamRequest,
			Doc:    "Docker-Content-Digest names something else than what was stored; some clients do not compare and report success.",
			Params: []Param{textParam("value", nil, "what the header says; the digest of other bytes when it is not given")},
			New:    newDigestWrong,
		},
		{
			Name: "version-missing", Layer: "headers", Where: []string{"ping"}, Seam: SeamRequest,
			Doc: "/v2/ answers without the version header: V2 is there but not confirmed, which for some clients decides whether V1 is tried.",
			New: func(Args) (Effect, error) { return dropHeader("Docker-Distribution-Api-Version"), nil },
		},
		{
			Name: "type-wrong", Layer: "headers", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The status is right and the Content-Type is not, as from a proxy that knows better.",
			Params: []Param{textParam("to", "text/html", "the Content-Type of the answer")},
			New: func(a Args) (Effect, error) {
				return correction(func(_ *http.Request, _ int, h http.Header) bool {
					changed := h.Get("Content-Type") != a.text("to")
					h.Set("Content-Type", a.text("to"))
					return changed
				}), nil
			},
		},
		{
			Name: "warning", Layer: "headers", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The registry has something to tell its users (OCI distribution-spec, \"Warnings\"): it must be shown and must not be fatal.",
			Params: []Param{textParam("text", "this registry will be shut down", "what it tells")},
			New: func(a Args) (Effect, error) {
				return correction(func(_ *http.Request, _ int, h http.Header) bool {
					h.Add("Warning", "299 - "+strconv.Quote(a.text("text")))
					return true
				}), nil
			},
		},
		{
			Name: "min-chunk", Layer: "headers", Where: []string{"upload.start"}, Seam: SeamRequest,
			Doc:    "The registry wants chunks of a minimum size, says so when a session starts, and refuses to go on after a smaller one.",
			Params: []Param{sizeParam("size", int64(5<<20), "the minimum, in bytes")},
			New:    func(a Args) (Effect, error) { return minChunk{a.number("size")}, nil },
		},
	}
}

func newDigestWrong(a Args) (Effect, error) {
	return correction(func(_ *http.Request, _ int, h http.Header) bool {
		right := h.Get("Docker-Content-Digest")
		if right == "" {
			return false
		}
		wrong := a.text("value")
		if a["value"] == nil {
			wrong = digest.FromString("not " + right).String()
		}
		h.Set("Docker-Content-Digest", wrong)
		return wrong != right
	}), nil
}

// minChunk announces a minimum and holds clients to it.
type minChunk struct{ size int64 }

func (minChunk) places(written []Pattern) ([]Pattern, string) {
	return slices.Concat(written, patterns("upload.patch")), ""
}

// Disturb implements Effect.
func (e minChunk) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	if r.Method != http.MethodPatch {
		edited(w, r, next, func(_ int, h http.Header) { h.Set("OCI-Chunk-Min-Length", strconv.FormatInt(e.size, 10)) })
		return
	}
	short := false
	key := wire.ParseRoute(r.Method, r.URL).Session
	s.note(key, func(n *int64) { short = *n != 0 })
	if short {
		drain(r)
		refuse(w, envelope(http.StatusRequestedRangeNotSatisfiable, &Error{
			Code: CodeSizeInvalid, Detail: fmt.Sprintf("the chunk before was smaller than %d bytes", e.size),
		}))
		return
	}
	body := &countedBody{ReadCloser: r.Body}
	r.Body = body
	s.missed()
	next.ServeHTTP(w, r)
	s.note(key, func(n *int64) {
		if body.n < e.size {
			*n = 1
		}
	})
}
