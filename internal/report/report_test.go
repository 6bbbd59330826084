package report_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/golden"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

const layer = digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

// exchange is one of a push to lib/app.
func exchange(seq int, method, target string, sent int64, status int, body string) wire.Exchange {
	e := wire.Exchange{
		Seq: seq, Conn: seq, At: 200*time.Millisecond + time.Duration(seq)*time.Millisecond, Elapsed: time.Millisecond,
		Request:  wire.Request{Method: method, Scheme: "http", Host: "127.0.0.1:41234", Target: target, Header: http.Header{"Authorization": {"Bearer eyJhbGciOiJFUzI1NiJ9"}}, Body: wire.Body{Length: sent}},
		Response: wire.Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}},
	}
	if body != "" {
		e.Response.Body = wire.Body{Length: int64(len(body)), Digest: "sha256:1", Head: []byte(body)}
	}
	return e
}

const session = "/v2/lib/app/blobs/uploads/6f1c1a1e-77aa"

func longPush() wire.Trace {
	t := wire.Trace{
		exchange(1, "GET", "/v2/", 0, 401, `{"errors":[{"code":"UNAUTHORIZED"}]}`),
		exchange(2, "GET", "/token?service=bench", 0, 200, `{"token":"eyJhbGciOiJFUzI1NiJ9"}`),
		exchange(3, "HEAD", "/v2/lib/app/blobs/"+string(layer), 0, 404, ""),
		exchange(4, "POST", "/v2/lib/app/blobs/uploads/", 0, 202, ""),
		exchange(5, "PATCH", session, 1024, 202, ""),
		exchange(6, "PUT", session+"?digest="+string(layer), 0, 201, ""),
		exchange(7, "POST", "/v2/lib/app/blobs/uploads/", 0, 202, ""),
		exchange(8, "PATCH", session+"-2", 4194304, 202, ""),
		exchange(9, "PUT", session+"-2?digest="+string(layer), 0, 401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`),
	}
	t[8].Fault = "expire-token"
	for i := range t {
		u, err := url.ParseRequestURI(t[i].Request.Target)
		if err != nil {
			panic(err)
		}
		t[i].Route = wire.ParseRoute(t[i].Request.Method, u)
	}
	return t
}

func failed() report.Result {
	return report.Result{
		ID: "auth/token-dies-mid-upload/revoked-early", Title: "A token that dies is asked for again", Client: "docker-1.8", Seed: 1,
		Position: report.Position{File: "scenarios/auth/token-dies-mid-upload.yaml", Line: 20, Column: 5}, Outcome: report.Fail,
		Failures: []report.Failure{{
			Name: "expect.wire[3]", Message: "token after upload.put@401 did not happen", Note: "the push ended instead",
			Position: report.Position{File: "scenarios/auth/token-dies-mid-upload.yaml", Line: 24, Column: 45, Length: 10},
			Source:   "      wire: [token: 200, upload.put: 401, token: 200, upload.put: 201]",
			After:    9, Expected: "token → 200",
		}},
		Trace: longPush(), Names: map[digest.Digest]string{layer: "layer1"},
		Invariants: []report.Invariant{{Name: "truth", Holds: true}, {Name: "bounded", Holds: true}},
		Fired:      []report.Count{{Fault: "expire-token", Times: 1}},
		Ending:     "unauthorized: authentication required",
		Elapsed:    410 * time.Millisecond, Virtual: 214 * time.Millisecond,
		Again: "pushcheck run auth/token-dies-mid-upload/revoked-early --seed 1 --trace",
	}
}

// variety is one result of each kind, and some odd ones.
func variety() []report.Result {
	passed := report.Result{
		ID: "fallback/v1-only", Title: "A registry that only speaks v1 is pushed to over v1", Client: "docker-1.8", Seed: 1, Outcome: report.Pass,
		Position: report.Position{File: "scenarios/fallback/v1-only.yaml", Line: 1, Column: 1},
		Trace:    longPush()[:2], Fired: []report.Count{{Fault: "delay", Times: 2}}, Ending: "pushed",
		Invariants: []report.Invariant{{Name: "truth", Holds: true}}, Elapsed: 30 * time.Millisecond, Virtual: 7 * time.Second,
	}
	skipped := report.Result{ID: "upload/resume", Outcome: report.Skipped, Because: "docker is not installed", Need: "docker"}
	known := report.Result{ID: "v1/busy", Client: "docker-1.8", Seed: 1, Outcome: report.Known, Because: "docker 1.8 does not wait (P-431)", Elapsed: 20 * time.Millisecond}
	broken := report.Result{ID: "local/no-port", Client: "docker-1.8", Seed: 1, Outcome: report.Broken, Because: "no port is free", Position: report.Position{File: "local/no-port.yaml", Line: 1}, Elapsed: time.Millisecond}
	warned := report.Result{ID: "manifest/slow", Client: "docker-1.8", Seed: 1, Outcome: report.Warn, Because: "it took long", Elapsed: 2 * time.Second}
	invariant := failed()
	invariant.ID, invariant.Seed, invariant.Trace = "upload/reset@skopeo", 7, nil
	invariant.Failures = []report.Failure{{Name: "invariant truth", Message: "reported success, but blob layer1 is missing"}}
	invariant.Invariants = []report.Invariant{{Name: "truth", Detail: "blob layer1 is missing"}, {Name: "clean-up", Waived: "docker 1.8 never cancels (P-208)"}, {Name: "bounded", Holds: true}}
	invariant.Fired = []report.Count{{Fault: "reset", Times: 2}, {Fault: "stall", Times: 0}}
	invariant.Ending = "pushed"
	again := passed
	again.Seed = 2
	return []report.Result{passed, failed(), invariant, skipped, known, broken, warned, again}
}

func summary(results []report.Result) report.Summary {
	var tally report.Tally
	for _, r := range results {
		tally.Add(r)
	}
	s := tally.Summary()
	s.Seed, s.Elapsed = 1, 6100*time.Millisecond
	return s
}

// run tells a sink of results as a runner would.
func run(t *testing.T, sink report.Sink, results []report.Result) {
	t.Helper()
	for _, r := range results {
		if r.Outcome == report.Skipped {
			sink.Result(r)
			continue
		}
		of := report.Run{ID: r.ID, Title: r.Title, Client: r.Client, Seed: r.Seed, Secrets: r.Secrets}
		sink.Start(of)
		for _, e := range r.Trace {
			sink.Exchange(of, e)
		}
		for _, f := range r.Fired {
			sink.Fault(of, report.Firing{Fault: f.Fault, Op: wire.OpUploadPut, At: time.Second, Source: "x.yaml:9:5"})
		}
		sink.Progress(of, report.Progress{Layer: "layer1", Text: "Pushing [==>  ]", At: time.Second})
		sink.Ended(of)
		sink.Result(r)
	}
	if err := sink.Summary(summary(results)); err != nil {
		t.Error(err)
	}
}

func TestGoldenReports(t *testing.T) {
	t.Parallel()
	files := map[string]func(w *bytes.Buffer) report.Sink{
		"text.txt":    func(w *bytes.Buffer) report.Sink { return report.NewText(w, report.TextOptions{}) },
		"quiet.txt":   func(w *bytes.Buffer) report.Sink { return report.NewText(w, report.TextOptions{Quiet: true}) },
		"verbose.txt": func(w *bytes.Buffer) report.Sink { return report.NewText(w, report.TextOptions{Verbose: 2}) },
		"trace.txt":   func(w *bytes.Buffer) report.Sink { return report.NewText(w, report.TextOptions{Trace: true}) },
		"color.txt":   func(w *bytes.Buffer) report.Sink { return report.NewText(w, report.TextOptions{Color: true}) },
		"live.txt": func(w *bytes.Buffer) report.Sink {
			now := time.Unix(0, 0)
			return report.NewText(w, report.TextOptions{Live: true, Total: 8, Width: 60, Now: func() time.Time { now = now.Add(30 * time.Millisecond); return now }})
		},
		"events.json": func(w *bytes.Buffer) report.Sink { return report.NewJSON(w) },
		"junit.xml":   func(w *bytes.Buffer) report.Sink { return report.NewJUnit(w) },
	}
	var names []string
	for name, sink := range files {
		names = append(names, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			run(t, sink(&b), variety())
			text := b.String()
			if name == "color.txt" || name == "live.txt" { // a reviewer cannot see escapes
				text = strings.NewReplacer("\x1b", "␛", "\r", "␍").Replace(text)
			}
			golden.Equal(t, "testdata/golden/"+name, text)
		})
	}
	golden.NoStrays(t, "testdata/golden", names...)
}

func ExampleNewText() {
	var b strings.Builder
	text := report.NewText(&b, report.TextOptions{})
	text.Result(failed())
	fmt.Print(b.String())
	// Output:
	// ✗ auth/token-dies-mid-upload/revoked-early             docker-1.8  seed 1  0.41s
	//   expect.wire[3]: token after upload.put@401 did not happen
	//    --> scenarios/auth/token-dies-mid-upload.yaml:24:45
	//    |
	// 24 |       wire: [token: 200, upload.put: 401, token: 200, upload.put: 201]
	//    |                                             ^^^^^^^^^^ the push ended instead
	//   wire (10 events, 7 folded)
	//      ⋮
	//      #8   +0.208s  upload.patch  layer1  4194304 B      202
	//      #9   +0.209s  upload.put    layer1  ⚡expire-token  401 UNAUTHORIZED
	//      --            expected here: token → 200
	//      #10  +0.214s  client: failed "unauthorized: authentication required"
	//   invariants: 2 checked, all hold        faults: expire-token fired 1×
	//   again:  pushcheck run auth/token-dies-mid-upload/revoked-early --seed 1 --trace
}

func TestTheStreamIsCompleteWhenOnlyResultsAreTold(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	stream := report.NewJSON(&b)
	stream.Result(failed())
	stream.Result(report.Result{ID: "upload/resume", Outcome: report.Skipped})
	var events []string
	for line := range strings.Lines(b.String()) {
		event, _, _ := strings.Cut(strings.TrimPrefix(line, `{"event":"`), `"`)
		events = append(events, event)
	}
	want := "start" + strings.Repeat(" wire", 9) + " fault invariant invariant result result"
	if got := strings.Join(events, " "); got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
}
