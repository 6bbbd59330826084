package pusher_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
)

// The lines are those of docker 1.8.3 itself.
func TestStreamDocker18(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		event pusher.Event
		want  string
	}{
		{"a status", pusher.Event{Status: "The push refers to a repository [127.0.0.1:5000/lib/app] (len: 1)"}, `{"status":"The push refers to a repository [127.0.0.1:5000/lib/app] (len: 1)"}` + "\n"},
		{"an action", pusher.Event{ID: "a4a4a4a4a4a4", Status: "Buffering to Disk", Action: true}, `{"status":"Buffering to Disk","progressDetail":{},"id":"a4a4a4a4a4a4"}`},
		{"a full bar", pusher.Event{ID: "a4a4a4a4a4a4", Status: "Pushing", Current: 8162, Total: 8162, Action: true}, `{"status":"Pushing","progressDetail":{"current":8162,"total":8162},"progress":"[==================================================\u003e] 8.162 kB/8.162 kB","id":"a4a4a4a4a4a4"}`},
		{"a bar that begins", pusher.Event{ID: "b1b1b1b1b1b1", Status: "Pushing", Current: 32768, Total: 1049079, Action: true}, `{"status":"Pushing","progressDetail":{"current":32768,"total":1049079},"progress":"[=\u003e                                                 ] 32.77 kB/1.049 MB","id":"b1b1b1b1b1b1"}`},
		{"a bar with a short figure", pusher.Event{ID: "b1b1b1b1b1b1", Status: "Pushing", Current: 425984, Total: 1049079, Action: true}, `{"status":"Pushing","progressDetail":{"current":425984,"total":1049079},"progress":"[====================\u003e                              ]   426 kB/1.049 MB","id":"b1b1b1b1b1b1"}`},
		{"no total", pusher.Event{ID: "525252525252", Status: "Buffering to disk", Current: 5120, Action: true}, `{"status":"Buffering to disk","progressDetail":{"current":5120},"progress":" 5.12 kB","id":"525252525252"}`},
		{"more than the total", pusher.Event{ID: "b1", Status: "Pushing", Current: 30, Total: 20, Action: true}, `{"status":"Pushing","progressDetail":{"current":30,"total":20},"progress":"[==================================================\u003e]     30 B/20 B","id":"b1"}`},
		{"an error", pusher.Event{Err: errors.New(`unauthorized: <no> "access"`)}, `{"errorDetail":{"message":"unauthorized: \u003cno\u003e \"access\""},"error":"unauthorized: \u003cno\u003e \"access\""}` + "\n"},
		{"an error of V1", pusher.Event{Err: fmt.Errorf("wrapped: %w", &pusher.HTTPError{Code: 404, Message: "gone"})}, `{"errorDetail":{"code":404,"message":"wrapped: gone"},"error":"wrapped: gone"}` + "\n"},
		{"the shown error's code only", pusher.Event{Err: &pusher.FailedError{
			Shown:    errors.New("second"),
			Attempts: []pusher.Attempt{{Err: &pusher.HTTPError{Code: 500, Message: "first"}}, {Err: errors.New("second")}},
		}}, `{"errorDetail":{"message":"second"},"error":"second"}` + "\n"},
	}
	var all, want bytes.Buffer
	stream := pusher.NewStream(&all, pusher.Docker18())
	for _, tt := range tests {
		before := all.Len()
		if err := stream.Write(tt.event); err != nil {
			t.Fatal(err)
		}
		if got := all.String()[before:]; got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
		want.WriteString(tt.want)
	}
	if all.String() != want.String() {
		t.Error("the stream is more than its objects")
	}
}

// TestStreamWidth: a narrow terminal of the daemon leaves the box away (P-033).
func TestStreamWidth(t *testing.T) {
	t.Parallel()
	for width, box := range map[int]bool{110: false, 111: true} {
		era := pusher.Docker18()
		era.Stream.Width = width
		var out bytes.Buffer
		if err := pusher.NewStream(&out, era).Write(pusher.Event{Status: "Pushing", Current: 1, Total: 2}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "["); got != box {
			t.Errorf("width %d: box %v, want %v: %s", width, got, box, out.String())
		}
	}
}
