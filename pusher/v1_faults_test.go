package pusher_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestV1Errors: each answer and what docker makes of it (P-424 to P-431, 9g).
func TestV1Errors(t *testing.T) {
	t.Parallel()
	const exists = `{"error":"Image already exists"}`
	for _, c := range []struct {
		name           string
		method, suffix string
		status         int
		body           string
		want           string // "" when the push succeeds all the same
		code           int
		last           string // the last request
	}{
		{"index 401", "PUT", "/lib/app/", 401, "no", "Authentication is required.", 0, "PUT /v1/repositories/lib/app/"},
		{"index 404", "PUT", "/lib/app/", 404, "404 page not found\n", `Error: Status 404 trying to push repository lib/app: "404 page not found\n"`, 404, "PUT /v1/repositories/lib/app/"},
		{"index names no endpoint", "PUT", "/lib/app/", 200, "", "Index response didn't contain any endpoints", 0, "PUT /v1/repositories/lib/app/"},
		{"look-up 500", "GET", "/json", 500, "", "", 0, "PUT /v1/repositories/lib/app/images"},
		{"json 401 over http", "PUT", "/json", 401, "{}", "HTTP code 401, Docker will not send auth headers over HTTP.", 401, "json"},
		{"json 400", "PUT", "/json", 400, `{"error":"boom"}`, `HTTP code 400 while uploading metadata: "{\"error\":\"boom\"}"`, 400, "json"},
		{"json 500 with HTML", "PUT", "/json", 500, "<html>", `HTTP code 500 while uploading metadata: "invalid character '<' looking for beginning of value"`, 500, "json"},
		{"json 500 with a number", "PUT", "/json", 500, `{"error":5}`, `HTTP code 500 while uploading metadata: "json: cannot unmarshal number into Go value of type string"`, 500, "json"},
		{"json 500 empty", "PUT", "/json", 500, "", `HTTP code 500 while uploading metadata: "unexpected end of JSON input"`, 500, "json"},
		{"json 201", "PUT", "/json", 201, `{}`, `HTTP code 201 while uploading metadata: "{}"`, 201, "json"},
		{"json 409 of an image that is there", "PUT", "/json", 409, exists, "", 0, "PUT /v1/repositories/lib/app/images"},
		{"json 409 with another text", "PUT", "/json", 409, `{"error":"Busy"}`, `HTTP code 409 while uploading metadata: "{\"error\":\"Busy\"}"`, 409, "json"},
		{"layer 500", "PUT", "/layer", 500, "boom", `Received HTTP code 500 while uploading layer: "boom"`, 500, "layer"},
		{"layer 201", "PUT", "/layer", 201, "", `Received HTTP code 201 while uploading layer: ""`, 201, "layer"},
		{"checksum 400", "PUT", "/checksum", 400, `{"error":"Checksum mismatch"}`, `HTTP code 400 while uploading metadata: "{\"error\":\"Checksum mismatch\"}"`, 0, "checksum"},
		{"checksum 409 of an image that is there", "PUT", "/checksum", 409, exists, "Image already exists", 0, "checksum"},
		{"tag 201", "PUT", "/tags/latest", 201, "", "", 0, "PUT /v1/repositories/lib/app/images"},
		{"tag 500", "PUT", "/tags/latest", 500, "boom", "Internal server error: 500 trying to push tag latest on lib/app", 500, "PUT /v1/repositories/lib/app/tags/latest"},
		{"images 200", "PUT", "/app/images", 200, "", `Error: Status 200 trying to push checksums lib/app: ""`, 200, "PUT /v1/repositories/lib/app/images"},
		{"images 401", "PUT", "/app/images", 401, "", "Authentication is required.", 0, "PUT /v1/repositories/lib/app/images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startV1(t, false)
			g.fault = v1Answer(c.method, c.suffix, c.status, c.body)
			_, _, _, err := v1Push(t, g, pusher.Options{})
			if got := text(err); got != c.want {
				t.Errorf("error %q\nwant  %q", got, c.want)
			}
			var coded *pusher.HTTPError
			if errors.As(err, &coded); (coded != nil) != (c.code != 0) || coded != nil && coded.Code != c.code {
				t.Errorf("code of %#v, want %d", coded, c.code)
			}
			seen := g.seen()
			if last := seen[len(seen)-1]; !strings.HasSuffix(last, c.last) {
				t.Errorf("last request %s, want %s", last, c.last)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestV1Stages: a tag that was pushed before an error stays published, and no
// error after the ping leaves another endpoint a chance (P-101, P-431).
func TestV1Stages(t *testing.T) {
	t.Parallel()
	for suffix, want := range map[string]pusher.Stage{
		"/lib/app/": pusher.StageAuthorize, "/json": pusher.StageUpload, "/layer": pusher.StageUpload,
		"/checksum": pusher.StageUpload, "/tags/latest": pusher.StagePublish, "/app/images": pusher.StagePublish,
	} {
		g := startV1(t, false)
		g.fault = v1Answer("PUT", suffix, 500, "")
		result, _, _, err := v1Push(t, g, pusher.Options{})
		var failed *pusher.FailedError
		if !errors.As(err, &failed) || len(failed.Attempts) != 4 || failed.Attempts[3].Stage != want {
			t.Errorf("%s: %v, attempts %+v", suffix, err, failed)
		}
		if published := len(result.Published) == 1; published != (suffix == "/app/images") {
			t.Errorf("%s: published %+v", suffix, result.Published)
		}
	}
}

// TestV1EarlyAnswer: a registry that answers a layer without reading it ends the
// push with its answer, after the user was told of the whole.
func TestV1EarlyAnswer(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	g.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/layer") {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
	name := g.host() + "/a"
	const size = 16 << 20 // more than the buffers between hold
	store, _ := storeWith(t, image.Recipe{Layers: []int64{size}}, name+":t")
	var last pusher.Event
	_, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{Progress: func(e pusher.Event) {
		if e.Status == "Pushing" {
			last = e
		}
	}})
	switch want := `Received HTTP code 413 while uploading layer: ""`; {
	case text(err) == want:
		if last.Current < size || last.Current != last.Total {
			t.Errorf("last event %+v", last)
		}
	case !strings.HasPrefix(text(err), "Failed to upload layer: Put "): // the connection broke first
		t.Errorf("error %q, want %q", text(err), want)
	}
}

// TestV1LocalErrors: what is wrong with the local state ends the push before
// anything is sent (P-421, P-181).
func TestV1LocalErrors(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	name := g.host() + "/a"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":t", name+":sha256:"+strings.Repeat("0", 64))
	for _, tag := range []string{"missing", "sha256:" + strings.Repeat("0", 64)} {
		_, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, tag, pusher.Options{})
		if want := "No images found for the requested repository / tag"; text(err) != want {
			t.Errorf("%s: error %q, want %q", tag, text(err), want)
		}
	}
	if got := g.seen(); len(got) != 2 {
		t.Errorf("requests %q", got)
	}
}

// TestV1AlreadyInProgress: a second push of a name says that it sends the list and
// fails then (P-183).
func TestV1AlreadyInProgress(t *testing.T) {
	t.Parallel()
	g := startV1(t, false)
	name := g.host() + "/lib/app"
	store, _ := storeWith(t, image.Recipe{Layers: []int64{0}}, name+":latest")
	client := newClient(t, pusher.Config{Images: store})
	var lines []string
	var second error
	g.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/layer") {
			_, second = client.Push(r.Context(), name, "latest", pusher.Options{Progress: statuses(&lines)})
		}
		return false
	}
	if _, err := client.Push(t.Context(), name, "latest", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "push " + name + " is already in progress"; text(second) != want || lines[1] != "Sending image list" {
		t.Errorf("error %v after %q, want %s", second, lines, want)
	}
}

// TestV1Cancel: wherever a push over V1 is cancelled, it ends at once and leaves
// nothing behind. It is not parallel: it looks at every goroutine of the process.
func TestV1Cancel(t *testing.T) { //nolint:paralleltest // see above
	for _, stuck := range []string{"PUT /v1/repositories/a/", "GET /json", "PUT /json", "PUT /layer", "PUT /checksum", "PUT /tags/t", "PUT /a/images"} {
		t.Run(stuck, func(t *testing.T) {
			g := startV1(t, false)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			method, suffix, _ := strings.Cut(stuck, " ")
			release := make(chan struct{})
			g.fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
					return false
				}
				if suffix == "/layer" { // in the middle of the body
					_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
				}
				cancel()
				<-release
				panic(http.ErrAbortHandler)
			}
			count := &connCount{open: map[*countedConn]bool{}}
			name := g.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{1 << 20}, Seed: 3}, name+":t")
			temp := t.TempDir()
			client := newClient(t, pusher.Config{Images: store, Dial: count.dial, TempDir: temp})
			var told []string
			_, err := client.Push(ctx, name, "t", pusher.Options{Progress: statuses(&told)})
			if !errors.Is(err, context.Canceled) || told[len(told)-1] != "error: context canceled" {
				t.Errorf("error %v, told %q", err, told)
			}
			mustBeEmpty(t, temp)
			count.mustBeClosed(t)
			settled(t)
			close(release)
		})
	}
}
