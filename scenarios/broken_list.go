package scenarios

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// BrokenPushers lists a pusher or several for each standing invariant, in the order of
// every report.
func BrokenPushers() []BrokenPusher { return append(liars(), pests()...) }

// whereAt is where a fault of a broken pusher's scenario strikes.
func whereAt(op string) Where { return Where{Ops: []Pattern{{Op: op}}} }

// liars break what is about ends, secrets and protocols.
func liars() []BrokenPusher {
	refused := []Fault{{Name: "respond", Where: whereAt("manifest.put"), Args: fakeregistry.Args{"status": int64(403), "error": "DENIED"}}}
	return []BrokenPusher{
		{
			Name: "claims-success", Invariant: "truth", Doc: "It reports a success whatever happened",
			scenario: Scenario{Faults: refused},
			mistake: mistake{ending: func(p *ended) {
				p.err = nil
			}},
		},
		{
			Name: "claims-failure", Invariant: "no-half-tag", Doc: "It reports a failure of a push that it has done",
			mistake: mistake{ending: func(p *ended) {
				p.result, p.err = &pusher.Result{Via: pusher.V2}, errors.New("it was too late")
			}},
		},
		{
			Name: "doubts", Invariant: "no-half-tag", Doc: "It looks whether the registry has what it pushed, sees that it has, and reports a failure all the same",
			scenario: Scenario{Faults: []Fault{{Name: "delay", Where: whereAt("manifest.head"), When: fakeregistry.Trigger{AfterEvent: "manifest.put"}}}},
			mistake: mistake{ending: func(p *ended) {
				p.result, p.err = &pusher.Result{Via: pusher.V2}, errors.New("it took too long to look")
			}},
		},
		{
			Name: "manifest-first", Invariant: "blobs-first", Doc: "It puts the manifest before its blobs are committed",
			scenario: Scenario{Registries: []Registry{{Kind: KindFake, Quirks: map[string]any{"loose-manifests": true}}}, Image: Image{Layers: []int64{1 << 10}}},
			mistake:  mistake{through: manifestFirst},
		},
		{
			Name: "shows-password", Invariant: "secrets-stay", Doc: "It shows the password that it logs in with",
			scenario: Scenario{Registries: []Registry{{Kind: KindFake, Auth: "basic", Users: map[string]string{"alice": "s3cret-pw"}}}, Client: Client{Login: &Login{"alice", "s3cret-pw"}}},
			mistake: mistake{ending: func(p *ended) {
				p.tell(pusher.Event{Status: "logged in as alice:s3cret-pw"})
			}},
		},
		{
			Name: "asks-v1", Invariant: "no-downgrade", Doc: "It asks V1 when V2 is confirmed",
			scenario: Scenario{Registries: []Registry{{Kind: KindBoth}}},
			mistake: mistake{through: func(next http.RoundTripper) http.RoundTripper {
				next = asksFirst(http.MethodGet, "/v1/_ping")(next)
				return asksFirst(http.MethodGet, "/v2/")(next)
			}},
		},
	}
}

// pests break what is about too much, too early, and what is left behind.
func pests() []BrokenPusher {
	return []BrokenPusher{
		{
			Name: "asks-on", Invariant: "bounded", Doc: "It asks for the same blob seven times",
			scenario: Scenario{Image: Image{Layers: []int64{1 << 10}}},
			mistake:  mistake{through: repeating(wire.OpBlobHead, 6, func(*http.Response) bool { return true })},
		},
		{
			Name: "impatient", Invariant: "patience", Doc: "It asks again at once when it is told to wait",
			scenario: Scenario{Faults: []Fault{{Name: "too-many", Where: whereAt("manifest.head"), When: fakeregistry.Trigger{Nth: 1}}}},
			mistake: mistake{through: repeating(wire.OpManifestHead, 1, func(r *http.Response) bool {
				return r.StatusCode == http.StatusTooManyRequests
			})},
		},
		{
			Name: "sends-twice", Invariant: "no-double-count", Doc: "It sends a blob again into a session whose line broke",
			scenario: Scenario{Faults: []Fault{{Name: "close", Where: whereAt("upload.put"), When: fakeregistry.Trigger{Nth: 1}}}},
			mistake:  mistake{through: sendingTwice},
		},
		{
			Name: "forgets-session", Invariant: "clean-up", Doc: "It starts an upload and forgets it",
			mistake: mistake{through: asksFirst(http.MethodPost, "/v2/team/app/blobs/uploads/")},
		},
		{
			Name: "cancels-as-nobody", Invariant: "clean-up", Doc: "It cancels an upload without saying who it is, and leaves it at that",
			scenario: Scenario{
				Registries: []Registry{{Kind: KindFake, Auth: "basic", Users: map[string]string{"alice": "s3cret-pw"}}}, Client: Client{Login: &Login{"alice", "s3cret-pw"}},
				Faults: []Fault{{Name: "respond", Where: whereAt("upload.put"), Args: fakeregistry.Args{"status": int64(403), "error": "DENIED"}}},
			},
			mistake: mistake{through: cancellingBare},
		},
		{
			Name: "leaves-file", Invariant: "quiet-end", Doc: "It leaves a file behind that it buffered a layer in",
			mistake: mistake{ending: func(p *ended) {
				_ = os.WriteFile(filepath.Join(p.temp, "layer"), nil, 0o600) //nolint:errcheck // then nothing catches it
			}},
		},
		{
			Name: "boasts", Invariant: "progress-tells-truth", Doc: "It shows more bytes than it sent",
			mistake: mistake{events: func(e pusher.Event, tell func(pusher.Event)) {
				if saysPushed(e.Status) {
					tell(pusher.Event{ID: e.ID, Status: "Pushing", Current: 1 << 30, Total: 1 << 30, Action: true})
				}
				tell(e)
			}},
		},
		{
			Name: "spares-itself", Invariant: "fired", Doc: "It takes it for granted that the registry has no blob, and does not ask",
			scenario: Scenario{Faults: []Fault{{Name: "delay", Where: whereAt("blob.head")}}},
			mistake:  mistake{through: answering(wire.OpBlobHead, http.StatusNotFound)},
		},
		{
			Name: "misspells", Invariant: "expected-traffic", Doc: "It asks for something that is in no protocol",
			mistake: mistake{through: asksFirst(http.MethodGet, "/v2/team/app/blob/layer1")},
		},
	}
}

// A tripper is a function that is a http.RoundTripper.
type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func opOf(r *http.Request) wire.Op { return wire.ParseRoute(r.Method, r.URL).Op }

// asksFirst sends a request of its own before the first manifest is put.
func asksFirst(method, path string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		did := false
		return tripper(func(r *http.Request) (*http.Response, error) {
			if opOf(r) != wire.OpManifestPut || did {
				return next.RoundTrip(r)
			}
			did = true
			extra := r.Clone(r.Context())
			extra.Method, extra.Body, extra.GetBody, extra.ContentLength = method, nil, nil, 0
			extra.URL.Path, extra.URL.RawPath, extra.URL.RawQuery, extra.URL.Opaque = path, "", "", ""
			extra.Header.Del("Content-Type")
			if err := forget(next.RoundTrip(extra)); err != nil {
				return nil, err
			}
			return next.RoundTrip(r)
		})
	}
}

// forget reads an answer to its end and closes it.
func forget(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// repeating sends a request of an operation again while its answer is one, at most
// so many times.
func repeating(op wire.Op, times int, while func(*http.Response) bool) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			for range times {
				if opOf(r) != op || err != nil || !while(resp) {
					break
				}
				if err = forget(resp, nil); err == nil {
					resp, err = next.RoundTrip(r.Clone(r.Context()))
				}
			}
			return resp, err
		})
	}
}

// sendingTwice sends a body again, to the same address, when its line broke.
func sendingTwice(next http.RoundTripper) http.RoundTripper {
	return tripper(func(r *http.Request) (*http.Response, error) {
		if opOf(r) != wire.OpUploadPut || r.Body == nil {
			return next.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		for i := 0; ; i++ {
			again := r.Clone(r.Context())
			again.Body, again.GetBody = io.NopCloser(bytes.NewReader(body)), nil
			resp, err := next.RoundTrip(again)
			if err == nil || i > 0 {
				return resp, err
			}
		}
	})
}

// cancellingBare sends the first cancel without credentials, and no other.
func cancellingBare(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex // guards did
	did := map[string]bool{}
	return tripper(func(r *http.Request) (*http.Response, error) {
		if opOf(r) != wire.OpUploadCancel {
			return next.RoundTrip(r)
		}
		session := wire.ParseRoute(r.Method, r.URL).Session
		mu.Lock()
		again := did[session]
		did[session] = true
		mu.Unlock()
		if again {
			return answerTo(r, http.StatusUnauthorized), nil
		}
		bare := r.Clone(r.Context())
		bare.Header.Del("Authorization")
		return next.RoundTrip(bare)
	})
}

// answering answers an operation itself.
func answering(op wire.Op, status int) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(r *http.Request) (*http.Response, error) {
			if opOf(r) != op {
				return next.RoundTrip(r)
			}
			return answerTo(r, status), nil
		})
	}
}

func answerTo(r *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")),
	}
}

// manifestFirst keeps the commits of blobs back until the manifest is put, and says
// of them what the registry would have said.
func manifestFirst(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex // guards kept
	var kept []*http.Request
	return tripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		switch opOf(r) {
		case wire.OpBlobHead:
			want := wire.ParseRoute(r.Method, r.URL).Digest
			for _, later := range kept {
				if wire.ParseRoute(later.Method, later.URL).Digest == want {
					resp := answerTo(r, http.StatusOK)
					resp.ContentLength = later.ContentLength
					resp.Header.Set("Content-Length", strconv.FormatInt(later.ContentLength, 10))
					resp.Header.Set("Docker-Content-Digest", want.String())
					return resp, nil
				}
			}
			mu.Unlock()
			defer mu.Lock()
			return next.RoundTrip(r)
		case wire.OpUploadPut:
			body, err := io.ReadAll(r.Body)
			if err = errors.Join(err, r.Body.Close()); err != nil {
				return nil, err
			}
			later := r.Clone(r.Context())
			later.Body = io.NopCloser(bytes.NewReader(body))
			kept = append(kept, later)
			return answerTo(r, http.StatusCreated), nil
		case wire.OpManifestPut:
			resp, err := next.RoundTrip(r)
			for _, later := range kept {
				later = later.WithContext(r.Context())
				if failed := forget(next.RoundTrip(later)); err == nil && failed != nil {
					_ = resp.Body.Close() // the failure matters more
					return nil, failed
				}
			}
			kept = nil
			return resp, err
		default:
			mu.Unlock()
			defer mu.Lock()
			return next.RoundTrip(r)
		}
	})
}
