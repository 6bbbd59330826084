package report

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A wireRow is one line of the wire as it is shown.
type wireRow struct {
	seq, at, op, what, size, fault, answer string
	folded                                 bool
	expected                               string // a line of its own behind this one; "" for none
}

// wireTable shows the wire of a result. Events far from a failure are folded
// unless all is set.
func (p painter) wireTable(b *strings.Builder, r Result, all bool) {
	rows := wireRows(r)
	if len(rows) == 0 {
		b.WriteString("  wire: nothing was sent\n")
		return
	}
	folded := 0
	if !all {
		folded = fold(rows, r)
	}
	switch {
	case folded > 0:
		fmt.Fprintf(b, "  wire (%s, %d folded)\n", count(len(rows), "event"), folded)
	default:
		fmt.Fprintf(b, "  wire (%s)\n", count(len(rows), "event"))
	}
	widths := columnWidths(rows)
	gap := false
	for _, row := range rows {
		if row.folded {
			gap = true
			continue
		}
		if gap {
			b.WriteString("     " + p.paint(dim, "⋮") + "\n")
			gap = false
		}
		p.wireLine(b, row, widths)
	}
	if gap {
		b.WriteString("     " + p.paint(dim, "⋮") + "\n")
	}
}

// A columns are the widths of a wire table.
type columns struct{ seq, at, op, what, middle int }

func columnWidths(rows []wireRow) columns {
	var c columns
	for _, row := range rows {
		if row.folded {
			continue
		}
		c.seq, c.at = max(c.seq, runes(row.seq)), max(c.at, runes(row.at))
		if row.answer == "" { // its text runs on to the end of the line
			continue
		}
		c.op, c.what = max(c.op, runes(row.op)), max(c.what, runes(row.what))
		c.middle = max(c.middle, runes(middle(row)))
	}
	return c
}

func middle(row wireRow) string {
	if row.size != "" && row.fault != "" {
		return row.size + " " + row.fault
	}
	return row.size + row.fault
}

func (p painter) wireLine(b *strings.Builder, row wireRow, c columns) {
	line := "     " + p.paint(dim, pad(row.seq, c.seq)) + "  " + p.paint(dim, pad(row.at, c.at)) + "  "
	if row.answer == "" {
		line += row.op
	} else {
		text := pad(middle(row), c.middle)
		if row.fault != "" {
			text = strings.Replace(text, row.fault, p.paint(yellow, row.fault), 1)
		}
		line += pad(row.op, c.op)
		if c.what > 0 {
			line += "  " + pad(row.what, c.what)
		}
		if c.middle > 0 {
			line += "  " + text
		}
		line += "  " + row.answer
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	if row.expected != "" {
		b.WriteString("     " + pad("--", c.seq) + "  " + pad("", c.at) + "  " + p.paint(red, "expected here: "+row.expected) + "\n")
	}
}

// wireRows are the exchanges of a result as lines, and what the client said last.
func wireRows(r Result) []wireRow {
	layers := sessionDigests(r.Trace)
	rows := make([]wireRow, 0, len(r.Trace)+1)
	last := 0
	for _, e := range r.Trace {
		last = max(last, e.Seq)
		rows = append(rows, wireRowOf(e, r.Names, layers))
	}
	if r.Ending != "" {
		text := "client: pushed"
		if r.Ending != "pushed" {
			text = "client: failed " + strconv.Quote(crop(r.Ending, 300))
		}
		rows = append(rows, wireRow{seq: "#" + strconv.Itoa(last+1), at: stamp(r.Virtual), op: visible(text)})
	}
	placeExpected(rows, r)
	return rows
}

// placeExpected puts what was expected behind the exchange it should have
// followed; before the end of the push when it follows none.
func placeExpected(rows []wireRow, r Result) {
	for _, f := range r.Failures {
		if f.Expected == "" || len(rows) == 0 {
			continue
		}
		at := len(rows) - 1
		if r.Ending != "" && at > 0 {
			at--
		}
		for i, e := range r.Trace {
			if e.Seq == f.After {
				at = i
			}
		}
		if rows[at].expected == "" {
			rows[at].expected = visible(f.Expected)
		}
	}
}

func wireRowOf(e wire.Exchange, names map[digest.Digest]string, layers map[string]digest.Digest) wireRow {
	row := wireRow{seq: "#" + strconv.Itoa(e.Seq), at: stamp(e.At), op: visible(string(e.Route.Op))}
	if e.Route.Op == wire.OpEvent {
		row.op = "event: " + visible(e.Event())
		return row
	}
	row.what = visible(subject(e.Route, names, layers))
	if n := e.Request.Body.Length; n > 0 {
		row.size = strconv.FormatInt(n, 10) + " B"
	}
	if e.Fault != "" {
		row.fault = "⚡" + visible(e.Fault)
	}
	row.answer = answer(e)
	return row
}

// subject says in a word what an exchange is about.
func subject(r wire.Route, names map[digest.Digest]string, layers map[string]digest.Digest) string {
	d := r.Digest
	if d == "" && r.Session != "" {
		d = layers[r.Repository+" "+r.Session]
	}
	switch {
	case d != "":
		if name := names[d]; name != "" {
			return name
		}
		return short(string(d))
	case r.Tag != "":
		return crop(r.Tag, 24)
	case r.ImageID != "":
		if name := names[digest.NewDigestFromEncoded(digest.SHA256, r.ImageID)]; name != "" {
			return name
		}
		return short(r.ImageID)
	}
	return ""
}

func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) > 12 {
		id = id[:12]
	}
	return id
}

// sessionDigests finds for each upload session the digest that it was committed
// as, so that its chunks can be called by the layer's name.
func sessionDigests(t wire.Trace) map[string]digest.Digest {
	found := map[string]digest.Digest{}
	for _, e := range t {
		if e.Route.Session != "" && e.Route.Digest != "" {
			found[e.Route.Repository+" "+e.Route.Session] = e.Route.Digest
		}
	}
	return found
}

// answer is the status with the registry's error codes, or the failure.
func answer(e wire.Exchange) string {
	text := e.Answer()
	for _, code := range errorCodes(e.Response) {
		text += " " + visible(crop(code, 40))
	}
	if e.Response.Status != 0 && e.Failure != wire.FailureNone {
		text += ", then " + e.Failure.String()
	}
	if e.Open {
		return strings.TrimSpace(text + " (under way)")
	}
	if text == "" {
		return "no answer"
	}
	return text
}

// errorCodes reads the codes of an OCI error body (distribution-spec, "Error codes").
func errorCodes(r wire.Response) []string {
	if r.Status < http.StatusBadRequest || len(r.Body.Head) == 0 {
		return nil
	}
	var body struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(r.Body.Head, &body) != nil {
		return nil
	}
	var codes []string
	for _, e := range body.Errors {
		if e.Code != "" && len(codes) < 3 {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

// stamp is a moment of the run.
func stamp(d time.Duration) string { return fmt.Sprintf("+%.3fs", d.Seconds()) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// How much of the wire is shown around a failure, and how long a wire is before
// anything is folded.
const (
	foldBefore = 2
	foldAfter  = 1
	foldLimit  = 8
	foldFaults = 6 // exchanges that faults struck, shown wherever they are
)

// fold marks the rows that are far from every failure and reports how many.
func fold(rows []wireRow, r Result) int {
	if len(rows) <= foldLimit {
		return 0
	}
	near := make([]bool, len(rows))
	show := func(from, to int) {
		for i := max(from, 0); i <= min(to, len(rows)-1); i++ {
			near[i] = true
		}
	}
	show(len(rows)-foldBefore, len(rows)-1)
	for _, f := range r.Failures {
		for i, e := range r.Trace {
			if e.Seq == f.After {
				show(i-foldBefore+1, i+foldAfter)
			}
		}
	}
	struck := 0
	for i := range rows {
		if rows[i].fault != "" && struck < foldFaults {
			near[i] = true
			struck++
		}
		if rows[i].expected != "" {
			near[i] = true
		}
	}
	folded := 0
	for i := range rows {
		rows[i].folded = !near[i]
		if rows[i].folded {
			folded++
		}
	}
	return folded
}
