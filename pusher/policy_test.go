package pusher

import (
	"errors"
	"testing"
)

func TestUntilConnected(t *testing.T) {
	t.Parallel()
	failed := func(stages ...Stage) []Attempt {
		var h []Attempt
		for _, s := range stages {
			h = append(h, Attempt{Stage: s, Err: errors.New(s.String())})
		}
		return h
	}
	tests := []struct {
		name    string
		history []Attempt
		want    Decision
	}{
		{"nothing was tried", nil, Try},
		{"none was reached", failed(StageConnect, StageConnect, StageConnect), Try},
		{"not authorized", failed(StageConnect, StageAuthorize), Stop},
		{"an upload failed", failed(StageUpload), Stop},
		{"a manifest was refused", failed(StagePublish), Stop},
		{"skipped ones do not count", []Attempt{{Skipped: true, Stage: StagePublish}}, Try},
	}
	for _, tt := range tests {
		for _, next := range []Endpoint{{Version: V1}, {Version: V2}} {
			if got := UntilConnected(tt.history, next); got != tt.want {
				t.Errorf("%s, next %s: %s, want %s", tt.name, next.Version, got, tt.want)
			}
		}
	}
}
