package fakeregistry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func storageKinds() []Kind { return slices.Concat(hookKinds(), storeKinds(), eventKinds()) }

// hookKinds strike while the registry uses its storage for a request.
func hookKinds() []Kind {
	return []Kind{
		{
			Name: "commit-fake", Layer: "protocol", Where: []string{"upload.put", "manifest.put"}, Seam: SeamStorage,
			Doc: "The registry answers 201 and has stored nothing; clients that do not look again report success.",
			New: func(Args) (Effect, error) {
				return hooked(func(r *http.Request, s *strike) Hook {
					return func(_ context.Context, a Access) error {
						switch a.Op {
						case StorageCommit, StorageManifest, StorageLink, StorageTag:
							s.took(r.Context())
							return ErrPretend
						default:
							return nil
						}
					}
				}), nil
			},
		},
		{
			Name: "disk-full", Layer: "storage", Where: []string{"upload.patch", "upload.put"}, Seam: SeamStorage,
			Doc:    "The registry's disk is full. Some clients look for exactly these words and then never try again.",
			Params: []Param{sizeParam("after", int64(0), "how many bytes of the request still fit")},
			New:    func(a Args) (Effect, error) { return diskFull(a.number("after")), nil },
		},
		{
			Name: "write-error", Layer: "storage", Where: []string{"upload.*", "manifest.put"}, Seam: SeamStorage,
			Doc:    "The store behind the registry fails to write now and then.",
			Params: []Param{textParam("text", "s3aws: RequestError: send request failed", "what the store says")},
			New: func(a Args) (Effect, error) {
				return hooked(func(r *http.Request, s *strike) Hook {
					return func(_ context.Context, x Access) error {
						if !x.Op.Changes() {
							return nil
						}
						s.took(r.Context())
						return errors.New(a.text("text"))
					}
				}), nil
			},
		},
	}
}

// eventKinds strike the storage behind the registry's back.
func eventKinds() []Kind {
	which := []Param{
		{Name: "what", Type: ParamDigests, Doc: "which blobs; every blob of the repository when it is not given"},
		textParam("at", "manifest.put", "the operation before which it happens, or the event at which"),
		textParam("repo", "", "the repository; that of the request, or every one at an event, when it is empty"),
	}
	return []Kind{
		{
			Name: "gc-strikes", Layer: "protocol", Where: []string{"event"}, Seam: SeamStorage,
			Doc:    "Garbage collection runs in the middle of a push, between the last blob and the manifest that names it.",
			Params: which,
			New: func(a Args) (Effect, error) {
				return collection{atPlace(a), a.digests("what"), a.text("repo")}, nil
			},
		},
		{
			Name: "bit-rot", Layer: "storage", Where: []string{"event"}, Seam: SeamStorage,
			Doc:    "A stored blob changes under the registry.",
			Params: which,
			New: func(a Args) (Effect, error) {
				c := collection{atPlace(a), a.digests("what"), a.text("repo")}
				return rot{c}, nil
			},
		},
		{
			Name: "upload-purged", Layer: "storage", Where: []string{"event"}, Seam: SeamStorage,
			Doc:    "The purger of stale uploads removes a live session.",
			Params: []Param{textParam("at", "upload.put", "the operation before which it happens, or the event at which")},
			New:    func(a Args) (Effect, error) { return purge{atPlace(a)}, nil },
		},
		{
			Name: "restart", Layer: "storage", Where: []string{"event"}, Seam: SeamStorage,
			Doc: "The registry's process restarts: connections end and are refused for a while, and sessions and tokens are gone.",
			Params: []Param{
				textParam("at", "upload.patch", "the operation at which it happens, whose request ends unanswered, or the event"),
				timeParam("down", 2*time.Second, "for how long connections are refused"),
			},
			New: func(a Args) (Effect, error) {
				if a.time("down") < 0 {
					return nil, errors.New("down: want a time that ends")
				}
				return reboot{atPlace(a), a.time("down")}, nil
			},
		},
	}
}

// hooked lets the registry go on with a hook in its storage.
func hooked(hook func(r *http.Request, s *strike) Hook) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s := strikeOf(r)
		next.ServeHTTP(w, r.WithContext(WithHook(r.Context(), hook(r, s))))
		s.missed()
	})
}

// diskFull fails what does not fit any more.
func diskFull(after int64) Effect {
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	return hooked(func(r *http.Request, s *strike) Hook {
		var used atomic.Int64
		return func(_ context.Context, a Access) error {
			switch a.Op {
			case StorageWrite:
				before := used.Add(a.Length) - a.Length
				if before+a.Length <= after {
					return nil
				}
				s.took(r.Context())
				s.cutShort()
				return &ShortWriteError{Keep: max(after-before, 0), Err: full}
			case StorageCommit, StorageManifest:
				if used.Load() < after {
					return nil
				}
				s.took(r.Context())
				return full
			default:
				return nil
			}
		}
	})
}

// A place is where a fault that is written at an event strikes.
type place string

func atPlace(a Args) place { return place(a.text("at")) }

// places takes the operations that were written, unless they are the event.
func (p place) places(written []Pattern) ([]Pattern, string) {
	var ops []Pattern
	for _, x := range written {
		if x.Op != string(wire.OpEvent) {
			ops = append(ops, x)
		}
	}
	if len(ops) > 0 {
		return ops, ""
	}
	if x, err := wire.ParsePattern(string(p)); err == nil && x.Op != string(wire.OpEvent) {
		return []Pattern{x}, ""
	}
	return nil, string(p)
}

// Class implements Classed.
func (place) Class() Class { return ClassBeside }

// A collection removes blobs behind everybody's back.
type collection struct {
	place
	what digests
	repo string
}

// each calls do with the blobs that are meant and there, and reports whether it
// did anything.
func (c collection) each(s *strike, repository string, do func(store *Storage, repository string, d digest.Digest) bool) bool {
	store := s.server().storage
	if store == nil {
		return false
	}
	repositories := []string{c.repo}
	if c.repo == "" {
		repositories = []string{repository}
	}
	if repositories[0] == "" {
		repositories = store.Repositories()
	}
	did := false
	for _, name := range repositories {
		for _, d := range store.Blobs(name) {
			if c.what.has(d) {
				did = do(store, name, d) || did
			}
		}
	}
	return did
}

func (c collection) strike(s *strike, repository string) bool {
	return c.each(s, repository, (*Storage).Delete)
}

func (c collection) happen(s *strike) { c.strike(s, "") }

// Disturb implements Effect.
func (c collection) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	beside(w, r, next, c.strike)
}

// beside lets something happen, then lets the registry go on.
func beside(w http.ResponseWriter, r *http.Request, next http.Handler, happen func(s *strike, repository string) bool) {
	s := strikeOf(r)
	if happen(s, wire.ParseRoute(r.Method, r.URL).Repository) {
		s.took(r.Context())
	} else {
		s.missed()
	}
	next.ServeHTTP(w, r)
}

// A rot changes blobs behind everybody's back.
type rot struct{ collection }

func (c rot) strike(s *strike, repository string) bool {
	return c.each(s, repository, (*Storage).Corrupt)
}

func (c rot) happen(s *strike) { c.strike(s, "") }

// Disturb implements Effect.
func (c rot) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	beside(w, r, next, c.strike)
}

// A purge ends upload sessions behind everybody's back.
type purge struct{ place }

func (purge) strike(s *strike, repository string) bool {
	store := s.server().storage
	return store != nil && store.DropUploads(repository) > 0
}

func (p purge) happen(s *strike) { p.strike(s, "") }

// Disturb implements Effect.
func (p purge) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	beside(w, r, next, p.strike)
}

// A reboot restarts the server.
type reboot struct {
	place
	down time.Duration
}

// Class implements Classed.
func (reboot) Class() Class { return ClassBreak }

func (e reboot) happen(s *strike) {
	if restart := s.server().restart; restart != nil {
		restart(e.down)
	}
}

// Disturb implements Effect.
func (e reboot) Disturb(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	s := strikeOf(r)
	s.took(r.Context())
	s.cutShort()
	if s != nil {
		s.broke = wire.FailureClosed
	}
	wire.MarkFailure(r.Context(), wire.FailureClosed, "the registry restarted")
	e.happen(s)
	abort()
}
