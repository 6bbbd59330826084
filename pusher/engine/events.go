package engine

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// An event is one thing that happened to an image. Its old form (status, id) and
// its newer one (Type, Action, Actor) are sent together, as docker does since
// API 1.22.
type event struct {
	Status   string `json:"status"`
	ID       string `json:"id"`
	Type     string `json:"Type"`
	Action   string `json:"Action"`
	Actor    actor  `json:"Actor"`
	Scope    string `json:"scope"`
	Time     int64  `json:"time"`
	TimeNano int64  `json:"timeNano"`
}

type actor struct {
	ID         string            `json:"ID"`
	Attributes map[string]string `json:"Attributes"`
}

// eventsKept is how many past events since= can ask for, as in docker.
const eventsKept = 64

// An eventLog keeps the last events and hands new ones to whoever listens.
type eventLog struct {
	clock clock.Clock

	mu        sync.Mutex // guards the rest
	past      []event
	listeners map[chan event]bool
}

func newEventLog(c clock.Clock) *eventLog {
	return &eventLog{clock: c, listeners: map[chan event]bool{}}
}

// add notes that action happened to the image called id. A listener that does
// not keep up misses events.
func (l *eventLog) add(action, id string) {
	now := l.clock.Now()
	e := event{Status: action, ID: id, Type: "image", Action: action, Actor: actor{id, map[string]string{"name": id}}, Scope: "local", Time: now.Unix(), TimeNano: now.UnixNano()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past = append(l.past, e)
	if len(l.past) > eventsKept {
		l.past = slices.Clone(l.past[len(l.past)-eventsKept:])
	}
	for ch := range l.listeners {
		select {
		case ch <- e:
		default:
		}
	}
}

func (l *eventLog) listen() (past []event, ch chan event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch = make(chan event, 256)
	l.listeners[ch] = true
	return slices.Clone(l.past), ch
}

func (l *eventLog) leave(ch chan event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, ch)
}

// streamEvents answers events: those since a moment, then new ones until another
// moment, the caller's end or the engine's.
func (c *call) streamEvents() error {
	q := c.r.URL.Query()
	since, err := moment(q.Get("since"))
	if err != nil {
		return err
	}
	until, err := moment(q.Get("until"))
	if err != nil {
		return err
	}
	filters, err := parseFilters(q.Get("filters"))
	if err != nil {
		return err
	}
	e := c.engine
	past, ch := e.events.listen()
	defer e.events.leave(ch)
	c.w.Header().Set("Content-Type", "application/json")
	c.status = http.StatusOK
	c.w.WriteHeader(http.StatusOK)
	c.flush()
	for _, ev := range past {
		if !since.IsZero() && ev.TimeNano >= since.UnixNano() && (until.IsZero() || ev.TimeNano <= until.UnixNano()) {
			if err := c.sendEvent(ev, filters); err != nil {
				return err
			}
		}
	}
	return c.followEvents(ch, until, filters)
}

func (c *call) followEvents(ch <-chan event, until time.Time, filters map[string][]string) error {
	ctx := c.r.Context()
	if !until.IsZero() {
		left := until.Sub(c.engine.clock.Now())
		if left <= 0 {
			return nil
		}
		limited, cancel := c.engine.clock.WithTimeout(ctx, left)
		defer cancel()
		ctx = limited
	}
	for {
		select {
		case ev := <-ch:
			if err := c.sendEvent(ev, filters); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-c.engine.life.Done():
			return nil
		}
	}
}

func (c *call) sendEvent(ev event, filters map[string][]string) error {
	for key, have := range map[string]string{"type": ev.Type, "event": ev.Action, "image": ev.ID} {
		if want := filters[key]; len(want) > 0 && !slices.Contains(want, have) {
			return nil
		}
	}
	if err := writeObject(c.w, ev); err != nil {
		return err
	}
	c.flush()
	return nil
}

func (c *call) flush() { _ = http.NewResponseController(c.w).Flush() } //nolint:errcheck // not every writer can

// moment reads a time as since and until carry it: seconds since 1970, with or
// without a fraction; "" is the zero time.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, &apiError{http.StatusBadRequest, "bad parameter: " + quote(s) + " is not a time; want seconds since 1970, such as 1444651200 or 1444651200.5"}
	}
	nano, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, &apiError{http.StatusBadRequest, "bad parameter: " + quote(s) + " is not a time; want seconds since 1970, such as 1444651200 or 1444651200.5"}
	}
	return time.Unix(sec, nano), nil
}
