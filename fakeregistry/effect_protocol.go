package fakeregistry

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func protocolKinds() []Kind {
	return slices.Concat(headKinds(), commitKinds(), sessionKinds(), visibleKinds(), mountKinds(), halfKinds())
}

// headKinds are lies about what is there.
func headKinds() []Kind {
	return []Kind{
		{
			Name: "head-lies", Layer: "protocol", Where: []string{"blob.head"}, Seam: SeamRequest,
			Doc: "HEAD says that a blob is there although garbage collection took it, and it is skipped; or that one is absent which is there.",
			Params: []Param{
				enumParam("say", "what it says", "there", "absent"),
				{Name: "digest", Type: ParamDigests, Doc: "of which blobs; of all when it is not given"},
				sizeParam("size", nil, "the Content-Length of a blob that is not there; that of the known content, or 0, when it is not given"),
			},
			New: newHeadLies,
		},
		{
			Name: "head-size-lies", Layer: "protocol", Where: []string{"blob.head"}, Seam: SeamRequest,
			Doc:    "HEAD tells another length, which ends up in the manifest.",
			Params: []Param{sizeParam("size", int64(1), "the Content-Length")},
			New: func(a Args) (Effect, error) {
				return correction(func(_ *http.Request, status int, h http.Header) bool {
					told := strconv.FormatInt(a.number("size"), 10)
					if status != http.StatusOK || h.Get("Content-Length") == told {
						return false
					}
					h.Set("Content-Length", told)
					return true
				}), nil
			},
		},
		{
			Name: "head-refused", Layer: "protocol", Where: []string{"blob.head", "manifest.head"}, Seam: SeamRequest,
			Doc:    "The registry, or a proxy before it, forbids HEAD and lets GET through.",
			Params: []Param{statusParam("the status", 403, 405)},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) { refuse(w, page{status: a.status()}) }), nil
			},
		},
	}
}

func newHeadLies(a Args) (Effect, error) {
	which := a.digests("digest")
	there := a.text("say") == "there"
	lie := detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		d := wire.ParseRoute(r.Method, r.URL).Digest
		answer := ask(next, r)
		defer answer.end()
		switch {
		case there && answer.status == http.StatusNotFound:
			s.took(r.Context())
			foundHead(w, d, lieSize(s, a, d))
		case !there && answer.ok():
			s.took(r.Context())
			refuse(w, envelope(0, CodeBlobUnknown.With(nil)))
		default:
			s.missed()
			answer.replay(w)
		}
	})
	return selective{lie, func(q *query) bool { return which.has(q.route.Digest) }}, nil
}

func lieSize(s *strike, a Args, d digest.Digest) int64 {
	if n, ok := a["size"].(int64); ok {
		return n
	}
	n, _ := s.server().contents.size(d)
	return n
}

// foundHead answers as distribution does to the HEAD of a blob that is there (P-323).
func foundHead(w http.ResponseWriter, d digest.Digest, size int64) {
	h := w.Header()
	registryHeader(h)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "max-age=31536000")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", d.String())
	h.Set("Etag", strconv.Quote(d.String()))
	w.WriteHeader(http.StatusOK)
}

// commitKinds are faults of the moment in which something becomes visible.
func commitKinds() []Kind {
	both := []string{"upload.put", "manifest.put"}
	return []Kind{
		{
			Name: "session-vanishes", Layer: "protocol", Where: []string{"upload.patch", "upload.put"}, Seam: SeamRequest,
			Doc:    "The request reaches a replica that does not know the upload session.",
			Params: []Param{statusParam("the status", 404, 400)},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					refuse(w, envelope(a.status(), CodeBlobUploadUnknown.With(nil)))
				}), nil
			},
		},
		{
			Name: "commit-lost", Layer: "protocol", Where: both, Seam: SeamRequest,
			Doc: "It is stored, and the connection dies before the answer: a success that looks like a failure.",
			New: func(Args) (Effect, error) { return commitLost{}, nil },
		},
		{
			Name: "commit-slow", Layer: "protocol", Where: []string{"upload.put"}, Seam: SeamRequest,
			Doc:    "After the last byte the registry verifies or copies for minutes before it answers.",
			Params: []Param{timeParam("by", time.Minute, "for how long")},
			New:    func(a Args) (Effect, error) { return slowCommit{a.time("by")}, nil },
		},
	}
}

// commitLost lets the registry succeed and breaks the connection.
type commitLost struct{}

// Class implements Classed.
func (commitLost) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (commitLost) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	a := ask(next, r)
	defer a.end()
	if !a.ok() {
		strikeOf(r).missed()
		a.replay(w)
		return
	}
	snap(r, wire.FailureReset)
	abort()
}

// slowCommit waits after the registry has finished.
type slowCommit struct{ by time.Duration }

// Class implements Classed.
func (slowCommit) Class() Class { return ClassPace }

// Disturb implements Effect.
func (e slowCommit) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	late(w, r, next, e.by)
}

// mountKinds are faults of a mount from another repository.
func mountKinds() []Kind {
	return []Kind{
		{
			Name: "mount-ignored", Layer: "protocol", Where: []string{"upload.mount"}, Seam: SeamRequest,
			Doc: "A mount starts an upload session instead, which the standards allow.",
			New: func(Args) (Effect, error) {
				return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					r = r.Clone(r.Context())
					q := r.URL.Query()
					q.Del("mount")
					q.Del("from")
					r.URL.RawQuery = q.Encode()
					strikeOf(r).took(r.Context())
					next.ServeHTTP(w, r)
				}), nil
			},
		},
		{
			Name: "mount-denied", Layer: "protocol", Where: []string{"upload.mount"}, Seam: SeamRequest,
			Doc:    "The mount is refused, which some clients take for the end.",
			Params: []Param{statusParam("the status", 401, 403)},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, r *http.Request) {
					if a.status() == http.StatusUnauthorized {
						asked := needs(r, wire.ParseRoute(r.Method, r.URL))
						unauthorized(w, challengeFor(r, "insufficient_scope", asked), asked)
						return
					}
					refuse(w, envelope(a.status(), CodeDenied.With(nil)))
				}), nil
			},
		},
		{
			Name: "mount-lies", Layer: "protocol", Where: []string{"upload.mount"}, Seam: SeamRequest,
			Doc: "The mount succeeds by its own account, and the blob is not there.",
			New: func(Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, r *http.Request) {
					route := wire.ParseRoute(r.Method, r.URL)
					h := w.Header()
					registryHeader(h)
					h.Set("Content-Length", "0")
					h.Set("Docker-Content-Digest", route.Digest.String())
					h.Set("Location", strings.TrimSuffix(r.URL.Path, "uploads/")+route.Digest.String())
					w.WriteHeader(http.StatusCreated)
				}), nil
			},
		},
	}
}

// halfKinds are registries that do not speak all of V2.
func halfKinds() []Kind {
	return []Kind{
		{
			Name: "schema2-refused", Layer: "protocol", Where: []string{"manifest.put"}, Seam: SeamRequest,
			Doc:    "A registry before 2.3, or one in front of such a store, takes schema 1 only.",
			Params: []Param{enumParam("error", "the error code", "MANIFEST_INVALID", "TAG_INVALID")},
			New: func(a Args) (Effect, error) {
				refusal := replacement(func(w http.ResponseWriter, _ *http.Request) {
					refuse(w, envelope(0, Code(a.text("error")).With(nil)))
				})
				return selective{refusal, func(q *query) bool { return !sameMedia("schema1", q.r) }}, nil
			},
		},
		{
			Name: "v2-half", Layer: "protocol", Where: []string{"upload.*", "blob.*", "manifest.*", "tags.list", "referrers"}, Seam: SeamRequest,
			Doc:    "Of V2 only the ping is answered; all that lies behind it is missing.",
			Params: []Param{statusParam("the status", 404, 405, 501)},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					text := http.StatusText(a.status())
					if a.status() == http.StatusNotFound {
						text = "404 page not found"
					}
					page{status: a.status(), kind: "text/plain; charset=utf-8", body: text + "\n"}.write(w)
				}), nil
			},
		},
	}
}
