package pusher_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

// statuses gathers what a user is told, one line an event.
func statuses(lines *[]string) func(pusher.Event) {
	return func(e pusher.Event) {
		line := e.Status
		if e.ID != "" {
			line = e.ID[:4] + " " + line
		}
		if e.Err != nil {
			line = "error: " + e.Err.Error()
		}
		if n := len(*lines); n > 0 && (*lines)[n-1] == line {
			return // a transfer's many events
		}
		*lines = append(*lines, line)
	}
}

func TestPushV2(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	name := g.host() + "/lib/app"
	store, ids := storeWith(t, image.Recipe{Layers: []int64{3000, 0}, Seed: 1}, name+":latest")
	client := newClient(t, pusher.Config{Images: store})

	var lines []string
	var digestTold atomic.Bool
	tell := statuses(&lines)
	g.fault = answerTo("PUT", "/manifests/", 1, func(http.ResponseWriter, *http.Request) bool {
		if !digestTold.Load() {
			t.Error("the manifest went before its digest was told") // P-207
		}
		return false
	})
	result, err := client.Push(t.Context(), name, "latest", pusher.Options{Progress: func(e pusher.Event) {
		tell(e)
		digestTold.Store(strings.HasPrefix(e.Status, "latest: digest: "))
	}})
	if err != nil {
		t.Fatal(err)
	}
	upload := []string{"POST /v2/lib/app/blobs/uploads/", "PATCH /v2/lib/app/blobs/uploads/", "PUT /v2/lib/app/blobs/uploads/", "HEAD /v2/lib/app/blobs/"}
	want := append(append([]string{"GET /v2/"}, append(upload, upload...)...), "PUT /v2/lib/app/manifests/latest")
	if diff := cmp.Diff(want, g.seen()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	published := result.Published[0]
	base, top := ids[0][:4], ids[1][:4]
	wantLines := []string{
		"The push refers to a repository [" + name + "] (len: 1)",
		top + " Buffering to Disk", top + " Pushing", top + " Image successfully pushed",
		base + " Buffering to Disk", base + " Pushing", base + " Image successfully pushed",
		fmt.Sprintf("latest: digest: %s size: %d", published.Digest, published.Size),
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if result.Via != pusher.V2 || len(result.Attempts) != 2 || result.Attempts[0].Stage != pusher.StageConnect {
		t.Errorf("result %+v", result)
	}
	if m := g.manifests["lib/app:latest"]; bytes.Count(m, []byte(`"blobSum"`)) != 2 || !bytes.Contains(m, []byte(`"name": "lib/app"`)) {
		t.Errorf("manifest %s", m)
	}
	for _, h := range g.heads {
		if got := h.Get("User-Agent"); got != "docker/1.8.3 go/go1.4.2 git-commit/f4bf5c7 kernel/3.19.0 os/linux arch/amd64 (pushcheck)" {
			t.Errorf("User-Agent %q", got)
		}
	}

	// The digest cache is set now: a second push asks and uploads nothing.
	g.requests = nil
	if _, err := client.Push(t.Context(), name, "latest", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	want = []string{"GET /v2/", upload[3], upload[3], "PUT /v2/lib/app/manifests/latest"}
	if diff := cmp.Diff(want, g.seen()); diff != "" {
		t.Errorf("second push (-want +got):\n%s", diff)
	}
}

// answerTo makes a fault of the nth request of a method whose path contains a
// part.
func answerTo(method, part string, nth int, answer func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, part) {
			return false
		}
		nth--
		return nth == 0 && answer(w, r)
	}
}

func status(code int, body string, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
		return true
	}
}

// TestV2Errors: what a registry answers and what the user reads. The last column
// is how far the attempt got.
func TestV2Errors(t *testing.T) {
	t.Parallel()
	const uploads = "/blobs/uploads/"
	tests := []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		want  string
		stage pusher.Stage
	}{
		{"POST 500", answerTo("POST", uploads, 1, status(500, "boom")), "Received unexpected HTTP status: 500 Internal Server Error", pusher.StageUpload},
		{"POST 401 without JSON", answerTo("POST", uploads, 1, status(401, "no")), "unauthorized: access to the requested resource is not authorized", pusher.StageUpload},
		{"POST 404 page", answerTo("POST", uploads, 1, status(404, "404 page not found")), `Error parsing HTTP response: invalid character 'p' after top-level value: "404 page not found"`, pusher.StageUpload},
		{"POST 405", answerTo("POST", uploads, 1, status(405, "Method not allowed\n")), `Error parsing HTTP response: invalid character 'M' looking for beginning of value: "Method not allowed\n"`, pusher.StageUpload},
		{"POST 403 with an unknown code", answerTo("POST", uploads, 1, status(403, `{"errors":[{"code":"DENIED","message":"quota"}]}`)), "unknown: quota", pusher.StageUpload},
		{"POST 429 empty list", answerTo("POST", uploads, 1, status(429, `{}`)), "<nil>", pusher.StageUpload},
		{"POST with a bad Location", answerTo("POST", uploads, 1, status(202, "", "Location", "http://[::1/")), `parse "http://[::1/": missing ']' in host`, pusher.StageUpload},
		{"PATCH 404 whatever it says", answerTo("PATCH", uploads, 1, status(404, `{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}`)), "blob upload unknown", pusher.StageUpload},
		{"PATCH without Range", answerTo("PATCH", uploads, 1, status(202, "")), "EOF", pusher.StageUpload},
		{"PATCH with a unit in Range", answerTo("PATCH", uploads, 1, status(202, "", "Range", "bytes=0-9")), "expected integer", pusher.StageUpload},
		{"PATCH with Range backwards", answerTo("PATCH", uploads, 1, status(202, "", "Range", "9-0")), "bad range format: 9-0", pusher.StageUpload},
		{"PATCH took one byte", answerTo("PATCH", uploads, 1, status(202, "", "Range", "0-0")), "short upload: only wrote 1 of 32", pusher.StageUpload},
		{"PATCH 307 is not followed", answerTo("PATCH", uploads, 1, status(307, "", "Location", "/elsewhere")), "EOF", pusher.StageUpload},
		{"PUT 404", answerTo("PUT", uploads, 1, status(404, "")), "blob upload unknown", pusher.StageUpload},
		{"PUT 400 with detail", answerTo("PUT", uploads, 1, status(400, `{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content","detail":{}}]}`)), "digest invalid: provided digest did not match uploaded content", pusher.StageUpload},
		{"PUT 400 bare", answerTo("PUT", uploads, 1, status(400, `{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}`)), "DIGEST_INVALID", pusher.StageUpload},
		{"closing HEAD 404", answerTo("HEAD", "/blobs/", 1, status(404, "")), "unknown blob", pusher.StageUpload},
		{"closing HEAD 403", answerTo("HEAD", "/blobs/", 1, status(403, "")), `Error parsing HTTP response: unexpected end of JSON input: ""`, pusher.StageUpload},
		{"manifest 400", answerTo("PUT", "/manifests/", 1, status(400, `{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":{}}]}`)), "manifest invalid: manifest invalid", pusher.StagePublish},
		{"manifest with two errors", answerTo("PUT", "/manifests/", 1, status(400, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":1},{"code":"TAG_INVALID"}]}`)), "errors:\nmanifest blob unknown: blob unknown to registry\nTAG_INVALID\n", pusher.StagePublish},
		{"manifest error with a number for a code", answerTo("PUT", "/manifests/", 1, status(400, `{"errors":[{"code":7}]}`)), `Error parsing HTTP response: json: cannot unmarshal number into Go struct field Error.Errors.code of type errcode.ErrorCode: "{\"errors\":[{\"code\":7}]}"`, pusher.StagePublish},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := startRegistry(t)
			g.fault = tt.fault
			name := g.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
			var last, before pusher.Event
			result, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{Progress: func(e pusher.Event) { before, last = last, e }})
			var failed *pusher.FailedError
			if !errors.As(err, &failed) || err.Error() != tt.want {
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
			if !errors.Is(last.Err, err) {
				t.Errorf("the last event is %+v", last)
			}
			if told := strings.HasPrefix(before.Status, "t: digest: sha256:"); told != (tt.stage == pusher.StagePublish) { // P-207
				t.Errorf("the digest was told: %v, %+v", told, before)
			}
			if n := len(result.Attempts); n != 2 || result.Attempts[1].Stage != tt.stage {
				t.Errorf("attempts %+v, want two, the last up to %s", result.Attempts, tt.stage)
			}
			if result.Via != 0 || len(result.Published) != 0 {
				t.Errorf("result %+v", result)
			}
		})
	}
}

// TestV2Lenient: what looks like a failure and is none for this docker.
func TestV2Lenient(t *testing.T) {
	t.Parallel()
	forward := func(change func(http.Header)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			change(w.Header())
			return false
		}
	}
	tests := []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
	}{
		{"ping 500 with the header", answerTo("GET", "/v2/", 1, status(500, "boom"))},
		{"ping 401 without challenge", answerTo("GET", "/v2/", 1, status(401, ""))},
		{"ping with many versions", answerTo("GET", "/v2/", 1, forward(func(h http.Header) {
			h["Docker-Distribution-Api-Version"] = []string{"other/1.0", "x REGISTRY/2.0"}
		}))},
		{"PATCH with a Location relative to itself", func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == http.MethodPatch:
				return relative(w, r)
			case r.Method == http.MethodPut && r.URL.Path == "/v2/a/blobs/uploads/1" && r.URL.Query().Get("_state") == "relative":
				return status(201, "")(w, r)
			case r.Method == http.MethodHead:
				return status(200, "", "Content-Length", "5")(w, r)
			}
			return false
		}},
		{"manifest PUT 302 followed as GET", answerTo("PUT", "/manifests/", 1, status(302, "", "Location", "/v2/"))},
		{"manifest PUT 307 sent again", answerTo("PUT", "/manifests/", 1, status(307, "", "Location", "/v2/b/manifests/t"))},
		{"manifest PUT 300 without Location", answerTo("PUT", "/manifests/", 1, status(300, ""))},
		{"HEAD 307 to a storage", func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Path == "/storage":
				return status(200, "", "Content-Length", "5")(w, r)
			case r.Method == http.MethodHead:
				return status(307, "", "Location", "/storage")(w, r)
			}
			return false
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := startRegistry(t)
			g.fault = tt.fault
			name := g.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
			result, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{})
			if err != nil || len(result.Published) != 1 {
				t.Errorf("%v, %+v", err, result)
			}
		})
	}
}

// relative takes a blob and answers with a Location that is only a query.
func relative(w http.ResponseWriter, r *http.Request) bool {
	n, _ := io.Copy(io.Discard, r.Body)
	w.Header().Set("Range", fmt.Sprintf("0-%d", n-1))
	w.Header().Set("Location", "?_state=relative")
	w.WriteHeader(http.StatusAccepted)
	return true
}

// TestAllTags: one ping, every tag but the digest references, in the order
// asked for; what an earlier tag pushed is only asked for by a later one.
func TestAllTags(t *testing.T) {
	t.Parallel()
	for order, want := range map[string][]string{"": {"a", "b", "c"}, "c": {"c", "a", "b"}, "x b": {"b", "a", "c"}} {
		g := startRegistry(t)
		name := g.host() + "/all"
		store, _ := storeWith(t, image.Recipe{Layers: []int64{0, 7}}, name+":a", name+":b", name+":c")
		byDigest := "sha256:" + strings.Repeat("0", 64)
		if tags, err := store.Tags(name); err != nil || store.Tag(name, byDigest, tags["a"]) != nil {
			t.Fatal("no digest reference")
		}
		var lines []string
		client := newClient(t, pusher.Config{Images: store})
		result, err := client.Push(t.Context(), name, "", pusher.Options{Progress: statuses(&lines), TagOrder: strings.Fields(order)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range result.Published {
			got = append(got, p.Tag)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order %q (-want +got):\n%s", order, diff)
		}
		if want := "The push refers to a repository [" + name + "] (len: 4)"; lines[0] != want {
			t.Errorf("first line %q, want %q", lines[0], want)
		}
		if n := len(g.seen()); n != 1+(2*4+1)+2*(2+1) {
			t.Errorf("%d requests: %q", n, g.seen())
		}
		if _, err := client.Push(t.Context(), name, byDigest, pusher.Options{}); err == nil || !strings.HasSuffix(err.Error(), "Tag does not exist for "+byDigest) {
			t.Errorf("a push by digest: %v", err)
		}
	}
}

// TestPool: a name is pushed once at a time (P-181, P-581).
func TestPool(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
	client := newClient(t, pusher.Config{Images: store})
	var second error
	g.fault = answerTo("POST", "/blobs/uploads/", 1, func(http.ResponseWriter, *http.Request) bool {
		_, second = client.Push(t.Context(), name, "t", pusher.Options{})
		return false
	})
	if _, err := client.Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "push " + name + " is already in progress"; second == nil || second.Error() != want {
		t.Errorf("second push: %v, want %s", second, want)
	}
	if _, err := client.Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestStaleDigestCache: what the registry does not have is pushed again, and what
// comes out is cached (P-199); a HEAD that fails ends the push (P-195).
func TestStaleDigestCache(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	name := g.host() + "/a"
	store, ids := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t")
	const stale = "tarsum.v1+sha256:00"
	if err := store.SetDigest(ids[0], stale); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, pusher.Config{Images: store})
	if _, err := client.Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := g.requests[1], "HEAD /v2/a/blobs/"+stale; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if d, err := store.Digest(ids[0]); err != nil || d == stale || g.blobs[string(d)] == 0 {
		t.Errorf("cached %s, %v", d, err)
	}
	var lines []string
	g.fault = answerTo("HEAD", "/blobs/", 1, status(503, ""))
	_, err := client.Push(t.Context(), name, "t", pusher.Options{Progress: statuses(&lines)})
	if err == nil || err.Error() != "Received unexpected HTTP status: 503 Service Unavailable" {
		t.Errorf("error %v", err)
	}
	if want := ids[0][:4] + " Image push failed"; len(lines) != 3 || lines[1] != want {
		t.Errorf("told %q, want %s", lines, want)
	}
}
