package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// eraseLine goes to the start of the terminal's line and clears it.
const eraseLine = "\r\x1b[K"

// livePace is how long a live line stands at least before a message redraws it.
const livePace = 50 * time.Millisecond

// A runKey tells runs apart.
type runKey struct {
	id   string
	seed uint64
}

func (r Run) key() runKey { return runKey{r.ID, r.Seed} }

// scrubbers are those of the runs under way.
type scrubbers map[runKey]*wire.Scrubber

// of finds or makes a run's scrubber.
func (s scrubbers) of(r Run) *wire.Scrubber {
	if s[r.key()] == nil {
		s[r.key()] = newScrubber(r.Secrets)
	}
	return s[r.key()]
}

// A liveLine knows what is running.
type liveLine struct {
	running   []Run // oldest first
	last      map[runKey]string
	scrubbers scrubbers
	done      int
	total     int  // 0 is unknown
	shown     bool // the terminal's last line is the live one
	drawn     time.Time
}

func (l *liveLine) start(r Run) {
	if l.last == nil {
		l.last = map[runKey]string{}
	}
	l.running = append(l.running, r)
}

// said notes the latest word from a run; text is visible.
func (l *liveLine) said(r Run, text string) {
	if l.last != nil {
		l.last[r.key()] = text
	}
}

func (l *liveLine) ended(r Run) {
	l.running = slices.DeleteFunc(l.running, func(o Run) bool { return o.key() == r.key() })
	delete(l.last, r.key())
	delete(l.scrubbers, r.key())
	l.done++
}

// text is the line: what has been running longest, its latest word, and how many
// others there are.
func (l *liveLine) text() string {
	if len(l.running) == 0 {
		return ""
	}
	oldest := l.running[0]
	text := fmt.Sprintf("… %d done  %s", l.done, visible(oldest.ID))
	if l.total > 0 {
		text = fmt.Sprintf("… %d/%d  %s", l.done, l.total, visible(oldest.ID))
	}
	if word := l.last[oldest.key()]; word != "" {
		text += "  " + word
	}
	if others := len(l.running) - 1; others > 0 {
		text += fmt.Sprintf("  and %d more", others)
	}
	return text
}

// redraw shows the live line anew; unless it must, not more often than livePace.
func (t *Text) redraw(must bool) {
	if !t.o.Live {
		return
	}
	if t.o.Now != nil {
		now := t.o.Now()
		if !must && now.Sub(t.live.drawn) < livePace {
			return
		}
		t.live.drawn = now
	} else if !must {
		return
	}
	text := t.live.text()
	switch {
	case text != "":
		t.write(eraseLine + t.p.paint(dim, crop(text, t.o.Width-1)))
		t.live.shown = true
	case t.live.shown:
		t.write(eraseLine)
		t.live.shown = false
	}
}
