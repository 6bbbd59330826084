package replay

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// A told is what a docker command line showed of one push.
type told struct {
	head  []string // lines before the first layer
	order []string // the layers as they were queued, by short ID, each once
	// queues are the layers of each tag as they were queued.
	queues [][]string
	lines  map[string][]string // what was said of each after "Preparing", in order
	ended  bool                // the push succeeded
	tail   []string            // lines after the layers, those of several tags together
	quiet  bool                // it shows nothing of layers
}

// readTold takes what was shown apart; of several pushes at once, the first one's.
func readTold(step *recording.Step, quiet bool) *told {
	t := readLines(tellings(step.Stream)[0])
	t.ended, t.quiet = step.Exit == 0, quiet
	return t
}

// tellings are the lines of each push: of the only one, or of those that a shell
// ran at once. What the shell said is left out.
func tellings(stdout []byte) [][]string {
	parts := [][]string{nil}
	for line := range strings.Lines(string(stdout)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, separator):
			if len(parts[0]) > 0 {
				parts = append(parts, nil)
			}
		case line != "" && !strings.HasPrefix(line, "rc="):
			last := len(parts) - 1
			parts[last] = append(parts[last], line)
		}
	}
	return parts
}

// endings are the exit codes of pushes that a shell ran at once, as it wrote them.
func endings(stdout []byte) []int {
	var list []int
	for line := range strings.Lines(string(stdout)) {
		if code, ok := strings.CutPrefix(strings.TrimSpace(line), "rc="); ok {
			n, err := strconv.Atoi(code)
			if err != nil {
				n = 1
			}
			list = append(list, n)
		}
	}
	return list
}

func readLines(lines []string) *told {
	t := &told{lines: map[string][]string{}}
	queueing := false
	for _, line := range lines {
		id, status, ok := strings.Cut(line, ": ")
		switch {
		case !ok || !isShort(id):
			if len(t.order) == 0 {
				t.head = append(t.head, line)
			} else {
				t.tail = append(t.tail, line)
			}
		case status == "Preparing":
			if !queueing {
				t.queues = append(t.queues, nil)
			}
			t.prepared(id)
		default:
			t.lines[id] = append(t.lines[id], status)
		}
		queueing = status == "Preparing" || queueing && ok && isShort(id)
	}
	return t
}

// prepared puts a layer in the last queue.
func (t *told) prepared(id string) {
	last := len(t.queues) - 1
	t.queues[last] = append(t.queues[last], id)
	if last == 0 || !slices.Contains(t.order, id) {
		t.order = append(t.order, id)
	}
}

// queue makes a push that told nothing queue the layers of an image.
func (t *told) queue(img []layerOfImage) {
	for _, l := range img {
		t.order = append(t.order, l.short)
	}
}

// isShort tells whether a word is the short ID of a layer.
func isShort(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789abcdef") == ""
}

// done tells whether a layer came to be on the registry.
func (t *told) done(id string) bool {
	return slices.ContainsFunc(t.lines[id], func(status string) bool {
		return status == "Pushed" || status == "Layer already exists" || strings.HasPrefix(status, "Mounted from ")
	})
}

// retries is how often a layer was tried again: how often a countdown began.
func (t *told) retries(id string) int {
	n, last := 0, 0
	for _, status := range t.lines[id] {
		left, ok := strings.CutPrefix(status, "Retrying in ")
		if !ok {
			continue
		}
		seconds := 0
		for _, c := range left {
			if c < '0' || c > '9' {
				break
			}
			seconds = seconds*10 + int(c-'0')
		}
		if seconds != last-1 {
			n++
		}
		last = seconds
	}
	return n
}

// failing is the layer that ended a push: the first in the queue that did not come
// to be there; "" when all did (P-342).
func (t *told) failing() string {
	if t.ended {
		return ""
	}
	for _, id := range t.order {
		if !t.done(id) {
			return id
		}
	}
	return ""
}

// cut tells whether a layer was given up because another one before it in the
// queue failed, or might have been: who had come to the end by then is a race.
func (t *told) cut(id string) bool {
	f := slices.Index(t.order, t.failing())
	return f >= 0 && slices.Index(t.order, id) > f
}
