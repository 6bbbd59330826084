package report

import (
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Line is one exchange of a result in the words of every report, or something
// that the bench did. What came from a peer is visible and short.
type Line struct {
	Seq     int
	Conn    int           // number of the connection; 0 when none was opened
	At      time.Duration // since the run began, on the scenario's clock
	Elapsed time.Duration
	Op      wire.Op
	Event   string // what the bench did; the rest but Seq and At is then empty
	Host    string // whom the request was sent to
	What    string // what it is about: "layer1", "v1", a short digest; may be ""
	Request string // "PUT /v2/team/app/manifests/v1"
	Size    int64  // bytes of the request's body
	Faults  string // names of those that struck, comma-separated
	Answer  string // "401 UNAUTHORIZED", "reset", "202, then closed"
	Status  int    // 0 when there was no answer
	Broken  bool   // there was none, or not all of it
	Body    string // of an answer that refuses, how it begins
	// Expected is what a failure says was missing behind this exchange.
	Expected string
}

// bodyLimit is how many characters of an answer's body a Line has.
const bodyLimit = 400

// Lines are the exchanges of a result, in order. r must be scrubbed.
func (r Result) Lines() []Line {
	layers := sessionDigests(r.Trace)
	list := make([]Line, 0, len(r.Trace))
	rows := make([]wireRow, 0, len(r.Trace))
	for _, e := range r.Trace {
		l := Line{Seq: e.Seq, Conn: e.Conn, At: e.At, Op: e.Route.Op}
		if e.Route.Op == wire.OpEvent {
			l.Event = visible(e.Event())
		} else {
			l.Elapsed, l.Host, l.Size, l.Faults = e.Elapsed, visible(e.Request.Host), e.Request.Body.Length, visible(e.Fault)
			l.What = visible(subject(e.Route, r.Names, layers))
			l.Request = visible(crop(e.Request.Method+" "+e.Request.Target, bodyLimit))
			l.Answer, l.Status, l.Broken = answer(e), e.Response.Status, e.Failure != wire.FailureNone
			if l.Status >= 400 {
				l.Body = visible(crop(string(e.Response.Body.Head), bodyLimit))
			}
		}
		list = append(list, l)
		rows = append(rows, wireRow{})
	}
	without := r
	without.Ending = "" // what is expected before the end stands behind the last exchange
	placeExpected(rows, without)
	for i := range rows {
		list[i].Expected = rows[i].expected
	}
	return list
}

// Mark is the sign of an outcome, as it stands before an ID.
func (o Outcome) Mark() string {
	sign, _ := o.mark()
	return sign
}
