package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// TextOptions say how a Text looks. The zero value is what a file or a CI log
// gets: no colour, no cursor movement, a line a scenario in a stable order.
type TextOptions struct {
	Color bool // ANSI colours
	// Live keeps a last line that says what is running. Only for terminals.
	Live bool
	// Total is how many runs there will be, for the live line; 0 is unknown.
	Total int
	// Width is the terminal's, in characters, for the live line; 0 is 80.
	Width int
	// Now paces the live line; nil redraws it when scenarios begin and end only.
	Now func() time.Time

	Quiet   bool // leave out what passed, was skipped or is known
	Verbose int  // 1 adds sentences, reasons and virtual times; 2 the folded wire of every scenario, and what its client said
	Trace   bool // the whole wire of every scenario; else of failures only, folded
}

// A Text is a report for people: a line for each scenario, a block for each
// failure, a summary. It is a Sink.
//
// Nothing that a registry, a client or a file said reaches the terminal with
// its control characters.
type Text struct {
	w       io.Writer
	o       TextOptions
	p       painter
	err     error // the first that writing met
	live    liveLine
	results int
}

var _ Sink = (*Text)(nil)

// NewText makes a Text that writes to w, which the caller closes.
func NewText(w io.Writer, o TextOptions) *Text {
	if o.Width <= 0 {
		o.Width = 80
	}
	return &Text{w: w, o: o, p: painter{o.Color}, live: liveLine{total: o.Total, scrubbers: scrubbers{}}}
}

// Start implements Sink.
func (t *Text) Start(r Run) {
	if !t.o.Live {
		return
	}
	t.live.start(r)
	t.redraw(true)
}

// Exchange implements Sink.
func (t *Text) Exchange(r Run, e wire.Exchange) {
	if !t.o.Live {
		return
	}
	t.live.said(r, visible(string(e.Route.Op))+" "+answer(t.live.scrubbers.of(r).Exchange(e)))
	t.redraw(false)
}

// Fault implements Sink.
func (t *Text) Fault(r Run, f Firing) {
	if !t.o.Live {
		return
	}
	t.live.said(r, "⚡"+visible(f.Fault))
	t.redraw(false)
}

// Progress implements Sink.
func (t *Text) Progress(r Run, p Progress) {
	if !t.o.Live {
		return
	}
	t.live.said(r, visible(t.live.scrubbers.of(r).Text(strings.TrimSpace(p.Layer+" "+p.Text))))
	t.redraw(false)
}

// Ended implements Sink.
func (t *Text) Ended(r Run) {
	if !t.o.Live {
		return
	}
	t.live.ended(r)
	t.redraw(true)
}

// Result implements Sink.
func (t *Text) Result(r Result) {
	t.results++
	r = r.scrubbed(newScrubber(r.Secrets))
	quiet := r.Outcome == Pass || r.Outcome == Skipped || r.Outcome == Known
	if t.o.Quiet && quiet {
		return
	}
	switch {
	case r.Outcome == Fail || r.Outcome == Broken:
		t.print(t.p.block(r, t.o.Trace, t.o.Verbose >= 2))
	case (t.o.Trace || t.o.Verbose >= 2) && r.Outcome != Skipped:
		t.print(t.p.line(r, t.o.Verbose) + t.p.wire(r, t.o.Trace, t.o.Verbose >= 2))
	default:
		t.print(t.p.line(r, t.o.Verbose))
	}
	t.redraw(true)
}

// wire is the wire of a result that did not fail.
func (p painter) wire(r Result, all, said bool) string {
	var b strings.Builder
	p.wireTable(&b, r, all)
	if said {
		p.said(&b, r)
	}
	p.verdicts(&b, r)
	return b.String()
}

// line is a result that needs no block.
func (p painter) line(r Result, verbose int) string {
	sign, style := r.Outcome.mark()
	text := p.paint(style, sign) + " " + visible(r.ID)
	switch r.Outcome {
	case Skipped:
		text += p.paint(dim, " skipped: "+visible(r.Because))
	case Known:
		text += p.paint(dim, " "+seconds(r.Elapsed)) + " known: " + visible(r.Because)
	case Pass, Warn, Fail, Broken:
		text += p.paint(dim, " "+seconds(r.Elapsed))
		if r.Because != "" {
			text += " " + visible(r.Because)
		}
	}
	if verbose >= 1 && r.Outcome != Skipped && r.Virtual > 0 {
		text += p.paint(dim, " (virtual "+seconds(r.Virtual)+")")
	}
	text += "\n"
	if verbose >= 1 && r.Title != "" {
		text += "  " + p.paint(dim, visible(r.Title)) + "\n"
	}
	return text
}

// Summary implements Sink.
func (t *Text) Summary(s Summary) error {
	t.print(t.p.summary(s, t.results > 0 && !t.o.Quiet))
	return t.err
}

func (p painter) summary(s Summary, apart bool) string {
	parts := []string{p.paint(green, strconv.Itoa(s.Counts[Pass])+" passed")}
	add := func(o Outcome, style, word string) {
		if n := s.Counts[o]; n > 0 {
			parts = append(parts, p.paint(style, strconv.Itoa(n)+" "+word))
		}
	}
	add(Fail, red, "failed")
	add(Broken, red, "broken")
	add(Warn, yellow, "warned")
	add(Known, yellow, "known")
	add(Skipped, dim, "skipped"+reasons(s.Skipped))
	text := strings.Join(parts, ", ") + " in " + fmt.Sprintf("%.1fs", s.Elapsed.Seconds())
	if s.Seed != 0 {
		text += " · seed " + strconv.FormatUint(s.Seed, 10)
	}
	if s.Declared > 0 {
		text += fmt.Sprintf(" · %d/%d faults fired", s.Fired, s.Declared)
	}
	if s.Interrupted {
		text = p.paint(red, "interrupted:") + " " + text
	}
	if apart {
		text = "\n" + text
	}
	return text + "\n"
}

func reasons(list []Reason) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, r := range list {
		parts[i] = visible(r.Need) + " " + strconv.Itoa(r.Count)
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// print writes text that stays, above the live line.
func (t *Text) print(text string) {
	if t.live.shown {
		text = eraseLine + text
		t.live.shown = false
	}
	t.write(text)
}

func (t *Text) write(text string) {
	if t.err != nil {
		return
	}
	_, t.err = io.WriteString(t.w, text)
}
