package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Stream writes events as the engine API of an era does, byte for byte
// (P-030 to P-038). It is not safe for concurrent use.
type Stream struct {
	w     io.Writer
	style StreamStyle
}

// NewStream makes a stream on w. Each event is one Write.
func NewStream(w io.Writer, era Era) *Stream { return &Stream{w: w, style: era.Stream} }

// A message is one object of the stream. The order of the fields is the order of
// the keys (P-030).
type message struct {
	Status   string           `json:"status,omitempty"`
	Progress *progressDetail  `json:"progressDetail,omitempty"`
	Bar      string           `json:"progress,omitempty"`
	ID       string           `json:"id,omitempty"`
	Error    *messageError    `json:"errorDetail,omitempty"`
	Text     string           `json:"error,omitempty"`
	Aux      *json.RawMessage `json:"aux,omitempty"`
}

type progressDetail struct {
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
}

type messageError struct {
	Code    int    `json:"code,omitempty"` // only of a V1 answer (P-034)
	Message string `json:"message,omitempty"`
}

// Write writes one event.
//
// Errors: the writer's.
func (s *Stream) Write(e Event) error {
	m, end, err := s.message(e)
	if err != nil {
		return err
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.w.Write(append(line, end...))
	return err
}

// message is the object of an event and what follows it.
func (s *Stream) message(e Event) (m message, end string, err error) {
	if e.Err != nil {
		text := e.Err.Error()
		m = message{Error: &messageError{Message: text}, Text: text}
		m.Error.Code = shownCode(e.Err)
		return m, s.style.StatusEnd, nil
	}
	m = message{Status: e.Status, ID: e.ID}
	if e.Aux != nil {
		raw, err := json.Marshal(e.Aux)
		if err != nil {
			return m, "", err
		}
		m.Aux, m.Progress = (*json.RawMessage)(&raw), &progressDetail{}
		return m, s.style.StatusEnd, nil
	}
	if !e.Action && e.Current == 0 && e.Total == 0 {
		return m, s.style.StatusEnd, nil
	}
	m.Progress = &progressDetail{Current: e.Current, Total: e.Total}
	m.Bar = s.style.bar(e.Current, e.Total)
	return m, s.style.ProgressEnd, nil
}

// shownCode is the HTTP status of the V1 answer whose error the user sees, 0 when
// it is another error (P-034).
func shownCode(err error) int {
	var failed *FailedError
	if errors.As(err, &failed) {
		err = failed.Shown // not one of an endpoint before it
	}
	var answer *HTTPError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

// progressBar is the text beside the numbers (P-033).
func progressBar(current, total int64, width int) string {
	if current <= 0 && total <= 0 {
		return ""
	}
	if total <= 0 {
		return fmt.Sprintf("%8v", humanSize(current))
	}
	numbers := fmt.Sprintf("%8v/%v", humanSize(current), humanSize(total))
	if width <= 110 {
		return numbers
	}
	done := min(int(float64(current)/float64(total)*100)/2, 50)
	return "[" + strings.Repeat("=", max(done, 0)) + ">" + strings.Repeat(" ", 50-max(done, 0)) + "] " + numbers
}

// bar is progressBar as a style has it.
func (s StreamStyle) bar(current, total int64) string {
	bar := progressBar(current, total, s.Width)
	if s.DropsTotal && total > 0 && current > total {
		i := strings.LastIndexByte(bar, '/')
		bar = bar[:i]
	}
	return bar
}

// humanSize is a size in decimal units and four digits.
func humanSize(n int64) string {
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size /= 1000
		unit++
	}
	return fmt.Sprintf("%.4g %s", size, units[unit])
}
