package fakeregistry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// visibleKinds are faults of when and as what something becomes visible.
func visibleKinds() []Kind {
	return []Kind{
		{
			Name: "commit-later", Layer: "protocol", Where: []string{"manifest.put"}, Seam: SeamStorage,
			Doc:    "The registry answers 201 and queues the write: the manifest and its tag appear later.",
			Params: []Param{timeParam("by", 3*time.Second, "how much later; ∞ is never")},
			New:    func(a Args) (Effect, error) { return laterCommit(a.time("by")), nil },
		},
		{
			Name: "commit-unchecked", Layer: "protocol", Where: []string{"upload.put"}, Seam: SeamStorage,
			Doc: "The registry takes content that does not have the digest it is committed by.",
			New: func(Args) (Effect, error) {
				return hooked(func(r *http.Request, s *strike) Hook {
					return func(_ context.Context, a Access) error {
						if a.Op != StorageVerify {
							return nil
						}
						s.took(r.Context())
						return ErrPretend
					}
				}), nil
			},
		},
		{
			Name: "pull-through-lag", Layer: "protocol", Where: []string{"blob.head"}, Seam: SeamStorage,
			Doc:    "HEAD is answered from the registry upstream, and for a while the check of manifests does not see the blob.",
			Params: []Param{timeParam("by", 5*time.Second, "for how long after the HEAD")},
			New:    func(a Args) (Effect, error) { return upstream{a.time("by")}, nil },
		},
		{
			Name: "manifest-rewritten", Layer: "protocol", Where: []string{"manifest.put"}, Seam: SeamRequest,
			Doc: "The registry writes the manifest's JSON anew before it stores it, so that it has another digest. Schema 1, which is signed, and manifests put by digest are left alone.",
			New: func(Args) (Effect, error) { return detour(rewriteManifest), nil },
		},
		{
			Name: "tag-race", Layer: "protocol", Where: []string{"manifest.put"}, Seam: SeamStorage,
			Doc:    "Somebody else moves the tag to another manifest during the push.",
			Params: []Param{timeParam("by", time.Duration(0), "how long after the registry took the manifest; 0 is before it answers")},
			New:    func(a Args) (Effect, error) { return tagRace(a.time("by")), nil },
		},
	}
}

// manifestLimit is how large a manifest may be, as distribution has it (P-326).
const manifestLimit = 4 << 20

// readManifest reads the body of a request. A body that is too large stays, to
// its last byte, for the registry to refuse.
func readManifest(r *http.Request) (body []byte, whole bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, manifestLimit+1))
	if err == nil && len(body) <= manifestLimit {
		return body, true
	}
	r.Body = readCloser{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	return nil, false
}

// withBody is a request with another body.
func withBody(r *http.Request, ctx context.Context, body []byte) *http.Request { //nolint:revive // the request comes first, as in http
	r = r.Clone(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.TransferEncoding = nil
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return r
}

// laterCommit lets the registry judge a manifest, and store it later.
func laterCommit(by time.Duration) Effect {
	pretend := func(_ context.Context, a Access) error {
		switch a.Op {
		case StorageCommit, StorageManifest, StorageLink, StorageTag:
			return ErrPretend
		default:
			return nil
		}
	}
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		later := s.server().later
		body, whole := readManifest(r)
		if !whole || later == nil || by == 0 {
			if whole {
				r = withBody(r, r.Context(), body)
			}
			pass(w, r, next)
			return
		}
		a := ask(next, withBody(r, WithHook(r.Context(), pretend), body))
		defer a.end()
		if !a.ok() {
			s.missed()
			a.replay(w)
			return
		}
		s.took(r.Context())
		again := opened(withBody(r, context.WithValue(context.WithoutCancel(r.Context()), asideKey{}, true), body))
		later(by, func() { ask(next, again).end() })
		a.replay(w)
	})
}

// upstream is a registry that proxies another one.
type upstream struct{ by time.Duration }

func (upstream) places(written []Pattern) ([]Pattern, string) {
	return append(written[:len(written):len(written)], patterns("manifest.put")...), ""
}

// Disturb implements Effect.
func (e upstream) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	now := s.server().clock.Now()
	if route := wire.ParseRoute(r.Method, r.URL); r.Method == http.MethodHead {
		edited(w, r, next, func(status int, _ http.Header) {
			if status != http.StatusOK {
				s.missed()
				return
			}
			s.took(r.Context())
			s.note(route.Digest.String(), func(n *int64) { *n = until(now, e.by) })
			s.persist(lasting(e.by))
		})
		return
	}
	hooked(func(r *http.Request, s *strike) Hook {
		return func(_ context.Context, a Access) error {
			lags := false
			s.note(a.Digest.String(), func(n *int64) { lags = now.UnixNano() < *n })
			if a.Op != StorageStat || !lags {
				return nil
			}
			s.took(r.Context())
			return notStored("blob", a.Digest.String(), a.Repository)
		}
	}).Disturb(w, r, next)
}

// lasting is for how long d is, which may be for ever.
func lasting(d time.Duration) time.Duration {
	if d < 0 {
		return forEver
	}
	return d
}

// until is when d is over, as a note keeps it.
func until(now time.Time, d time.Duration) int64 { return now.Add(lasting(d)).UnixNano() }

// rewriteManifest changes the blanks of a manifest on its way to the registry.
func rewriteManifest(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if wire.ParseRoute(r.Method, r.URL).Tag == "" || sameMedia("schema1", r) {
		pass(w, r, next)
		return
	}
	body, whole := readManifest(r)
	if !whole {
		pass(w, r, next)
		return
	}
	var other bytes.Buffer
	err := json.Compact(&other, body)
	if err == nil && bytes.Equal(other.Bytes(), body) {
		other.Reset()
		err = json.Indent(&other, body, "", " ")
	}
	if err != nil {
		pass(w, withBody(r, r.Context(), body), next)
		return
	}
	strikeOf(r).took(r.Context())
	next.ServeHTTP(w, withBody(r, r.Context(), other.Bytes()))
}

// What somebody else pushed: an OCI manifest without layers and with the empty
// config (image-spec, "Guidance for an Empty Descriptor").
const (
	othersManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
	othersConfig = `{}`
)

// tagRace lets somebody else have the last word on a tag.
func tagRace(by time.Duration) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		route := wire.ParseRoute(r.Method, r.URL)
		b := s.server()
		a := ask(next, r)
		defer a.end()
		if !a.ok() || route.Tag == "" || b.storage == nil || by != 0 && b.later == nil {
			s.missed()
			a.replay(w)
			return
		}
		s.took(r.Context())
		move := func() {
			_, _, _ = b.storage.PutBlob(route.Repository, strings.NewReader(othersConfig))
			_, _ = b.storage.PutManifest(route.Repository, route.Tag, ManifestInfo{}, []byte(othersManifest)) // fails when the storage is closed
		}
		if by == 0 {
			move()
		} else {
			b.later(by, move)
		}
		a.replay(w)
	})
}
