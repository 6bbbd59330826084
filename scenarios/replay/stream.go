package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/recording"
)

// separator begins the part of a stream that one of several pushes at once wrote.
const separator = "--- push "

// A piece is one object of a stream, with what follows it.
type piece struct {
	raw    string
	Status string `json:"status"`
	ID     string `json:"id"`
	Error  string `json:"error"`
}

// pushing tells that a piece reports how far a transfer got.
func (p piece) pushing() bool { return p.Status == "Pushing" && strings.Contains(p.raw, `"current"`) }

// skipped tells that a piece reports what a V1 look-up found.
func (p piece) skipped() bool {
	return strings.HasPrefix(p.Status, "Image ") && strings.HasSuffix(p.Status, " already pushed, skipping")
}

// pieces cuts a stream into its objects. What is no object ends it.
func pieces(stream []byte) []piece {
	var list []piece
	d := json.NewDecoder(bytes.NewReader(stream))
	begin := int64(0)
	for d.More() {
		var p piece
		if err := d.Decode(&p); err != nil {
			break
		}
		end := d.InputOffset()
		for end < int64(len(stream)) && (stream[end] == '\r' || stream[end] == '\n') {
			end++
		}
		p.raw = string(stream[begin:end])
		list = append(list, p)
		begin = end
	}
	if begin < int64(len(stream)) {
		list = append(list, piece{raw: string(stream[begin:])})
	}
	return list
}

// streams compares what the client told its user.
func (c *comparison) streams(played [][]byte) {
	parts := [][]byte{c.step.Stream}
	if c.step.Input.Concurrent > 1 {
		parts = apart(c.step.Stream)
	} else {
		played = [][]byte{bytes.Join(played, nil)}
	}
	if len(parts) != len(played) {
		c.differ("stream", fmt.Sprintf("%d pushes", len(parts)), fmt.Sprintf("%d pushes", len(played)))
		return
	}
	slices.SortFunc(parts, bytes.Compare)
	slices.SortFunc(played, bytes.Compare)
	for i := range parts {
		name := "stream"
		if len(parts) > 1 {
			name = fmt.Sprintf("stream %d of %d", i+1, len(parts))
		}
		c.stream(name, pieces([]byte(ephemeral(string(parts[i])))), pieces([]byte(toHost(string(played[i]), c.host))))
	}
}

// apart cuts the stream of several pushes at once into theirs, whose numbers are
// in the order of the end.
func apart(stream []byte) [][]byte {
	var parts [][]byte
	for part := range bytes.SplitSeq(stream, []byte(separator)) {
		if _, rest, found := bytes.Cut(part, []byte("\n")); found {
			parts = append(parts, rest)
		}
	}
	return parts
}

// stream compares one stream piece by piece.
func (c *comparison) stream(name string, recorded, played []piece) {
	if len(played) == 0 && len(recorded) == 1 && c.step.Error != "" &&
		(recorded[0].Error != "" || strings.Contains(recorded[0].raw, c.step.Error)) {
		c.excuse(beforeStream) // the error itself is compared elsewhere
		return
	}
	if c.broken() || slices.ContainsFunc(c.step.Exchanges, early) {
		recorded, played = c.cutOff(name, recorded, played)
	}
	a, b := settleSkips(recorded), settleSkips(played)
	if slices.Equal(a, b) && !slices.Equal(recorded, played) {
		c.excuse(racingLookups)
	}
	recorded, played = a, b
	keyA := func(i int) string { return c.pieceKey(recorded[i]) }
	keyB := func(i int) string { return c.pieceKey(played[i]) }
	for _, p := range align(len(recorded), len(played), keyA, keyB) {
		switch {
		case p.a < 0:
			c.differ(fmt.Sprintf("%s, object %d", name, p.b+1), "nothing", played[p.b].raw)
		case p.b < 0:
			c.differ(fmt.Sprintf("%s, object %d", name, p.a+1), recorded[p.a].raw, "nothing")
		case recorded[p.a].raw != played[p.b].raw:
			c.excuse(resetWords)
		}
	}
}

// pieceKey is what must be equal of a piece: everything, but for the words of a
// broken connection where there was one.
func (c *comparison) pieceKey(p piece) string {
	if before, broken := withoutBroken(p.Error); broken && c.broken() {
		return "error: " + before
	}
	return p.raw
}

// broken tells whether a connection of the step was broken on purpose.
func (c *comparison) broken() bool {
	return slices.ContainsFunc(c.step.Exchanges, func(e recording.Exchange) bool { return e.Event == "" && e.Status == 0 })
}

// cutOff takes out how far a transfer got that did not come to its end: those
// reports come right before the error. One side's must begin as the other's, but
// that the last one of a transfer that was answered early tells of the whole.
func (c *comparison) cutOff(name string, recorded, played []piece) (a, b []piece) {
	runA, restA := brokenRun(recorded)
	runB, restB := brokenRun(played)
	if slices.Equal(runA, runB) {
		return restA, restB
	}
	why, common := resetProgress, min(len(runA), len(runB))
	if !c.broken() {
		why, common = earlyProgress, common-1
	}
	for i := range max(common, 0) {
		if runA[i].raw != runB[i].raw {
			c.differ(name+", before the transfer ended", runA[i].raw, runB[i].raw)
			return restA, restB
		}
	}
	c.excuse(why)
	return restA, restB
}

// brokenRun cuts out the reports of a transfer before the last error.
func brokenRun(list []piece) (run, rest []piece) {
	end := len(list) - 1
	for end >= 0 && list[end].Error == "" {
		end--
	}
	begin := end
	for begin > 0 && list[begin-1].pushing() {
		begin--
	}
	if begin < 0 || begin == end {
		return nil, list
	}
	return list[begin:end], slices.Concat(list[:begin], list[end:])
}

// settleSkips puts runs of what V1 look-ups found in an order of their own.
func settleSkips(list []piece) []piece {
	settled := slices.Clone(list)
	for i := 0; i < len(settled); {
		j := i
		for j < len(settled) && settled[j].skipped() {
			j++
		}
		slices.SortFunc(settled[i:j], func(a, b piece) int { return strings.Compare(a.raw, b.raw) })
		i = max(j, i+1)
	}
	return settled
}
