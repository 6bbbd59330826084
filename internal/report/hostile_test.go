package report_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// filled is a result whose every text is s.
func filled(s string, o report.Outcome) report.Result {
	at := report.Position{File: s, Line: 3, Column: 4, Length: 5}
	return report.Result{
		ID: s, Title: s, Position: at, Client: s, Seed: 1, Outcome: o, Because: s, Need: s, Again: s, Files: []string{s}, Ending: s,
		Failures:   []report.Failure{{Name: s, Message: s, Note: s, Position: at, Source: s, After: 1, Expected: s}},
		Invariants: []report.Invariant{{Name: s, Detail: s}, {Name: s, Waived: s}},
		Fired:      []report.Count{{Fault: s, Times: 1}, {Fault: s}},
		Trace: wire.Trace{
			{
				Seq: 1, Conn: 1, Fault: s, Err: s, Failure: wire.FailureReset, Route: wire.Route{Op: wire.OpOther},
				Request:  wire.Request{Method: "GET", Scheme: "http", Host: s, Target: "/v2/" + s, Header: http.Header{"X-A": {s}}, Body: wire.Body{Length: int64(len(s)), Head: []byte(s)}},
				Response: wire.Response{Status: 400, Header: http.Header{"X-B": {s}}, Body: wire.Body{Length: 1000, Head: []byte(`{"errors":[{"code":` + strconv.Quote(s) + `}]}`)}},
			},
			{Seq: 2, Route: wire.Route{Op: wire.OpEvent}, Request: wire.Request{Target: s}},
			{Seq: 3, Route: wire.Route{Op: wire.OpManifestPut, Tag: s}, Response: wire.Response{Status: 201}},
		},
		Elapsed: time.Second, Virtual: time.Second,
	}
}

// tell sends results with everything around them through a sink.
func tell(sink report.Sink, s string, results []report.Result) error {
	for _, r := range results {
		of := report.Run{ID: r.ID, Title: r.Title, Client: r.Client, Seed: r.Seed, Secrets: r.Secrets}
		sink.Start(of)
		for _, e := range r.Trace {
			sink.Exchange(of, e)
		}
		sink.Fault(of, report.Firing{Fault: s, Op: wire.Op(s), Source: s})
		sink.Progress(of, report.Progress{Layer: s, Text: s})
		sink.Ended(of)
		sink.Result(r)
	}
	return sink.Summary(report.Summary{Counts: map[report.Outcome]int{report.Skipped: 1}, Skipped: []report.Reason{{Need: s, Count: 1}}})
}

// sinks are all kinds of report, by name.
func sinks(w *bytes.Buffer) map[string]report.Sink {
	now := func() time.Time { return time.Unix(time.Now().Unix(), 0) }
	return map[string]report.Sink{
		"text":  report.NewText(w, report.TextOptions{}),
		"all":   report.NewText(w, report.TextOptions{Trace: true, Verbose: 2}),
		"live":  report.NewText(w, report.TextOptions{Live: true, Color: true, Now: now}),
		"json":  report.NewJSON(w),
		"junit": report.NewJUnit(w),
	}
}

// hostile are texts that somebody would send to do harm.
var hostile = []string{
	"\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\u009b2J", "\x9b2J", "a\nb\r\nc\td", "\x00\x01\x7f", "\u202egnp.exe", "\u2028\u2029\ufeff",
	"\xff\xfe\xc0\xaf", "</failure><error/>", "]]>", "<![CDATA[", "&amp;&#0;", "\ufffe\uffff", "\U000e0001", `"\u001b[31m"`, "{}", "", strings.Repeat("é", 5000),
}

func outcomes(s string) []report.Result {
	var list []report.Result
	for _, o := range []report.Outcome{report.Pass, report.Warn, report.Known, report.Skipped, report.Fail, report.Broken} {
		list = append(list, filled(s, o))
	}
	return list
}

func TestNothingReachesATerminalAsACommand(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		var w bytes.Buffer
		for name, sink := range sinks(&w) {
			w.Reset()
			if err := tell(sink, s, outcomes(s)); err != nil {
				t.Errorf("%s, %q: %v", name, s, err)
			}
			text := w.String()
			if name == "live" { // its own commands are known
				for _, own := range []string{"\r\x1b[K", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"} {
					text = strings.ReplaceAll(text, own, "")
				}
			}
			if !utf8.ValidString(text) {
				t.Errorf("%s, %q: not UTF-8", name, s)
			}
			for _, c := range text {
				if c != '\n' && !strconv.IsPrint(c) {
					t.Errorf("%s, %q: writes %q", name, s, c)
					break
				}
			}
		}
	}
}

func TestEveryLineOfTheStreamIsJSON(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		var w bytes.Buffer
		if err := tell(report.NewJSON(&w), s, outcomes(s)); err != nil {
			t.Fatal(err)
		}
		var events []string
		for line := range strings.Lines(w.String()) {
			var head struct{ Event, ID string }
			if err := json.Unmarshal([]byte(line), &head); err != nil {
				t.Fatalf("%q: %v in %s", s, err, line)
			}
			if want := strings.ToValidUTF8(s, "\ufffd"); head.Event != "summary" && utf8.ValidString(s) && head.ID != want {
				t.Errorf("%q: the id is %q", s, head.ID)
			}
			events = append(events, head.Event)
		}
		if len(events) != 6*(1+3+1+1+2+1)+1 {
			t.Errorf("%q: %d events", s, len(events))
		}
	}
}

func TestAnyTextMakesGoodXML(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		var w bytes.Buffer
		if err := tell(report.NewJUnit(&w), s, append(outcomes(s), outcomes(s)...)); err != nil {
			t.Fatal(err)
		}
		var root struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Suites   []struct {
				Cases []struct {
					Name    string     `xml:"name,attr"`
					Failure []struct{} `xml:"failure"`
					Error   []struct{} `xml:"error"`
					Skipped []struct{} `xml:"skipped"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		d := xml.NewDecoder(&w)
		d.Strict = true
		if err := d.Decode(&root); err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) && err != nil {
			t.Errorf("%q: %v behind the end", s, err)
		}
		names := map[string]bool{}
		failures, broken, skipped := 0, 0, 0
		for _, suite := range root.Suites {
			for _, c := range suite.Cases {
				if names[c.Name] {
					t.Errorf("%q: two cases are called %q", s, c.Name)
				}
				names[c.Name] = true
				failures, broken, skipped = failures+len(c.Failure), broken+len(c.Error), skipped+len(c.Skipped)
			}
		}
		if root.Tests != 12 || len(names) != 12 || root.Failures != 2 || failures != 2 || root.Errors != 2 || broken != 2 || root.Skipped != 4 || skipped != 4 {
			t.Errorf("%q: counts %d tests, %d failures, %d errors, %d skipped; holds %d, %d, %d, %d",
				s, root.Tests, root.Failures, root.Errors, root.Skipped, len(names), failures, broken, skipped)
		}
	}
}

func TestSecretsAreInNoReport(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	code := base64.StdEncoding.EncodeToString([]byte("alice:" + secret))
	for _, s := range []string{"the password is " + secret + "!", "Basic " + code} {
		var w bytes.Buffer
		for name, sink := range sinks(&w) {
			w.Reset()
			results := outcomes(s)
			for i := range results {
				results[i].Secrets = []string{secret}
				results[i].ID, results[i].Client, results[i].Position.File, results[i].Files = "id", "client", "file", nil // not of this world
				results[i].Failures[0].Name, results[i].Failures[0].Position.File = "name", "file"
				results[i].Invariants[0].Name, results[i].Invariants[1].Name = "name", "name"
				results[i].Fired, results[i].Trace[0].Fault = nil, ""
			}
			of := report.Run{ID: "id", Seed: 1, Title: s, Secrets: []string{secret}}
			for _, r := range results {
				sink.Start(of)
				for _, e := range r.Trace {
					sink.Exchange(of, e)
				}
				sink.Progress(of, report.Progress{Text: s})
				sink.Result(r)
				sink.Ended(of)
			}
			if err := sink.Summary(report.Summary{}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(w.String(), secret) || strings.Contains(w.String(), code[:20]) {
				t.Errorf("%s shows the secret:\n%.2000s", name, w.String())
			}
		}
	}
}

// A full disk is a report's error, told once and at the end.
type brokenWriter struct{}

var errFull = errors.New("no space left")

func (brokenWriter) Write([]byte) (int, error) { return 0, errFull }

func TestAReportTellsThatItCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	for _, sink := range []report.Sink{
		report.NewText(brokenWriter{}, report.TextOptions{}), report.NewJSON(brokenWriter{}), report.NewJUnit(brokenWriter{}),
		report.All(nil, report.NewJSON(brokenWriter{})),
	} {
		if err := tell(sink, "x", outcomes("x")); !errors.Is(err, errFull) {
			t.Errorf("%T ended with %v", sink, err)
		}
	}
}
