package scenarios

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
)

// maxSaid and maxSaidLine bound what is kept of a client's words: lines, and
// characters of each.
const (
	maxSaid     = 200
	maxSaidLine = 500
)

// evidence fills a result with what is there to look at after its last push: what
// the client said, and what the registry holds.
func (w *world) evidence(res *Result, p *seenPush) {
	if res.Said == nil {
		res.Said = said(p)
	}
	res.Held = w.held(p.after)
	if len(p.trace) > 0 {
		res.LastPush = p.trace[0].Seq
	}
}

// said are the client's words, without the numbers of a progress bar.
func said(p *seenPush) []string {
	var list []string
	last := map[string]string{} // by layer
	left := 0
	for _, e := range p.events {
		text := e.Status
		if e.Err != nil {
			text = e.Err.Error()
		}
		if text == "" || last[e.ID] == text {
			continue
		}
		last[e.ID] = text
		if e.ID != "" {
			text = e.ID + ": " + text
		}
		if len(list) >= maxSaid {
			left++
			continue
		}
		list = append(list, cut(text))
	}
	if left > 0 {
		list = append(list, fmt.Sprintf("… and %d lines more", left))
	}
	return list
}

// cut shortens a line that a client said.
func cut(line string) string {
	if r := []rune(line); len(r) > maxSaidLine {
		return string(r[:maxSaidLine]) + "…"
	}
	return line
}

// held says what a registry holds of what was asked for: tags first, then the
// image's content from the bottom.
func (w *world) held(st registryState) []report.Holding {
	var list []report.Holding
	for _, key := range sortedKeys(st.tags) {
		list = append(list, report.Holding{What: key, Is: st.tags[key].words()})
	}
	for _, l := range w.contents.layers {
		if b, asked := st.blobs[l.digest]; asked {
			list = append(list, report.Holding{What: l.name, Is: b.words()})
		}
	}
	for _, l := range w.contents.layers {
		if state, asked := st.images[l.v1ID]; asked {
			list = append(list, report.Holding{What: l.name + " over V1", Is: orAbsent(state)})
		}
	}
	if st.uploads >= 0 {
		list = append(list, report.Holding{What: "open uploads", Is: fmt.Sprint(st.uploads)})
	}
	return list
}

// words say what a tag names.
func (t tagState) words() string {
	if !t.found {
		return "absent"
	}
	parts := []string{t.format}
	switch {
	case t.digest != "":
		parts = append(parts, short(string(t.digest)))
	case t.image != "":
		parts = append(parts, "image "+short(t.image))
	}
	whole := "whole"
	if t.broken != "" {
		whole = t.broken
	}
	return strings.TrimSpace(strings.Join(parts, " ")) + ", " + whole
}

// words say what a registry shows of a blob.
func (b blobState) words() string {
	switch {
	case b.intact:
		return "intact"
	case b.present:
		return "there, with other bytes"
	}
	return "absent"
}
