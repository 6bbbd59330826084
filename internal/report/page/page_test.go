package page_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/report/page"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// hostile are texts that somebody would send to do harm.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</style><script>", "</script>", "{{.}}", "javascript:alert(1)",
	"\x1b[2J\x1b]0;owned\x07", "\u009b2J", "\x9b2J", "a\nb\r\nc", "\x00\x7f", "\u202egnp.exe", "\u2028\ufeff", "\xff\xfe", "]]>", "-->",
	strings.Repeat("é", 100_000),
}

// filled is a page whose every text is s.
func filled(s string) *page.Page {
	r := report.Result{
		ID: s, Title: s, Client: s, Outcome: report.Fail, Because: s, Ending: s, Said: []string{s}, Again: s,
		Position: report.Position{File: s, Line: 1, Column: 1},
		Failures: []report.Failure{{Name: s, Message: s, Note: s, Source: s, Expected: s, After: 1, Position: report.Position{File: s, Line: 1}}},
		Held:     []report.Holding{{What: s, Is: s}}, Invariants: []report.Invariant{{Name: s, Waived: s, Detail: s}, {Name: s, Detail: s}},
		Fired: []report.Count{{Fault: s, Times: 1}},
		Trace: wire.Trace{
			{
				Seq: 1, Conn: 1, Fault: s, Err: s, Failure: wire.FailureReset, Route: wire.Route{Op: wire.Op(s), Tag: s},
				Request:  wire.Request{Method: s, Host: s, Target: s, Header: http.Header{"X-A": {s}}},
				Response: wire.Response{Status: 400, Header: http.Header{"X-B": {s}}, Body: wire.Body{Length: 9, Head: []byte(s)}},
			},
			{Seq: 2, Route: wire.Route{Op: wire.OpEvent}, Request: wire.Request{Target: s}},
		},
	}
	e := &page.Evidence{Result: r, Again: s, File: s, Text: s + "\n" + s}
	return &page.Page{
		Title: "title", Command: s, Verdicts: verdicts(),
		Tables: []page.Table{{
			Title: s, Corner: "fault", Columns: []page.Head{{Name: s, Detail: s}, {Name: s}},
			Rows: []page.Row{{Group: "g", Head: page.Head{Name: s, Detail: s}, Cells: []page.Cell{{Verdict: "bad", Count: s, Summary: s, Evidence: e}, {}}}},
		}},
	}
}

func verdicts() []page.Verdict {
	return []page.Verdict{
		{Name: "good", Mark: "✓", Tone: page.ToneGood, Doc: "all is well"}, {Name: "bad", Mark: "✗", Tone: page.ToneBad, Doc: "it is not"},
	}
}

func TestWhatPeersSayIsText(t *testing.T) {
	t.Parallel()
	tags := map[string]int{}
	for _, s := range append(hostile, "harmless") {
		var b bytes.Buffer
		if err := filled(s).WriteHTML(&b); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if b.Len() > 400_000 {
			t.Errorf("%.20q makes a page of %d bytes", s, b.Len())
		}
		for _, c := range b.String() {
			if c != '\n' && (unicode.Is(unicode.C, c) || c == '\u2028' || c == unicode.ReplacementChar) {
				t.Errorf("%q leaves %q in the page", s, c)
				break
			}
		}
		if n := count(t, &b); tags[""] == 0 {
			tags = n
			tags[""] = 1
		} else if n["script"] != 1 || n["style"] != 1 || n["img"] != 0 || n["article"] != 1 {
			t.Errorf("%q makes elements of its own: %v", s, n)
		}
	}
}

// count counts the elements of a page and checks what every page must keep: it
// fetches nothing, IDs are unique, and every link leads to something on the page.
func count(t *testing.T, b *bytes.Buffer) map[string]int {
	t.Helper()
	root, err := html.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	n, ids, links := map[string]int{}, map[string]bool{}, []string{}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		n[node.Data]++
		for _, a := range node.Attr {
			switch {
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("two elements are called %q", a.Val)
				}
				ids[a.Val] = true
			case a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "src" || strings.HasPrefix(a.Key, "on") || a.Key == "style":
				t.Errorf("<%s %s=%q>", node.Data, a.Key, a.Val)
			}
		}
	}
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[l[1:]] {
			t.Errorf("a link leads to %q", l)
		}
	}
	return n
}

func TestTerminalAndJSONCommandNothing(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		for name, write := range map[string]func(*page.Page, *bytes.Buffer) error{
			"text": func(p *page.Page, b *bytes.Buffer) error { return p.WriteText(b) },
			"JSON": func(p *page.Page, b *bytes.Buffer) error { return p.WriteJSON(b) },
		} {
			var b bytes.Buffer
			if err := write(filled(s), &b); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(b.String(), func(c rune) bool { return c != '\n' && unicode.Is(unicode.C, c) }); i >= 0 {
				t.Errorf("%q leaves %q in the %s", s, b.String()[i:i+1], name)
			}
			if name == "JSON" && !json.Valid(b.Bytes()) {
				t.Errorf("%q makes JSON invalid", s)
			}
		}
	}
}

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	p := filled("the password is hunter2hunter2")
	p.Command, p.Tables[0].Title = "", ""
	cell := &p.Tables[0].Rows[0].Cells[0]
	cell.Evidence.Result.Secrets = []string{"hunter2hunter2"}
	cell.Evidence.Result.Failures[0].Name, cell.Evidence.Result.Trace[0].Route.Op = "expect.wire", wire.OpPing
	cell.Evidence.Result.Failures[0].Position.File, cell.Evidence.Result.ID = "f.yaml", "id"
	cell.Evidence.Result.Client = "client"
	cell.Evidence.Result.Invariants, cell.Evidence.Result.Fired, cell.Evidence.Result.Trace[0].Fault = nil, nil, "reset"
	cell.Evidence.Text, cell.Evidence.File, cell.Evidence.Again, cell.Summary, cell.Count = "", "", "", "", ""
	p.Tables[0].Rows[0].Head, p.Tables[0].Columns = page.Head{Name: "r"}, []page.Head{{Name: "a"}, {Name: "b"}}
	var b bytes.Buffer
	if err := p.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(b.String(), "hunter2"); i >= 0 {
		t.Errorf("the password stands in the page: %s", b.String()[max(0, i-200):i+40])
	}
}

func TestTextIsATable(t *testing.T) {
	t.Parallel()
	p := &page.Page{
		Verdicts: verdicts(), Notes: []string{"a note"},
		Tables: []page.Table{{Corner: "fault", Rows: []page.Row{
			{Group: "tcp", Head: page.Head{Name: "reset"}}, {Group: "tcp", Head: page.Head{Name: "close"}}, {Group: "status", Head: page.Head{Name: "denied"}},
		}}},
	}
	for i := range 11 {
		p.Tables[0].Columns = append(p.Tables[0].Columns, page.Head{Name: "step " + string(rune('a'+i))})
		for j := range p.Tables[0].Rows {
			c := page.Cell{Verdict: "good"}
			if i == 10 && j == 1 {
				c.Verdict = "bad"
			}
			if i == 9 {
				c = page.Cell{}
			}
			p.Tables[0].Rows[j].Cells = append(p.Tables[0].Rows[j].Cells, c)
		}
	}
	var b strings.Builder
	if err := p.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "step k\n")
	want := `
                                 1 1
        fault  1 2 3 4 5 6 7 8 9 0 1
tcp     reset  ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓   ✓
        close  ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓   ✗
status  denied ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓   ✓

✓    29 good: all is well
✗     1 bad: it is not

a note
`
	if got != want {
		t.Errorf("shows\n%s\nwant\n%s", got, want)
	}
}

func TestALongWireIsCutWhereNothingStruck(t *testing.T) {
	t.Parallel()
	var wireOf wire.Trace
	for i := range 5000 {
		e := wire.Exchange{Seq: i + 1, At: time.Duration(i) * time.Second, Route: wire.Route{Op: wire.OpPing}, Request: wire.Request{Method: "GET", Host: "h", Target: "/v2/"}, Response: wire.Response{Status: 200}}
		if i == 2500 {
			e.Fault = "reset"
		}
		wireOf = append(wireOf, e)
	}
	p := filled("x")
	p.Tables[0].Rows[0].Cells[0].Evidence.Result.Trace = wireOf
	var b bytes.Buffer
	if err := p.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"#1<", "#2501<", "#5000<", "4919 exchanges are left out"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not there", want)
		}
	}
	if strings.Contains(text, "#300<") {
		t.Error("exchange 300 is shown")
	}
}
