package scenarios

import (
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// progress judges what the client showed.
func (j *judge) progress() {
	x := j.p.expect.Progress
	if x == nil {
		return
	}
	for _, layer := range sortedKeys(x.Layers) {
		l, ok := j.p.contents.layer(layer)
		if !ok {
			j.fail("progress."+layer, "", "the image has no %s", layer)
			continue
		}
		j.shown("progress."+layer, x.Layers[layer], shownOf(j.p.events, l))
	}
	if len(x.Lines) > 0 {
		j.shown("progress.lines", x.Lines, shownLines(j.p.events))
	}
	for _, never := range x.Never {
		for _, e := range j.p.events {
			if strings.HasPrefix(e.Status, never) {
				j.fail("progress.never", "it was", "the client showed %q", e.Status)
				break
			}
		}
	}
}

// shown compares beginnings with what was shown, in order, others between.
func (j *judge) shown(part string, want, got []string) {
	i := 0
	for _, text := range got {
		if i < len(want) && strings.HasPrefix(text, want[i]) {
			i++
		}
	}
	if i == len(want) {
		return
	}
	after := ""
	if i > 0 {
		after = " after " + quote(want[i-1])
	}
	all := "nothing"
	if len(got) > 0 {
		all = strings.Join(got, ", ")
	}
	j.fail(part, "shown: "+all, "%q%s was not shown", want[i], after)
}

// shownOf is what was shown of a layer, each status once where it is repeated.
func shownOf(events []pusher.Event, l content) []string {
	var list []string
	for _, e := range events {
		if l.shownAs(e.ID) {
			list = appendNew(list, e.Status)
		}
	}
	return list
}

// shownLines are the lines about the whole push.
func shownLines(events []pusher.Event) []string {
	var list []string
	for _, e := range events {
		if e.ID == "" || !e.Action && e.Total == 0 && e.Current == 0 {
			list = appendNew(list, e.Status)
		}
	}
	return list
}

// appendNew appends unless the last one is the same.
func appendNew(list []string, s string) []string {
	if len(list) > 0 && list[len(list)-1] == s {
		return list
	}
	return append(list, s)
}
