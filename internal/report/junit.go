package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A JUnit is a report for CI systems: an XML file with a suite for each folder of
// scenarios and a case for each run, written when the run is over. It is a Sink.
//
// A failure's text is that of the terminal without colours. What could not run
// is an error; what was skipped or is known is skipped, with the reason. A case
// is called after its scenario, with the seed behind it where that alone tells
// two apart, and has its file and line and, as properties, its seed and client.
// There are no timestamps and hostnames.
type JUnit struct {
	w      io.Writer
	suites []*junitSuite
	names  map[string]int
}

var _ Sink = (*JUnit)(nil)

// NewJUnit makes a JUnit that writes to w, which the caller closes. Nothing is
// written before Summary.
func NewJUnit(w io.Writer) *JUnit { return &JUnit{w: w, names: map[string]int{}} }

type junitTotals struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"` // seconds

	elapsed time.Duration
}

func (t *junitTotals) add(r Result) {
	t.Tests++
	t.elapsed += r.Elapsed
	switch r.Outcome {
	case Fail:
		t.Failures++
	case Broken:
		t.Errors++
	case Known, Skipped:
		t.Skipped++
	case Pass, Warn:
	}
	t.Time = junitTime(t.elapsed)
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

type junitRoot struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitTotals
	Suites []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitTotals
	Cases []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name       string           `xml:"name,attr"`
	Class      string           `xml:"classname,attr"`
	File       string           `xml:"file,attr,omitempty"`
	Line       int              `xml:"line,attr,omitempty"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties"`
	Failure    *junitProblem    `xml:"failure"`
	Error      *junitProblem    `xml:"error"`
	Skipped    *junitSkipped    `xml:"skipped"`
	Out        *junitText       `xml:"system-out"`
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",innerxml"` // by junitEscape
}

type junitText struct {
	Text string `xml:",innerxml"` // by junitEscape
}

// junitEscape makes text fit to stand in an element as people read it: with its
// line ends as they are. What XML has no character for becomes U+FFFD.
func junitEscape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return strings.NewReplacer("&#xA;", "\n", "&#34;", `"`, "&#39;", "'").Replace(b.String())
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// Start implements Sink.
func (j *JUnit) Start(Run) {}

// Exchange implements Sink.
func (j *JUnit) Exchange(Run, wire.Exchange) {}

// Fault implements Sink.
func (j *JUnit) Fault(Run, Firing) {}

// Progress implements Sink.
func (j *JUnit) Progress(Run, Progress) {}

// Ended implements Sink.
func (j *JUnit) Ended(Run) {}

// Result implements Sink.
func (j *JUnit) Result(r Result) {
	r = r.scrubbed(newScrubber(r.Secrets))
	suite := j.suite(r)
	suite.add(r)
	c := junitCase{
		Name: j.unique(r), Class: strings.ReplaceAll(suite.Name, "/", "."), File: visible(r.Position.File), Line: r.Position.Line, Time: junitTime(r.Elapsed),
	}
	c.Properties = properties(r)
	switch r.Outcome {
	case Fail:
		c.Failure = problem(r, "fail")
	case Broken:
		c.Error = problem(r, "broken")
	case Known:
		c.Skipped = &junitSkipped{visible("known: " + r.Because)}
	case Skipped:
		c.Skipped = &junitSkipped{visible(r.Because)}
	case Warn:
		c.Out = &junitText{junitEscape(painter{}.block(r, false, false))}
	case Pass:
	}
	suite.Cases = append(suite.Cases, c)
}

func properties(r Result) *junitProperties {
	var list []junitProperty
	if r.Seed != 0 {
		list = append(list, junitProperty{"seed", strconv.FormatUint(r.Seed, 10)})
	}
	if r.Client != "" {
		list = append(list, junitProperty{"client", visible(r.Client)})
	}
	if list == nil {
		return nil
	}
	return &junitProperties{list}
}

func problem(r Result, kind string) *junitProblem {
	p := &junitProblem{Message: visible(r.Because), Type: kind, Text: junitEscape("\n" + painter{}.block(r, false, false))}
	if len(r.Failures) > 0 {
		p.Message, p.Type = visible(r.Failures[0].Message), visible(r.Failures[0].Name)
	}
	return p
}

// suite finds or makes the suite of a scenario's folder.
func (j *JUnit) suite(r Result) *junitSuite {
	name := path.Dir(fileID(r))
	if name == "." || name == "/" {
		name = "scenarios"
	}
	name = visible(name)
	for _, s := range j.suites {
		if s.Name == name {
			return s
		}
	}
	s := &junitSuite{Name: name}
	s.Time = junitTime(0)
	j.suites = append(j.suites, s)
	return s
}

// fileID is the ID without its case and its client: what it has in common with
// the file's path, or all of it where that says nothing.
func fileID(r Result) string {
	id, _, _ := strings.Cut(r.ID, "@")
	file := strings.TrimSuffix(path.Clean(strings.ReplaceAll(r.Position.File, `\`, "/")), path.Ext(r.Position.File))
	for part := id; part != "" && part != "." && part != "/"; part = path.Dir(part) {
		if file == part || strings.HasSuffix(file, "/"+part) {
			return part
		}
	}
	return id
}

// unique names a case. Runs of one scenario with several seeds are told apart by
// them, and whatever is still the same by a number.
func (j *JUnit) unique(r Result) string {
	name := visible(r.ID)
	if j.names[name] > 0 {
		name += " seed " + strconv.FormatUint(r.Seed, 10)
	}
	unique := name
	for n := 2; j.names[unique] > 0; n++ {
		unique = name + " #" + strconv.Itoa(n)
	}
	j.names[unique]++
	return unique
}

// Summary implements Sink.
func (j *JUnit) Summary(Summary) error {
	root := junitRoot{Name: "pushcheck", Suites: j.suites}
	root.Time = junitTime(0)
	for _, s := range j.suites {
		root.Tests += s.Tests
		root.Failures += s.Failures
		root.Errors += s.Errors
		root.Skipped += s.Skipped
		root.elapsed += s.elapsed
		root.Time = junitTime(root.elapsed)
	}
	if _, err := io.WriteString(j.w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(j.w)
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(j.w, "\n")
	return err
}
