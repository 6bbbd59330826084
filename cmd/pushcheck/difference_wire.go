package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/scenarios"
)

// A sent is one request as it is shown.
type sent struct {
	key     string // operation: requests are paired by it and by
	about   string // what it is about; "" is unknown, and pairs with any
	line    string
	headers []string // "Name: value", sorted, without those that differ anyway
	place   int      // where it stands when the layers are in order
}

// wireOf is what an era sent in the push of a scene: what comes before the blobs, the
// layers from the top one down, the config, the manifest. Within these the requests
// stand as they were sent, so that eras with another order can be compared.
func wireOf(res scenarios.Result) []sent {
	trace := lastPush(res)
	subjects := subjectsOf(trace)
	blobs := slices.IndexFunc(trace, func(e wire.Exchange) bool { return ofBlob(e) && e.Response.Status > 0 })
	var list []sent
	var ended time.Duration
	for i, e := range trace {
		name := subjectName(subjects[i], res)
		one := sent{line: wireLine(e, name), headers: shownHeaders(e), key: string(e.Route.Op), about: name}
		if gap := e.At - ended; i > 0 && gap >= 100*time.Millisecond {
			one.line += fmt.Sprintf(" +%gs", gap.Round(100*time.Millisecond).Seconds())
		}
		ended = e.At + e.Elapsed
		if blobs >= 0 && i >= blobs {
			one.place = placeOf(e, name)
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b sent) int { return cmp.Compare(a.place, b.place) })
	return list
}

// lastPush is the wire of the last push of a run.
func lastPush(res scenarios.Result) wire.Trace {
	var list wire.Trace
	for _, e := range res.Trace {
		if e.Route.Op != wire.OpEvent && e.Seq >= res.LastPush {
			list = append(list, e)
		}
	}
	return list
}

func ofBlob(e wire.Exchange) bool {
	op := string(e.Route.Op)
	return strings.HasPrefix(op, "upload.") || strings.HasPrefix(op, "blob.")
}

// subjectsOf are the blobs that requests are about. Layers go one at a time, so that a
// session without a digest is for the next one that has one.
func subjectsOf(trace wire.Trace) []digest.Digest {
	list := make([]digest.Digest, len(trace))
	var next digest.Digest
	for i, e := range slices.Backward(trace) {
		if !ofBlob(e) {
			continue
		}
		if e.Route.Digest != "" {
			next = e.Route.Digest
		}
		list[i] = next
	}
	return list
}

func subjectName(d digest.Digest, res scenarios.Result) string {
	switch name := res.Names[d]; {
	case name != "":
		return name
	case d != "":
		return "config"
	}
	return ""
}

// placeOf orders the requests of a push by what they are about.
func placeOf(e wire.Exchange, name string) int {
	switch {
	case !ofBlob(e):
		return 4
	case name == "config":
		return 3
	case name == "layer2":
		return 2
	}
	return 1 // layer1, which is the top one too
}

// wireLine is one request and how it ended.
func wireLine(e wire.Exchange, name string) string {
	words := []string{string(e.Route.Op)}
	if name != "" {
		words = append(words, name)
	}
	if e.Route.Tag != "" {
		words = append(words, e.Route.Tag)
	}
	if e.Route.From != "" {
		words = append(words, "from", e.Route.From)
	}
	if n := e.Request.Body.Length; n > 0 && e.Route.Op != wire.OpManifestPut {
		words = append(words, fmt.Sprintf("%d B", n))
	}
	if e.Route.Op == wire.OpManifestPut {
		words = append(words, manifestFormat(e.Request.Header.Get("Content-Type")))
	}
	return strings.Join(append(words, "→ "+e.Answer()), " ")
}

// manifestFormat is what a manifest is, by its media type: schema 1 had none at first.
func manifestFormat(media string) string {
	switch {
	case media == "" || strings.Contains(media, "manifest.v1+"):
		return "schema 1"
	case strings.Contains(media, "docker.distribution.manifest.v2"):
		return "schema 2"
	}
	return strings.TrimPrefix(media, "application/vnd.")
}

// shownHeaders are the headers of a request that say something about its era.
func shownHeaders(e wire.Exchange) []string {
	var list []string
	for name, values := range e.Request.Header {
		switch name {
		case "User-Agent", "Host", "Content-Length":
			continue
		}
		for _, v := range values {
			if v == "" {
				v = "(empty)"
			}
			list = append(list, name+": "+v)
		}
	}
	slices.Sort(list)
	return list
}

// aligned puts requests of one key beside each other, those of one line rather than
// others: a mark, left and right, and below them the headers that only one of them has,
// unless told has that difference already.
func aligned(a, b []sent, told map[string]bool) [][3]string {
	worth := func(i, j int) int {
		switch {
		case a[i].key != b[j].key:
			return 0
		case a[i].about != b[j].about:
			if a[i].about != "" && b[j].about != "" {
				return 0
			}
			return 1
		case a[i].line != b[j].line:
			return 2
		}
		return 3
	}
	best := make([][]int, len(a)+1)
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1])
			if w := worth(i, j); w > 0 {
				best[i][j] = max(best[i][j], best[i+1][j+1]+w)
			}
		}
	}
	var rows [][3]string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && worth(i, j) > 0 && best[i][j] == best[i+1][j+1]+worth(i, j):
			rows = append(rows, beside(a[i], b[j], told)...)
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && best[i+1][j] >= best[i][j+1]:
			rows = append(rows, [3]string{"<", a[i].line, ""})
			i++
		default:
			rows = append(rows, [3]string{">", "", b[j].line})
			j++
		}
	}
	return rows
}

// beside is one request that both have, and below it the headers that differ.
func beside(a, b sent, told map[string]bool) [][3]string {
	only := func(of, other []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(h string) bool { return slices.Contains(other, h) })
	}
	left, right := only(a.headers, b.headers), only(b.headers, a.headers)
	difference := fmt.Sprintf("%s %q %q", a.key, left, right)
	if told[difference] {
		left, right = nil, nil
	}
	if len(left)+len(right) > 0 {
		told[difference] = true
	}
	if len(left)+len(right) == 0 && a.line == b.line {
		return [][3]string{{"=", a.line, b.line}}
	}
	rows := [][3]string{{"~", a.line, b.line}}
	for i := range max(len(left), len(right)) {
		row := [3]string{}
		if i < len(left) {
			row[1] = "  " + left[i]
		}
		if i < len(right) {
			row[2] = "  " + right[i]
		}
		rows = append(rows, row)
	}
	return rows
}
