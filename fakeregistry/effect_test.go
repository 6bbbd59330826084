package fakeregistry_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Requests that rows send.
const (
	startUpload = "POST /v2/lib/app/blobs/uploads/"
	patchUpload = "PATCH /v2/lib/app/blobs/uploads/abc"
	putUpload   = "PUT /v2/lib/app/blobs/uploads/abc?digest=sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	putManifest = "PUT /v2/lib/app/manifests/v1"
	headBlob    = "HEAD /v2/lib/app/blobs/sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	getBlob     = "GET /v2/lib/app/blobs/sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	ping        = "GET /v2/"
)

// An effectRow is one fault, one request that it strikes, and what the client sees.
type effectRow struct {
	fault    string // name, place and settings, separated by blanks
	request  string
	body     int      // bytes of the request's body, sent chunked; 0 sends none
	status   int      // 0: no answer
	err      any      // an error to find with errors.Is, or words of its text; nil: none
	header   []string // "Name: value" that the answer has; "!Name" that it has not
	text     string   // what the answer's body contains
	done     bool     // Firing.Done
	silent   bool     // the fault finds nothing to disturb
	registry fakeregistry.Registry
}

// broken are the ways in which net/http tells that a connection went away while
// it was writing: which of them is a race that the kernel decides.
type broken struct{}

func (row effectRow) check(t *testing.T) {
	t.Helper()
	words := strings.Fields(row.fault)
	settings := []string{}
	where := ""
	for _, w := range words[1:] {
		if strings.Contains(w, "=") {
			settings = append(settings, w)
		} else {
			where = w
		}
	}
	s := start(t, fakeregistry.Config{Registry: row.registry, Faults: []fakeregistry.Fault{fault(t, words[0], where, settings...)}})
	method, path, _ := strings.Cut(row.request, " ")
	var body io.Reader
	if row.body > 0 {
		body = struct{ io.Reader }{bytes.NewReader(make([]byte, row.body))}
	}
	got := do(t, client(t, s), method, s.URL()+path, body)
	row.checkOutcome(t, got)
	waitFor(t, "the exchange to end", func() bool {
		tr := s.Trace()
		return len(tr) == 0 || !tr[len(tr)-1].Open
	})
	fired := s.Fired()
	if row.silent {
		if len(fired) != 0 || len(s.Idle()) != 1 {
			t.Errorf("fired %v and idle %v, want it to find nothing to disturb", fired, s.Idle())
		}
		return
	}
	if len(fired) != 1 || fired[0].Fault != words[0] || fired[0].Done != row.done || len(s.Idle()) != 0 {
		t.Errorf("fired %+v and idle %v, want one firing with Done %v", fired, s.Idle(), row.done)
	}
	if tr := s.Trace(); len(tr) > 0 && !strings.Contains(tr[0].Fault, words[0]) {
		t.Errorf("the trace marks %q, want %q", tr[0].Fault, words[0])
	}
}

func (row effectRow) checkOutcome(t *testing.T, got outcome) {
	t.Helper()
	if got.Status != row.status {
		t.Errorf("status %d, want %d (%v)", got.Status, row.status, got.Err)
	}
	switch want := row.err.(type) {
	case nil:
		if got.Err != nil {
			t.Errorf("error %v, want none", got.Err)
		}
	case string:
		if got.Err == nil || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("error %v, want %q", got.Err, want)
		}
	case broken:
		ok := false
		for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, net.ErrClosed} {
			ok = ok || errors.Is(got.Err, e)
		}
		if !ok {
			t.Errorf("error %v, want one of a broken connection", got.Err)
		}
	case error:
		if !errors.Is(got.Err, want) {
			t.Errorf("error %v, want %v", got.Err, want)
		}
	}
	for _, line := range row.header {
		name, value, _ := strings.Cut(line, ": ")
		if bare, no := strings.CutPrefix(name, "!"); no {
			if got.Header.Values(bare) != nil {
				t.Errorf("header %s is %q, want none", bare, got.Header.Get(bare))
			}
		} else if got.Header.Get(name) != value {
			t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if !strings.Contains(got.Body, row.text) {
		t.Errorf("body %q, want it to contain %q", got.Body, row.text)
	}
}

func checkAll(t *testing.T, rows []effectRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.fault+"/"+strings.Fields(row.request)[0], func(t *testing.T) {
			t.Parallel()
			row.check(t)
		})
	}
}

func TestConnectionFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	careless := handler(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	checkAll(t, []effectRow{
		{fault: "reset upload.patch after=1KiB", request: patchUpload, body: 4 << 10, registry: careless, err: broken{}},
		{fault: "refuse", request: ping, err: syscall.ECONNREFUSED},
		{fault: "refuse host=elsewhere.test", request: ping, status: 202, silent: true},
		{fault: "accept-stall for=20ms", request: ping, status: 202},
		{fault: "reset", request: ping, err: syscall.ECONNRESET},
		{fault: "reset upload.patch after=64KiB", request: patchUpload, body: 1 << 20, err: broken{}},
		{fault: "reset upload.patch after=2MiB", request: patchUpload, body: 1 << 20, status: 202, silent: true},
		{fault: "reset after=1KiB", request: ping, status: 202, silent: true},
		{fault: "reset upload.patch side=response", request: patchUpload, body: 1 << 20, err: syscall.ECONNRESET, done: true},
		{fault: "reset side=response after=1KiB", request: ping, status: 202, err: broken{}, text: "xxx", done: true},
		{fault: "reset side=response after=1MiB", request: ping, status: 202, silent: true},
		{fault: "close", request: ping, err: io.EOF},
		{fault: "close upload.patch after=64KiB", request: patchUpload, body: 1 << 20, err: broken{}},
		{fault: "close side=response after=1KiB", request: ping, status: 202, err: io.ErrUnexpectedEOF, text: "xxx", done: true},
		{fault: "close side=response", request: startUpload, err: io.EOF, done: true},
		{fault: "half-close upload.patch after=1KiB", request: patchUpload, body: 4 << 10, status: 500, text: "UNKNOWN"},
		{fault: "half-close upload.patch after=8KiB", request: patchUpload, body: 4 << 10, status: 202, silent: true},
		{fault: "throttle upload.patch rate=100MiB/s", request: patchUpload, body: 1 << 20, status: 202, done: true},
		{fault: "throttle upload.patch rate=1KiB/s", request: startUpload, status: 202, silent: true},
		{fault: "throttle rate=100MiB/s side=response burst=1KiB", request: ping, status: 202, text: "xxx", done: true},
		{fault: "dribble size=1KiB gap=1ms", request: ping, status: 202, text: "xxx", done: true},
		{fault: "dribble upload.patch size=1KiB gap=1ms side=request", request: patchUpload, body: 4 << 10, status: 202, done: true, header: []string{"Range: 0-4095"}},
	})
}

func TestHTTPFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	checkAll(t, []effectRow{
		{fault: "empty-reply", request: patchUpload, body: 1 << 20, err: io.EOF},
		{fault: "garbage bytes=64", request: ping, err: "malformed HTTP"},
		{fault: "short-body", request: ping, status: 202, err: io.ErrUnexpectedEOF, text: "xxx", done: true},
		{fault: "short-body by=100", request: startUpload, status: 202, err: io.ErrUnexpectedEOF, done: true},
		{fault: "short-body", request: headBlob, status: 202, silent: true},
		{fault: "bad-chunk", request: ping, status: 200, err: "invalid byte in chunk length"},
		{fault: "length-required", request: patchUpload, body: 10, status: 411, text: "<html>"},
		{fault: "length-required", request: startUpload, status: 202, silent: true},
		{fault: "early-answer keep=true", request: patchUpload, body: 10 << 10, status: 413, text: "<html>"},
		{fault: "early-answer", request: startUpload, status: 413, text: "<html>"},
		{fault: "header-flood size=4KiB", request: ping, status: 202, header: []string{"X-Flood: " + strings.Repeat("x", 4096)}, done: true},
	})
}

func TestHeaderFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	const at = "/v2/lib/app/blobs/uploads/abc"
	digested := handler(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", digest.FromString("foo").String())
		echo(w, r)
	})
	checkAll(t, []effectRow{
		{fault: "location-relative", request: startUpload, status: 202, header: []string{"Location: " + at + "?_state=xyz"}, done: true},
		{fault: "location-relative form=relative", request: startUpload, status: 202, header: []string{"Location: abc?_state=xyz"}, done: true},
		{fault: "location-downgrade", request: startUpload, status: 202, silent: true},
		{fault: "location-downgrade scheme=https", request: startUpload, status: 202, done: true},
		{fault: "location-elsewhere host=storage.test", request: startUpload, status: 202, header: []string{"Location: http://storage.test" + at + "?_state=xyz"}, done: true},
		{fault: "location-elsewhere host=storage.test port=81", request: startUpload, status: 202, header: []string{"Location: http://storage.test:81" + at + "?_state=xyz"}, done: true},
		{fault: "location-elsewhere", request: startUpload, status: 202, header: []string{"Location: http://127.0.0.1" + at + "?_state=xyz"}, done: true},
		{fault: "location-missing", request: startUpload, status: 202, header: []string{"!Location"}, done: true},
		{fault: "location-mangled drop=slash", request: startUpload, status: 202, done: true},
		{fault: "range-missing", request: patchUpload, body: 100, status: 202, header: []string{"!Range"}, done: true},
		{fault: "range-missing upload.start", request: startUpload, status: 202, silent: true},
		{fault: "range-stuck", request: patchUpload, body: 100, status: 202, header: []string{"Range: 0-0"}, done: true},
		{fault: "range-stuck", request: patchUpload, body: 1, status: 202, header: []string{"Range: 0-0"}, silent: true},
		{fault: "range-off-by-one", request: patchUpload, body: 100, status: 202, header: []string{"Range: 0-100"}, done: true},
		{fault: "range-off-by-one by=-2", request: patchUpload, body: 100, status: 202, header: []string{"Range: 0-97"}, done: true},
		{fault: "range-short", request: patchUpload, body: 100, status: 202, header: []string{"Range: 0-49"}, done: true},
		{fault: "range-short keep=10", request: patchUpload, body: 100, status: 202, header: []string{"Range: 0-9"}, done: true},
		{fault: "digest-missing", request: putManifest, body: 3, registry: digested, status: 202, header: []string{"!Docker-Content-Digest"}, done: true},
		{fault: "digest-missing", request: putManifest, body: 3, status: 202, silent: true},
		{fault: "digest-wrong value=sha256:0", request: putManifest, body: 3, registry: digested, status: 202, header: []string{"Docker-Content-Digest: sha256:0"}, done: true},
		{fault: "digest-wrong", request: headBlob, registry: digested, status: 202, header: []string{"Docker-Content-Digest: " + digest.FromString("not "+digest.FromString("foo").String()).String()}, done: true},
		{fault: "version-missing", request: ping, status: 202, header: []string{"!Docker-Distribution-Api-Version"}, done: true},
		{fault: "type-wrong", request: ping, status: 202, header: []string{"Content-Type: text/html"}, done: true},
		{fault: "warning text=soon", request: ping, status: 202, header: []string{`Warning: 299 - "soon"`}, done: true},
		{fault: "min-chunk size=10", request: startUpload, status: 202, header: []string{"Oci-Chunk-Min-Length: 10"}, done: true},
	})
}

func TestStatusFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	checkAll(t, []effectRow{
		{fault: "respond", request: ping, status: 500, text: ""},
		{fault: "respond error=NAME_UNKNOWN", request: ping, status: 404, text: `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`},
		{fault: "respond status=418 error=DENIED message=no detail=because", request: ping, status: 418, text: `[{"code":"DENIED","message":"no","detail":"because"}]`},
		{fault: "respond status=503 body=html headers=X-A:b", request: ping, status: 503, text: "<h1>503 Service Unavailable</h1>", header: []string{"Content-Type: text/html", "X-A: b"}},
		{fault: "respond status=200 body=OK", request: ping, status: 200, text: "OK"},
		{fault: "unavailable", request: startUpload, status: 503, text: "UNAVAILABLE", header: []string{"!Retry-After"}},
		{fault: "unavailable retry-after=1500ms", request: startUpload, status: 503, header: []string{"Retry-After: 2"}},
		{fault: "too-many retry-after=3s", request: putManifest, body: 10, status: 429, text: "TOOMANYREQUESTS", header: []string{"Retry-After: 3"}},
		{fault: "too-many form=none", request: putManifest, body: 10, status: 429, header: []string{"!Retry-After"}},
		{fault: "gateway-timeout", request: putManifest, body: 10, status: 504, text: "<html>", done: true},
		{fault: "gateway-timeout commit=false", request: putManifest, body: 10, status: 504},
		{fault: "too-large limit=1KiB", request: patchUpload, body: 4 << 10, status: 413, text: "<html>"},
		{fault: "too-large limit=1KiB body=json", request: patchUpload, body: 4 << 10, status: 413, text: "SIZE_INVALID"},
		{fault: "too-large limit=4KiB", request: patchUpload, body: 4 << 10, status: 202, silent: true},
		{fault: "chunk-too-large limit=1KiB", request: patchUpload, body: 4 << 10, status: 416, text: "RANGE_INVALID"},
		{fault: "denied", request: startUpload, status: 403, text: "requested access to the resource is denied"},
		{fault: "denied error=NOT_YOURS", request: startUpload, status: 403, text: "NOT_YOURS"},
		{fault: "immutable-tag", request: putManifest, body: 10, status: 202, silent: true},
		{fault: "quota bytes=100", request: putManifest, body: 101, status: 202, silent: true},
		{fault: "read-only", request: startUpload, status: 405, text: "Method not allowed\n", header: []string{"Allow: GET, HEAD", "Docker-Distribution-Api-Version: registry/2.0"}},
		{fault: "redirect to=http://storage.test/x", request: startUpload, status: 307, header: []string{"Location: http://storage.test/x"}},
		{fault: "redirect to=storage.test status=302", request: startUpload, status: 302, header: []string{"Location: http://storage.test/v2/lib/app/blobs/uploads/"}},
		{fault: "redirect", request: ping + "?a=b", status: 307, header: []string{"Location: /v2/?a=b&redirected=1"}},
		{fault: "redirect", request: ping + "?a=b&redirected=1", status: 202, silent: true},
		{fault: "redirect-loop", request: ping, status: 307, header: []string{"Location: /v2/?hop=1"}},
		{fault: "redirect-loop", request: ping + "?hop=1", status: 307, header: []string{"Location: /v2/?hop=0"}},
		{fault: "captive-portal", request: ping, status: 200, text: "<html>", header: []string{"!Docker-Distribution-Api-Version"}},
		{fault: "error-html", request: ping, status: 502, text: "<html>"},
		{fault: "error-empty", request: ping, status: 500, header: []string{"Content-Length: 0"}},
		{fault: "error-many", request: ping, status: 403, text: `"code":"UNAUTHORIZED"`},
		{fault: "error-unknown", request: ping, status: 403, text: `{"code":"QUOTA_EXCEEDED","message":"quota exceeded"}`},
		{fault: "retry-after-absurd value=past", request: ping, status: 429, header: []string{"Retry-After: Mon, 12 Oct 2015 12:00:00 GMT"}},
		{fault: "delay by=1ms", request: ping, status: 202, done: true},
		{fault: "delay by=1ms part=body", request: ping, status: 202, text: "xxx", done: true},
		{fault: "delay by=1ms part=body", request: startUpload, status: 202, silent: true},
		{fault: "stall for=1ms", request: ping, status: 202, done: true},
		{fault: "stall for=1ms after=1KiB", request: ping, status: 202, text: "xxx", done: true},
		{fault: "stall for=1ms after=1KiB", request: patchUpload, body: 4 << 10, status: 202, done: true},
		{fault: "stall for=1ms after=1MiB", request: patchUpload, body: 4 << 10, status: 202, silent: true},
		{fault: "slow-reader rate=100MiB/s", request: patchUpload, body: 4 << 10, status: 202, done: true},
	})
}

func TestProtocolFaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	indexed := handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Docker-Token", "Token signature=ABC")
		w.Header().Set("Www-Authenticate", "Token signature=ABC")
		w.Header().Set("X-Docker-Endpoints", "here:5000")
	})
	const putRepo = "PUT /v1/repositories/lib/app/"
	checkAll(t, []effectRow{
		{fault: "head-refused", request: headBlob, status: 403},
		{fault: "head-refused status=405", request: headBlob, status: 405},
		{fault: "head-refused", request: getBlob, status: 202, silent: true},
		{fault: "session-vanishes", request: patchUpload, body: 10, status: 404, text: "BLOB_UPLOAD_UNKNOWN"},
		{fault: "commit-lost", request: putUpload, err: syscall.ECONNRESET, done: true},
		{fault: "commit-slow by=1ms", request: putUpload, status: 202, done: true},
		{fault: "mount-denied", request: startUpload + "?mount=sha256:1&from=a", status: 401, text: "UNAUTHORIZED"},
		{fault: "mount-denied status=403", request: startUpload + "?mount=sha256:1&from=a", status: 403, text: "DENIED"},
		{fault: "mount-lies", request: startUpload + "?mount=sha256:1&from=a", status: 201, header: []string{"Location: /v2/lib/app/blobs/sha256:1", "Docker-Content-Digest: sha256:1"}},
		{fault: "mount-ignored", request: startUpload + "?mount=sha256:1&from=a", status: 202, done: true},
		{fault: "schema2-refused", request: putManifest, body: 10, status: 202, silent: true},
		{fault: "v2-half", request: startUpload, status: 404, text: "404 page not found"},
		{fault: "v2-half", request: ping, status: 202, silent: true},
		{fault: "v1-busy", request: "PUT /v1/images/" + strings.Repeat("a", 64) + "/layer", body: 10, status: 409, text: `{"error":"Image is being uploaded, retry later"}`},
		{fault: "v1-checksum", request: "PUT /v1/images/" + strings.Repeat("a", 64) + "/checksum", status: 400, text: "Checksum mismatch"},
		{fault: "v1-no-token", request: putRepo, registry: indexed, status: 200, header: []string{"!X-Docker-Token", "!Www-Authenticate"}, done: true},
		{fault: "v1-endpoints hosts=a:1,b:2", request: putRepo, registry: indexed, status: 200, header: []string{"X-Docker-Endpoints: a:1, b:2"}, done: true},
		{fault: "v1-endpoints", request: putRepo, registry: indexed, status: 200, header: []string{"!X-Docker-Endpoints"}, done: true},
	})
}
