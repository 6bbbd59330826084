package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// JSONFormat is the number of the stream's form. It changes when a field that
// was there before means something else; new fields and new events do not
// change it.
const JSONFormat = 1

// A JSON is a report for programs: a stream of events as they happen, one JSON
// object a line. It is a Sink. The events of one run are in order; those of runs
// that go on at the same time are mixed, and told apart by id and seed.
//
// Every event has
//
//	event  "start", "wire", "fault", "progress", "invariant", "result" or "summary"
//	id     of the scenario; not in summary
//	seed   of the run; in summary only when one was given
//	t      seconds since the run began, on the scenario's own clock; in summary
//	       since everything began, on the wall's
//
// and what StartEvent, WireEvent, FaultEvent, ProgressEvent, InvariantEvent,
// ResultEvent and SummaryEvent add. Everything is scrubbed: hosts are HOST, HOST2,
// …, upload sessions SESSION1, …. Text that is not UTF-8 has U+FFFD instead.
//
// Of a run whose exchanges were not told one by one, the wire and fault events
// come from its result.
type JSON struct {
	w         io.Writer
	err       error // the first that writing met
	scrubbers scrubbers
	started   map[runKey]bool
	told      map[runKey]bool // exchanges were told
}

var _ Sink = (*JSON)(nil)

// NewJSON makes a JSON that writes to w, which the caller closes.
func NewJSON(w io.Writer) *JSON {
	return &JSON{w: w, scrubbers: scrubbers{}, started: map[runKey]bool{}, told: map[runKey]bool{}}
}

// An EventHead is what every event begins with.
type EventHead struct {
	Event string  `json:"event"`
	ID    string  `json:"id,omitempty"`
	Seed  uint64  `json:"seed,omitempty"`
	T     float64 `json:"t"`
}

// A StartEvent says that a scenario begins to run.
type StartEvent struct {
	EventHead
	Format int    `json:"format"` // JSONFormat
	Title  string `json:"title"`
	Client string `json:"client"`
}

// A WireEvent is an exchange that ended, or something that the bench did.
type WireEvent struct {
	EventHead               // T is when it began
	Seq       int           `json:"seq"`            // order in which the run's exchanges began, from 1
	Conn      int           `json:"conn,omitempty"` // number of the connection; left out when none was opened
	Op        wire.Op       `json:"op"`
	Did       string        `json:"did,omitempty"` // what the bench did, when op is "event"
	Repo      string        `json:"repository,omitempty"`
	Tag       string        `json:"tag,omitempty"`
	Digest    digest.Digest `json:"digest,omitempty"`
	Session   string        `json:"session,omitempty"`
	From      string        `json:"from,omitempty"`
	ImageID   string        `json:"image,omitempty"` // V1
	Elapsed   float64       `json:"elapsed"`         // seconds
	Fault     string        `json:"fault,omitempty"` // names, comma-separated
	Failure   string        `json:"failure,omitempty"`
	Error     string        `json:"error,omitempty"`
	Open      bool          `json:"open,omitempty"` // it was still under way
	Request   *RequestPart  `json:"request,omitempty"`
	Response  *ResponsePart `json:"response,omitempty"`
}

// A RequestPart is what was asked.
type RequestPart struct {
	Method string              `json:"method"`
	Scheme string              `json:"scheme"`
	Host   string              `json:"host"`
	Target string              `json:"target"`
	Header map[string][]string `json:"header,omitempty"`
	Body   *BodyPart           `json:"body,omitempty"`
}

// A ResponsePart is what was answered.
type ResponsePart struct {
	Status int                 `json:"status"`
	Header map[string][]string `json:"header,omitempty"`
	Body   *BodyPart           `json:"body,omitempty"`
}

// A BodyPart is what is kept of a body.
type BodyPart struct {
	Length int64         `json:"length"`
	Digest digest.Digest `json:"digest,omitempty"` // "varies" where something was scrubbed
	Text   string        `json:"text,omitempty"`   // at most 4096 bytes from the start, of JSON and text only
	Cut    bool          `json:"cut,omitempty"`    // it was not read to its end
}

// A FaultEvent says that a fault struck.
type FaultEvent struct {
	EventHead
	Fault  string  `json:"fault"`
	Op     wire.Op `json:"op"`
	Source string  `json:"source,omitempty"` // file:line:column of its declaration
}

// A ProgressEvent is something that the client said.
type ProgressEvent struct {
	EventHead
	Layer string `json:"layer,omitempty"`
	Text  string `json:"text"`
}

// An InvariantEvent is the verdict on one standing invariant.
type InvariantEvent struct {
	EventHead
	Name   string `json:"name"`
	Holds  bool   `json:"holds"`
	Waived string `json:"waived,omitempty"` // why it need not hold
	Detail string `json:"detail,omitempty"`
}

// A ResultEvent is how a run ended. A run that was skipped has no other event.
type ResultEvent struct {
	EventHead
	Outcome  string        `json:"outcome"` // "pass", "warn", "known", "skip", "fail" or "broken"
	Title    string        `json:"title"`
	Client   string        `json:"client,omitempty"`
	File     string        `json:"file,omitempty"`
	Line     int           `json:"line,omitempty"`
	Because  string        `json:"because,omitempty"`
	Need     string        `json:"need,omitempty"`
	Failures []FailurePart `json:"failures,omitempty"`
	Fired    []FiredPart   `json:"fired,omitempty"`
	Ending   string        `json:"ending,omitempty"` // "pushed" or the client's error
	Elapsed  float64       `json:"elapsed"`          // seconds, on the wall's clock
	Again    string        `json:"again,omitempty"`
	Files    []string      `json:"files,omitempty"`
}

// A FailurePart is one thing that did not hold.
type FailurePart struct {
	Name     string `json:"name"`
	Message  string `json:"message"`
	Note     string `json:"note,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Length   int    `json:"length,omitempty"`
	After    int    `json:"after,omitempty"` // seq of the exchange that it is about
	Expected string `json:"expected,omitempty"`
}

// A FiredPart says how often a fault struck.
type FiredPart struct {
	Fault string `json:"fault"`
	Times int    `json:"times"`
}

// A SummaryEvent is the last event.
type SummaryEvent struct {
	EventHead
	Format      int            `json:"format"` // JSONFormat
	Counts      map[string]int `json:"counts"` // by outcome; those that are 0 are left out
	Skipped     []SkippedPart  `json:"skipped,omitempty"`
	Fired       int            `json:"fired"`
	Declared    int            `json:"declared"`
	Interrupted bool           `json:"interrupted,omitempty"`
}

// A SkippedPart says how many scenarios were skipped for the lack of something.
type SkippedPart struct {
	Need  string `json:"need"`
	Count int    `json:"count"`
}

func (j *JSON) write(event any) {
	if j.err != nil {
		return
	}
	line, err := EncodeJSON(event)
	if j.err = err; err == nil {
		_, j.err = j.w.Write(line)
	}
}

// EncodeJSON is v as one line of JSON that commands no terminal, with the line's end.
//
// Errors: those of encoding/json.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnprintable(b.Bytes()), nil
}

// escapeUnprintable writes those characters as JSON escapes that encoding/json
// leaves alone and that a terminal may obey: DEL, the C1 controls, and whatever
// changes the direction of text.
func escapeUnprintable(line []byte) []byte {
	text := strings.TrimSuffix(string(line), "\n")
	if isVisible(text) {
		return line
	}
	var b strings.Builder
	for _, c := range text {
		switch {
		case strconv.IsPrint(c):
			b.WriteRune(c)
		case c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return []byte(b.String() + "\n")
}

func eventHead(event string, r Run, t time.Duration) EventHead {
	return EventHead{Event: event, ID: r.ID, Seed: r.Seed, T: t.Seconds()}
}

// Start implements Sink.
func (j *JSON) Start(r Run) {
	j.started[r.key()] = true
	s := j.scrubbers.of(r)
	j.write(StartEvent{EventHead: eventHead("start", r, 0), Format: JSONFormat, Title: s.Secrets(r.Title), Client: r.Client})
}

// Exchange implements Sink.
func (j *JSON) Exchange(r Run, e wire.Exchange) {
	j.told[r.key()] = true
	j.write(wireEvent(r, j.scrubbers.of(r).Exchange(e)))
}

func wireEvent(r Run, e wire.Exchange) WireEvent {
	event := WireEvent{
		EventHead: eventHead("wire", r, e.At), Seq: e.Seq, Conn: e.Conn, Op: e.Route.Op, Did: e.Event(),
		Repo: e.Route.Repository, Tag: e.Route.Tag, Digest: e.Route.Digest, Session: e.Route.Session, From: e.Route.From, ImageID: e.Route.ImageID,
		Elapsed: e.Elapsed.Seconds(), Fault: e.Fault, Failure: e.Failure.String(), Error: e.Err, Open: e.Open,
	}
	if e.Route.Op != wire.OpEvent {
		q := e.Request
		event.Request = &RequestPart{Method: q.Method, Scheme: q.Scheme, Host: q.Host, Target: q.Target, Header: q.Header, Body: bodyPart(q.Body)}
	}
	if e.Response.Status != 0 {
		event.Response = &ResponsePart{Status: e.Response.Status, Header: e.Response.Header, Body: bodyPart(e.Response.Body)}
	}
	return event
}

func bodyPart(b wire.Body) *BodyPart {
	if b.Length == 0 && !b.Cut {
		return nil
	}
	return &BodyPart{Length: b.Length, Digest: b.Digest, Text: string(b.Head), Cut: b.Cut}
}

// Fault implements Sink.
func (j *JSON) Fault(r Run, f Firing) {
	j.write(FaultEvent{EventHead: eventHead("fault", r, f.At), Fault: f.Fault, Op: f.Op, Source: f.Source})
}

// Progress implements Sink.
func (j *JSON) Progress(r Run, p Progress) {
	j.write(ProgressEvent{EventHead: eventHead("progress", r, p.At), Layer: p.Layer, Text: j.scrubbers.of(r).Text(p.Text)})
}

// Ended implements Sink.
func (j *JSON) Ended(Run) {}

// Result implements Sink.
func (j *JSON) Result(r Result) {
	run := Run{ID: r.ID, Seed: r.Seed, Title: r.Title, Client: r.Client, Secrets: r.Secrets}
	if r.Outcome != Skipped && !j.started[run.key()] {
		j.Start(run)
	}
	r = r.scrubbed(j.scrubbers.of(run))
	if !j.told[run.key()] {
		j.trace(run, r.Trace)
	}
	delete(j.scrubbers, run.key())
	delete(j.started, run.key())
	delete(j.told, run.key())
	for _, v := range r.Invariants {
		j.write(InvariantEvent{EventHead: eventHead("invariant", run, r.Virtual), Name: v.Name, Holds: v.Holds, Waived: v.Waived, Detail: v.Detail})
	}
	event := ResultEvent{
		EventHead: eventHead("result", run, r.Virtual), Outcome: r.Outcome.String(), Title: r.Title, Client: r.Client,
		File: r.Position.File, Line: r.Position.Line, Because: r.Because, Need: r.Need, Ending: r.Ending,
		Elapsed: r.Elapsed.Seconds(), Again: r.Again, Files: r.Files,
	}
	for _, f := range r.Failures {
		event.Failures = append(event.Failures, FailurePart{
			Name: f.Name, Message: f.Message, Note: f.Note, File: f.Position.File, Line: f.Position.Line,
			Column: f.Position.Column, Length: f.Position.Length, After: f.After, Expected: f.Expected,
		})
	}
	for _, c := range r.Fired {
		event.Fired = append(event.Fired, FiredPart(c))
	}
	j.write(event)
}

// trace tells exchanges, and the faults that are marked on them, after the event.
func (j *JSON) trace(r Run, t wire.Trace) {
	for _, e := range t {
		j.write(wireEvent(r, e))
		for fault := range strings.SplitSeq(e.Fault, ",") {
			if fault != "" {
				j.write(FaultEvent{EventHead: eventHead("fault", r, e.At), Fault: fault, Op: e.Route.Op})
			}
		}
	}
}

// Summary implements Sink.
func (j *JSON) Summary(s Summary) error {
	event := SummaryEvent{
		EventHead: EventHead{Event: "summary", Seed: s.Seed, T: s.Elapsed.Seconds()}, Format: JSONFormat,
		Counts: map[string]int{}, Fired: s.Fired, Declared: s.Declared, Interrupted: s.Interrupted,
	}
	for o, n := range s.Counts {
		if n > 0 {
			event.Counts[o.String()] = n
		}
	}
	for _, r := range s.Skipped {
		event.Skipped = append(event.Skipped, SkippedPart(r))
	}
	j.write(event)
	return j.err
}
